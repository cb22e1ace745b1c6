"""Checks a file: builtin ops only, the model's names, and Keras' answers."""

import collections

import numpy as np
import tensorflow as tf

from mmkeras.export._litert.verify.flatbuffer import check_builtin, signature, used_ops
from mmkeras.export.distance import distances
from mmkeras.export.parity import check_outputs, units
from mmkeras.export.process.litert import run_files

_TOGETHER = 64


def described(path, model, form):
    """The file's own description, after comparing it with the model.

    Returns:
        Dict: "ops" with their counts, "inputs" and "outputs" with shapes and dtypes.

    Raises:
        ValueError: an op is not builtin.
        RuntimeError: names, dtypes or the batch are not the model's.
    """
    places = used_ops(path)
    check_builtin(places)
    found = signature(path)
    outputs = {name: (form.batch_size, tensor.dtype) for name, tensor in model.output.items()}
    wanted = {"inputs": {name: (form.batch_size, spec.dtype.name) for name, spec in form.specs(model).items()}}
    for side, tensors in (wanted | {"outputs": outputs}).items():
        if tensors != {name: (tensor["shape"][0], tensor["dtype"]) for name, tensor in found[side].items()}:
            raise RuntimeError(
                f"The file's {side} must be those of the model (batch and dtype): {tensors}. Received: {found[side]}. "
                "An input that no output depends on is dropped; build the model without it."
            )
    return {"ops": {op: len(layers) for op, layers in places.items()}, **found}


def batches(ready, form, inputs):
    """Ready batches of the file's size: the first as `preprocess` gives it, then all, cut to their longest text.

    Args:
        ready: dict of arrays (n, ...).
        form: of the file.
        inputs: of `flatbuffer.signature`.

    Returns:
        List of dicts of arrays (batch_size, ...); the last example is repeated to fill the last batch.
    """
    ready = form.fed(ready)
    n, size = len(next(iter(ready.values()))), form.batch_size
    rows = [np.minimum(np.arange(i, i + size), n - 1) for i in range(0, n, size)]
    whole = [{key: value[some] for key, value in ready.items()} for some in rows]
    return whole[:1] + [cut(batch, inputs) for batch in whole]


def tensors(arrays):
    return {key: tf.constant(value) for key, value in arrays.items()}


def cut(ready, inputs):
    """Removes the padding after the last real token of a batch, if the file takes texts of any length.

    Args:
        ready: dict of arrays.
        inputs: of `flatbuffer.signature`.

    Example:

    >>> ready = {"a": np.array([[7, 0, 0]]), "a_mask": np.array([[True, False, False]])}
    >>> free = {"shape": [1, None], "dtype": ""}
    >>> cut(ready, {"a": free, "a_mask": free})["a"].tolist()
    [[7]]
    """
    short = dict(ready)
    for name, mask in ready.items():
        if name.endswith("_mask") and None in inputs[name]["shape"]:
            real = np.flatnonzero(mask.any(axis=0))
            length = int(real[-1]) + 1 if real.size else 1
            short |= {key: ready[key][:, :length] for key in (name, name.removesuffix("_mask"))}
    return short


def keras_answers(model, feeds, form):
    """Keras' answers to each feed; feeds of equal shape are batched, which is many times faster."""
    free = all(tensor.shape[0] is None for tensor in model.input.values())
    call = tf.function(lambda feed: model(form.ready(feed), training=False), autograph=False)
    call = call.get_concrete_function({key: _spec([feed[key] for feed in feeds], free) for key in feeds[0]})
    alike, answers = collections.defaultdict(list), [None] * len(feeds)
    for i, feed in enumerate(feeds):
        alike[tuple(value.shape for value in feed.values())].append(i)
    size = _TOGETHER if free else 1
    for group in (same[i : i + size] for same in alike.values() for i in range(0, len(same), size)):
        fed = {key: np.concatenate([feeds[i][key] for i in group]) for key in feeds[group[0]]}
        together = {key: np.split(value.numpy(), len(group)) for key, value in call(tensors(fed)).items()}
        for place, i in enumerate(group):
            answers[i] = {key: parts[place] for key, parts in together.items()}
    return answers


def _spec(values, free_batch):
    """The common spec of all arrays, with None for dimensions that differ."""
    every = zip(*(value.shape for value in values), strict=True)
    batch, *lengths = [sizes.pop() if len(sizes) == 1 else None for sizes in map(set, every)]
    return tf.TensorSpec((None if free_batch else batch, *lengths), values[0].dtype)


def differences(path, model, heads, feeds, n, form, allowed, timeout):
    """Compares the answers of the file and of Keras.

    Args:
        path: of the file.
        model: keras.Model.
        heads: list of heads.
        feeds: of `batches`, of n examples.
        n: how many.
        form: of the file.
        allowed: dict, the "tolerance" and "half" of `distance.faults`.
        timeout: seconds.

    Returns:
        (largest, received, expected): largest difference by head, and the answers of both to the n examples, by head.

    Raises:
        ValueError: the answers are not those of Keras, or no numbers.
        RuntimeError: the file does not run without TensorFlow.
    """
    (received,) = run_files([(path, feeds)], timeout)
    if isinstance(received, str):
        raise RuntimeError(f"A LiteRT file must run in a process that holds no TensorFlow. Received: {received}")
    size = form.batch_size
    # The first batch was run twice, and the last example was repeated to fill the last batch.
    rows = np.r_[: min(size, n), size : size + n]
    received, expected = (_joined(each, rows) for each in (received, keras_answers(model, feeds, form)))
    check_outputs(path.name, heads, received, expected, **allowed)
    largest = {name: float(distances(unit, received[name], expected[name], allowed["half"]).max())
               for name, unit in units(heads).items()}  # fmt: skip
    return largest, *({name: values[-n:] for name, values in each.items()} for each in (received, expected))


def _joined(answers, rows):
    return {key: np.concatenate([each[key] for each in answers])[rows] for key in answers[0]}
