"""Scores of one head, by scikit-learn."""

from typing import Any

import numpy as np

from mmkeras.evaluate.intervals import effective
from mmkeras.evaluate.kinds import kind_of
from mmkeras.heads import Head


def scores(head: Head, labels: Any, outputs: Any, *, weights: Any = None) -> dict[str, Any]:
    """Scores of one head; undefined ones are NaN.

    Classification: `accuracy` (multi-label: of whole label sets) and `accuracy_interval` (95 %, Wilson), `precision`,
    `recall` and `f1` each as `_macro`, `_micro` and `_weighted`, `roc_auc_macro` and `pr_auc_macro` (one class against
    the rest; PR is the average precision), `log_loss`, `per_class` with all of these and the `support`, and `confusion`
    (rows are labels, columns answers; multi-label: one matrix [[tn, fp], [fn, tp]] per class, threshold 1/2).

    Precision, recall and F1 follow scikit-learn: they average over the classes that occur in the labels or in the
    predictions, and 0/0 is 0, so a class that is predicted but never true scores 0. A class that occurs in neither is
    excluded, and NaN in `per_class` (scikit-learn counts it as 0 for multi-label targets). The AUCs are averaged over
    the classes that have both positive and negative examples.

    Regression: `mae`, `rmse` and `r2`, their means over the K values, and `per_value` where K > 1.

    With weights, all scores use scikit-learn's `sample_weight`. `confusion` sums weights; `examples` and `support` are
    still counts, of the examples with a weight above 0. `weighted` is then True, and `effective_examples`, which the
    interval is based on, is (sum of weights)**2 / sum of weights**2, the number of equal weights whose mean has the
    same variance.

    Args:
        head: a head, of one of the kinds in `KINDS`.
        labels: encoded: (n,) class numbers, (n, N) of 0 and 1, or (n, K) numbers.
        outputs: probabilities (n, N), or values (n, K).
        weights: sample weights, (n,) finite numbers of 0 or more; None for equal weights.

    Returns:
        Dict of plain Python values.

    Raises:
        ValueError: outputs are not finite; weights are not finite, are negative, or are all 0; or the kind of head is
            not in `KINDS`.

    Example:

    >>> from mmkeras import heads
    >>> mood = heads.classification("mood", classes=["good", "bad"])
    >>> found = scores(mood, [0, 1, 1], [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
    >>> round(found["accuracy"], 3), found["confusion"]
    (0.667, [[1, 0], [1, 1]])

    Source: Wilson, Probable Inference, JASA 22 (1927), for the interval; Kish, Survey Sampling (1965), section 11.7,
    for the effective number.
    """
    outputs = np.asarray(outputs, "float64")
    if not np.isfinite(outputs).all():
        bad = int((~np.isfinite(outputs)).reshape(len(outputs), -1).any(-1).sum())
        raise ValueError(
            f"Outputs of head '{head.name}' must be finite. Received: NaN or infinity in {bad} of {len(outputs)} "
            "examples. Training may have diverged: look at the loss, lower the learning rate."
        )
    kind, labels = kind_of(head.kind), np.asarray(labels)
    if weights is None:
        return kind.scores(head, labels, outputs, None)
    weights = _checked(head, weights, len(outputs))
    some = weights > 0
    found = kind.scores(head, labels[some], outputs[some], weights[some])
    return found | {"weighted": True, "effective_examples": effective(weights)}


def _checked(head, weights, count):
    weights = np.asarray(weights, "float64")
    if weights.shape != (count,) or not np.isfinite(weights).all() or weights.min() < 0 or not weights.any():
        raise ValueError(
            f"Weights of head '{head.name}' must be {count} finite numbers of 0 or more, some of them above 0. "
            f"Received: shape {weights.shape}, {weights.ravel()[:5].tolist()}, ... Take those "
            "of the batches that the labels are from."
        )
    return weights
