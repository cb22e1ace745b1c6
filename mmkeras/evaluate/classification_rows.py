"""The examples of a classification: truth, answer, confidence, and whether the label is probably wrong."""

from typing import Any

import numpy as np


def rows(head, labels, outputs):
    """Columns of `evaluate.errors` by name."""
    labels, outputs = np.asarray(labels), np.asarray(outputs, "float32")
    chosen = np.asarray(head.chosen(outputs))
    if head.multi_label:
        confidence, doubted = np.maximum(outputs, 1 - outputs).min(-1), False
    else:
        confidence, doubted = np.take_along_axis(outputs, chosen[:, None], 1)[:, 0], wrong_labels(labels, outputs)
    texts = {"truth": [_text(head, each) for each in labels], "answer": [_text(head, each) for each in chosen]}
    return texts | {"confidence": confidence, "likely_wrong": doubted}


def _text(head, label):
    if head.multi_label:
        return "|".join(name for name, there in zip(head.classes, label, strict=True) if there >= 0.5)
    return head.classes[int(label)]


def wrong_labels(labels: Any, outputs: Any) -> np.ndarray:
    """Which labels are likely wrong, by confident learning: (n,) bool.

    The threshold of a class is the mean probability that examples labelled so have for it. A label is doubted where
    another class reaches its own threshold, and the most probable of these is not the label.

    Args:
        labels: (n,) class numbers.
        outputs: (n, N) probabilities of a model that has not learned from these labels.

    Example:

    >>> p = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.2, 0.8], [0.1, 0.9]])
    >>> wrong_labels(np.array([0, 0, 1, 1, 0]), p).tolist()
    [False, False, False, False, True]

    Source: Northcutt et al., Confident Learning, arXiv 1911.00068, section 3.1, the confident joint; the doubted ones
    are all off its diagonal.
    """
    labels, outputs = np.asarray(labels), np.asarray(outputs, "float64")
    count = np.bincount(labels, minlength=outputs.shape[-1])
    sums = np.bincount(labels, outputs[np.arange(len(labels)), labels], minlength=outputs.shape[-1])
    at = np.divide(sums, count, out=np.full(len(count), np.inf), where=count > 0)
    confident = np.where(outputs >= at, outputs, -1.0)
    return (confident.max(-1) >= 0) & (confident.argmax(-1) != labels)
