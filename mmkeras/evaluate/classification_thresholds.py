"""Chooses the thresholds of a classification on validation examples."""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np
from sklearn import metrics

from mmkeras.checks import check_choice
from mmkeras.contract import NamedModel
from mmkeras.evaluate._predict import predict
from mmkeras.heads import Head, heads_of


def thresholds(head: Head, labels: Any, outputs: Any, *, best: str = "f1") -> tuple[float, ...]:
    """The threshold of each class with the best score; of two classes, that of the second one.

    Args:
        head: a classification of two classes, or of several that may hold at once.
        labels: encoded labels of *validation* examples.
        outputs: probabilities (n, N).
        best: "f1", or "balanced_accuracy", the mean of the rates of both classes.

    Returns:
        Tuple of floats; 0.5 for a class that all examples have, or none.

    Raises:
        ValueError: more than two classes of which one holds, or another word.

    Example:

    >>> from mmkeras import heads
    >>> rare = heads.classification("rare", classes=["no", "yes"])
    >>> p = np.array([0.1, 0.15, 0.2, 0.3, 0.4])
    >>> thresholds(rare, [0, 0, 1, 1, 1], np.stack([1 - p, p], -1))
    (0.2,)
    """
    check_choice("evaluate.thresholds", "best", best, ("f1", "balanced_accuracy"))
    if not head.multi_label and len(head.classes) != 2:
        raise ValueError(
            f"Thresholds are for heads of two classes, or with multi_label=True. Received: head '{head.name}' with "
            f"{len(head.classes)} classes and one label. It answers with the most probable class."
        )
    labels, outputs = np.asarray(labels), np.asarray(outputs, "float64")
    columns = zip(labels.T, outputs.T, strict=True) if head.multi_label else [(labels, outputs[:, 1])]
    return tuple(_best(truth.astype(int), p, best) for truth, p in columns)


def _best(truth, p, best):
    if not 0 < truth.sum() < len(truth):
        return 0.5
    if best == "f1":
        precision, recall, at = metrics.precision_recall_curve(truth, p)
        sums = precision + recall
        score = np.divide(2 * precision * recall, sums, out=np.zeros_like(sums), where=sums > 0)[:-1]
    else:
        wrong, right, at = metrics.roc_curve(truth, p)
        score, at = (right - wrong)[1:], at[1:]
    return float(np.clip(at[np.argmax(score)], 0, 1))


def with_thresholds(
    model: keras.Model, batches: Iterable[Any], heads: Sequence[Head] | None = None, *, best: str = "f1"
) -> NamedModel:
    """The same model, whose heads of two or several classes have the thresholds that are best on these batches.

    They are part of the model's heads: reports, `.keras` files, the SavedModel and the LiteRT file go by them.

    Args:
        model: model of a builder of this package; it stays as it is, and its weights are shared.
        batches: labelled batches of *validation* examples.
        heads: list of the heads to choose for; None for all that can have thresholds.
        best: as in `thresholds`.

    Returns:
        A model with the same layers; its `heads` have `thresholds`.

    Raises:
        ValueError: no head can have thresholds.
    """
    given = heads_of(model, heads)
    chosen = [head for head in given if head.kind == "classification" and (head.multi_label or len(head.classes) == 2)]
    if not chosen:
        raise ValueError(
            "Thresholds are for heads of two classes, or with multi_label=True. Received: "
            f"{[head.name for head in given]}. Other heads answer with the most probable class."
        )
    labels, outputs, weights = predict(model, batches, chosen, with_weights=True)
    found = {}
    for head in chosen:
        some = slice(None) if weights is None else weights[head.name] > 0
        own = thresholds(head, labels[head.name][some], outputs[head.name][some], best=best)
        found[head.name] = dataclasses.replace(head, thresholds=own)
    heads = [found.get(head.name, head) for head in heads_of(model)]
    return NamedModel.of(model.input, model.output, model.specs, heads, name=model.name)
