"""Heads: the answers of a model. A head holds output layer, loss, metrics, label encoding and decoding.

The name of a head is the key of its labels, its output and its metrics, and of its answers in the signature.

| head | label in the data | model output | serving output |
|---|---|---|---|
| `classification(name, classes)` | class name | probabilities (B, N) | `name`, `name_scores`, `name_classes` |
| the same, `multi_label=True` | names separated by a bar | probabilities (B, N) | `name_scores`, `name_classes` |
| `regression(name, size)` | number, list, or text separated by bars | values (B, K) in their unit | `name` |
| `transcription(name, units)` | text | logits (B, T, V) of each time step | `name`, `name_score` |
| `generation(name)` | text | ids (B, L), 0 after the end | `name`, `name_ids` |
"""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from mmkeras.checks import check_list, did_you_mean
from mmkeras.contract import SAMPLE_WEIGHT, auxiliary_name
from mmkeras.contract.raw_examples import RawExamples, columns_of, has_weights
from mmkeras.data_checks import kind
from mmkeras.heads._classification import Classification
from mmkeras.heads._classification import Classification as classification
from mmkeras.heads._generation import Generation
from mmkeras.heads._generation import Generation as generation
from mmkeras.heads._regression import Regression
from mmkeras.heads._regression import Regression as regression
from mmkeras.heads._transcription import Transcription
from mmkeras.heads._transcription import Transcription as transcription
from mmkeras.heads.base import Head

__all__ = [
    "Classification", "Generation", "Head", "Regression", "Transcription", "adapt", "check_heads", "classification",
    "compile_for", "generation", "heads_of", "regression", "transcription",
]  # fmt: skip


def compile_for(
    heads: Sequence[Head],
    *,
    loss_weights: Mapping[str, float] | None = None,
    auxiliary: Sequence[str] = (),
    auxiliary_weight: float = 0.3,
) -> dict[str, Any]:
    """Arguments of `model.compile`: the loss and the metrics of every head, by name.

    The metrics are weighted by the sample weights, so missing labels are excluded; during training, class weights apply
    to them as well.

    Args:
        heads: the heads that the model was built with.
        loss_weights: dict, head name -> weight of its loss in the sum.
        auxiliary: names of the specs of a model with `auxiliary=True`, whose outputs also get losses and metrics.
        auxiliary_weight: weight of the loss of each auxiliary output, multiplied by the weight of its head.

    Returns:
        Dict with `loss`, `weighted_metrics`, and `loss_weights` if given. Metric names start with the head's name.

    Raises:
        ValueError: `loss_weights` names a head that is not in `heads`.

    Example:

    >>> from mmkeras import heads
    >>> sorted(heads.compile_for([heads.classification("mood", classes=["good", "bad"])])["loss"])
    ['mood']
    """
    check_heads(heads)
    check_list("auxiliary", auxiliary)
    weights = dict.fromkeys((head.name for head in heads), 1.0) | (loss_weights or {})
    if len(weights) > len(heads):
        raise ValueError(f"loss_weights must name heads. Received: {list(loss_weights)}. Heads: {list(weights)}.")
    answers = {head.name: head for head in heads}
    answers |= {auxiliary_name(head.name, spec): head for head in heads for spec in auxiliary}
    # Keras prefixes metric names with the output's name only if there are several outputs.
    prefix = f"{heads[0].name}_" if len(answers) == 1 else ""
    arguments = {
        "loss": {name: head.loss() for name, head in answers.items()},
        "weighted_metrics": {name: head.metrics(prefix) for name, head in answers.items()},
    }
    if not loss_weights and not auxiliary:
        return arguments
    factor = {name: 1.0 if name == head.name else auxiliary_weight for name, head in answers.items()}
    shares = {name: weights[head.name] * factor[name] for name, head in answers.items()}
    return arguments | {"loss_weights": shares}


