"""Several augmentations in sequence, each with its own seed."""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

# (ready, labels, seed) -> (ready, labels)
Augmentation = Callable[[dict[str, Any], dict[str, Any], Any], tuple[dict[str, Any], dict[str, Any]]]


def in_turn(augment: Augmentation | Sequence[Augmentation]) -> Augmentation:
    """Chains augmentations; each gets its own seed, derived from that of the batch.

    Args:
        augment: function (ready, labels, seed) -> (ready, labels), or a list of them.

    Returns:
        Such a function. It raises ValueError if one of them changes names, dtypes or ranks of the ready tensors, or the
        names of the labels.
    """
    steps = [augment] if callable(augment) else list(augment)

    def apply(ready, labels, seed):
        seed = tf.reshape(tf.cast(seed, tf.int64), [2])
        for step, own in zip(steps, seeds(seed, len(steps)), strict=True):
            result = step(dict(ready), dict(labels), own)
            _check(step, (ready, labels), result)
            ready, labels = result
        return ready, labels

    return apply


def seeds(seed, n):
    """n independent seeds (2,) int64 derived from one."""
    return [tf.random.experimental.stateless_fold_in(seed, tf.constant(i, tf.int64)) for i in range(n)]


def check_spec(spec, kind):
    """Raises TypeError if an augmentation is given the spec of another modality."""
    if spec.kind != kind.lower():
        raise TypeError(
            f"mm.augment.{kind.lower()} is for mm.{kind} specs. Received: {spec!r}. Give the spec of the modality."
        )


def check_range(function, low, high, **values):
    """Raises ValueError if an argument is outside [low, high]."""
    for name, value in values.items():
        if not low <= value <= high:
            raise ValueError(f"{name} of mm.augment.{function} must be in [{low}, {high}]. Received: {name}={value!r}.")


def _check(step, given, result):
    ok = isinstance(result, tuple | list) and len(result) == 2 and all(isinstance(part, dict) for part in result)
    if ok and _kinds(given[0]) == _kinds(result[0]) and set(given[1]) | set(_gives(step)) == set(result[1]):
        return
    expected = f"({_kinds(given[0])}, labels {sorted({*given[1], *_gives(step)})})"
    received = f"({_kinds(result[0])}, labels {sorted(result[1])})" if ok else repr(result)
    raise ValueError(
        "An augmentation must return (ready, labels) with the names, dtypes and ranks that it received. Expected: "
        f"{expected}. Received: {received}, from {getattr(step, '__qualname__', step)}."
    )


def _gives(step):
    """Names of the labels that a step adds, such as `masking`: the step's attribute `gives`."""
    return getattr(step, "gives", ())


def _kinds(ready):
    tensors = {name: tf.convert_to_tensor(tensor) for name, tensor in sorted(ready.items())}
    return {name: (tensor.dtype.name, tensor.shape.rank) for name, tensor in tensors.items()}
