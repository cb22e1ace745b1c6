"""Calibration of probabilities: how reliable they are, and how to correct them."""

from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops
from scipy import optimize

from mmkeras.contract import NamedModel
from mmkeras.evaluate._predict import predict
from mmkeras.heads import Head, heads_of

_LEAST_PROBABILITY = 1e-7


def calibration(head: Head, labels: Any, outputs: Any, *, bins: int = 15) -> dict[str, Any]:
    """The reliability curve of a classification, and its expected calibration error.

    One class of N: the probability of the most probable class against how often it is right. Several classes at once:
    each probability against how often its class holds.

    Args:
        head: a classification head.
        labels: encoded, (n,) or (n, N).
        outputs: probabilities (n, N).
        bins: of equal width.

    Returns:
        Dict: `confidence`, `accuracy` and `count` of each bin that is not empty, and `ece`, the mean distance of the
        two, weighted by count.

    Example:

    >>> from mmkeras import heads
    >>> mood = heads.classification("mood", classes=["good", "bad"])
    >>> calibration(mood, [0, 0, 0, 1], [[0.75, 0.25]] * 4)["ece"], calibration(mood, [0, 1], [[1.0, 0.0]] * 2)["ece"]
    (0.0, 0.5)

    Source: Guo et al., On Calibration of Modern Neural Networks, arXiv 1706.04599, eq. 2 and 3.
    """
    outputs, labels = np.asarray(outputs, "float64"), np.asarray(labels)
    if head.multi_label:
        confidence, right = outputs.ravel(), labels.ravel()
    else:
        confidence, right = outputs.max(-1), outputs.argmax(-1) == labels
    numbers = np.minimum((confidence * bins).astype(int), bins - 1)
    count = np.bincount(numbers, minlength=bins)
    there = count > 0
    mean_confidence, observed = (np.bincount(numbers, each, bins)[there] / count[there] for each in (confidence, right))
    ece = float((count[there] * np.abs(mean_confidence - observed)).sum() / count.sum())
    return {
        "confidence": mean_confidence.tolist(),
        "accuracy": observed.tolist(),
        "count": count[there].tolist(),
        "ece": ece,
    }


def temperature(head: Head, labels: Any, outputs: Any) -> float:
    """The temperature T that makes the labels most probable: p ** (1 / T), normalised; above 1 it makes less certain.

    Args:
        head: a classification head.
        labels: encoded labels of *validation* examples.
        outputs: probabilities (n, N).

    Example:

    >>> from mmkeras import heads
    >>> mood = heads.classification("mood", classes=["good", "bad"])
    >>> p = 1 / (1 + np.exp(-2.0))  # says 88 %, right in 73 % of the cases: logits twice as large as they should be
    >>> round(temperature(mood, [0] * 731 + [1] * 269, [[p, 1 - p]] * 1000), 2)
    2.0

    Source: Guo et al., arXiv 1706.04599, section 4.2.
    """
    p = np.clip(np.asarray(outputs, "float64"), _LEAST_PROBABILITY, 1 - _LEAST_PROBABILITY)
    labels = np.asarray(labels)

    def loss(log_t):
        if head.multi_label:
            logits = (np.log(p) - np.log1p(-p)) / np.exp(log_t)
            return np.mean(np.logaddexp(0, logits) - labels * logits)
        logits = np.log(p) / np.exp(log_t)
        return np.mean(np.logaddexp.reduce(logits, -1) - logits[np.arange(len(labels)), labels])

    return float(np.exp(optimize.minimize_scalar(loss, bounds=(-4, 4), method="bounded").x))


def calibrated(model: keras.Model, batches: Iterable[Any], heads: Sequence[Head] | None = None) -> NamedModel:
    """The same model with calibrated probabilities: its classes stay, its confidence becomes what is right as often.

    The logits of each classification head are divided by its `temperature`: in the weights of their layer where there
    is one, so that files and exports are as large and as fast; else behind the output (late and hybrid fusion).

    Args:
        model: model of a builder of this package; it stays as it is.
        batches: labelled batches of *validation* examples, neither of training nor of test.
        heads: list of the heads to calibrate; None for all classifications of the model.

    Returns:
        A model of the same kind, which can be saved and exported; compile it anew to train it.

    Raises:
        ValueError: there is no classification head.
    """
    heads = [head for head in heads_of(model, heads) if head.kind == "classification"]
    if not heads:
        raise ValueError(
            "Only probabilities can be calibrated. Received: a model without a classification head. For numbers, "
            "evaluate.conformal gives intervals with a guaranteed coverage."
        )
    labels, outputs, weights = predict(model, batches, heads, with_weights=True)
    temperatures = {}
    for head in heads:
        some = slice(None) if weights is None else weights[head.name] > 0
        temperatures[head.name] = temperature(head, labels[head.name][some], outputs[head.name][some])
    return _with_temperatures(model, heads, temperatures)


def _with_temperatures(model, heads, temperatures):
    copy = type(model).from_config(model.get_config())
    copy.set_weights(model.get_weights())
    answers = dict(copy.output)
    for head in heads:
        t, names = temperatures[head.name], [layer.name for layer in copy.layers]
        if f"{head.name}_logits" in names:
            layer = copy.get_layer(f"{head.name}_logits")
            layer.set_weights([weight / t for weight in layer.get_weights()])
        else:
            answers[head.name] = _behind(head, answers[head.name], t)
    return NamedModel.of(copy.input, answers, copy.specs, copy.heads, name=copy.name)


def _behind(head, p, t):
    p = ops.clip(p, _LEAST_PROBABILITY, 1 - _LEAST_PROBABILITY)
    logits = ops.log(p) - ops.log(1.0 - p) if head.multi_label else ops.log(p)
    return keras.layers.Activation(head.activation, dtype="float32", name=f"{head.name}_calibrated")(logits / t)