def adapt(heads: Sequence[Head], raw: Any, *, verbose: bool = True) -> list[Any]:
    """Learns class weights, the mean and standard deviation of regression targets, and vocabularies from the labels.

    It is the counterpart of `mm.adapt`, which does this for a preprocess. Sample weights are respected: an example of
    weight 2 counts like two examples.

    Args:
        heads: list of heads; they are not modified.
        raw: `tf.data.Dataset` of raw examples (dicts), finite; the *training* part only. Only its labels and
            weights are read.
        verbose: whether to print what was learned.

    Returns:
        A list of adapted heads in the same order; heads with nothing to learn are returned unchanged.

    Raises:
        ValueError: the data set is empty, infinite, or has no labels for a head that needs them.

    Example:

    >>> from mmkeras import heads
    >>> raw = tf.data.Dataset.from_tensor_slices({"price": [[8.0], [12.0]]})
    >>> (price,) = heads.adapt([heads.regression("price")], raw)
      price: mean=(10.0,), std=(2.0,)
    """
    check_heads(heads)
    inputs = [name for spec in raw.specs for name in spec.raw] if isinstance(raw, RawExamples) else []
    weighted = has_weights(raw, inputs, heads)
    learned = [head.adapted(*_learned_from(head, raw, weighted)) if head.needs_adapt else head for head in heads]
    for before, after in zip(heads, learned, strict=True):
        if verbose and after is not before:
            print(f"  {after.name}: {_changes(before, after)}")
    return learned


def _changes(before, after):
    old, new = before.get_config(), after.get_config()
    changes = ", ".join(f"{name}={value!r}" for name, value in new.items() if value != old[name])
    return changes if len(changes) <= 200 else f"{changes[:200]}..."


def _learned_from(head, raw, weighted):
    """The labels that are not missing, and their weights if the examples have any."""
    name = head.name
    there = list(raw.element_spec) if isinstance(raw.element_spec, dict) else []
    if name not in there:
        raise ValueError(
            f"heads.adapt needs raw examples with the labels of head '{name}'. Received: {there}. "
            f"{did_you_mean(name, there)} Read them with heads=[...], or rename the head."
        )
    if int(raw.cardinality()) == -1:  # `tf.data.INFINITE_CARDINALITY`
        raise ValueError(
            "heads.adapt needs a finite data set. Received: an infinite one. Take a part of it: raw.take(n)."
        )
    columns = columns_of(raw, [name, *([SAMPLE_WEIGHT] if weighted else [])])
    count = len(columns[name])
    known = np.asarray(head.labelled(columns[name])) if count else np.zeros(0, bool)
    if not known.any():
        raise ValueError(
            f"heads.adapt needs an example with a label of head '{name}'. Received: {count} examples, none with one. "
            "Check the filter or the split before it, or leave the head out."
        )
    columns = [values[known] for values in columns.values()]
    if weighted and not columns[1].any():
        raise ValueError(
            f"Head '{name}' needs examples with a weight above 0. Received: {known.sum()} labels, all of weight 0. "
            "Check the column of weights."
        )
    return columns


def heads_of(model: keras.Model, heads: Sequence[Head] | None = None) -> list[Any]:
    """Returns the given heads, or those that the model was built with.

    Args:
        model: model of a builder of this package, which knows its heads, or any other `keras.Model`.
        heads: list of heads; None for those of the model.

    Raises:
        ValueError: no heads are given and the model has none, or a head differs from the model's head of that name, for
            example in the order of its classes.
    """
    known = {head.name: head for head in getattr(model, "heads", ())}
    if heads is None and not known:
        raise ValueError(
            f"Heads are needed for a model that was not made by a builder of mmkeras. Received: heads=None and model "
            f"'{model.name}', which knows none. Give heads=[...]."
        )
    heads = list(known.values()) if heads is None else heads
    check_heads(heads)
    for head in heads:
        own = known.get(head.name, head)
        if own.meaning != head.meaning:
            raise ValueError(
                f"Head '{head.name}' must be the one that model '{model.name}' was built with. Expected: {own}. "
                f"Received: {head}. Leave heads= out: the model knows its own."
            )
    return heads


def check_heads(heads: Sequence[Head]) -> None:
    """Raises ValueError for no heads or repeated names, and TypeError for anything but a list of heads."""
    check_list("heads", heads)
    wrong = [head for head in heads if not isinstance(head, Head)]
    if wrong:
        raise TypeError(
            f"heads must be a list of heads, such as mm.heads.classification(...). Received: {kind(wrong[0])}."
        )
    names = [head.name for head in heads]
    if not names or len(set(names)) < len(names):
        raise ValueError(
            f"Heads need unique names, and at least one head is needed. Received: {names}. Rename the others."
        )
