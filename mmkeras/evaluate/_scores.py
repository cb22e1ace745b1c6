"""Scores of one head, by scikit-learn."""

from typing import Any

import numpy as np

from mmkeras.evaluate.intervals import effective
from mmkeras.evaluate.kinds import kind_of
from mmkeras.heads import Head


def scores(head: Head, labels: Any, outputs: Any, *, weights: Any = None) -> dict[str, Any]:
    """Scores of one head; what is undefined is NaN.

    Classification: `accuracy` (multi-label: of whole label sets) and `accuracy_interval` (95 %, Wilson), `precision`,
    `recall` and `f1` each as `_macro`, `_micro` and `_weighted`, `roc_auc_macro` and `pr_auc_macro` (one class against
    the rest; PR is the average precision), `log_loss`, `per_class` with all of these and the `support`, and `confusion`
    (rows are labels, columns answers; multi-label: one matrix [[tn, fp], [fn, tp]] per class, threshold 1/2).

    Precision, recall and F1 follow scikit-learn: they count the classes that occur in the labels or in the answers, and
    0/0 is 0, so a class that is answered but never true has 0. A class that occurs in neither is left out, and NaN in
    `per_class` (scikit-learn counts it as 0 where several classes may hold at once). The AUCs are averages over the
    classes that are true in some examples and false in others.

    Regression: `mae`, `rmse` and `r2`, their means over the K values, and `per_value` where K > 1.

    With weights, all of them take scikit-learn's `sample_weight`. `confusion` sums weights; `examples` and `support`
    still count, without those of weight 0. `weighted` is then True, and `effective_examples`, from which the interval
    is, (sum of weights)**2 / sum of weights**2: so many equal weights would give a mean of the same variance.

    Args:
        head: a head, of one of the kinds in `KINDS`.
        labels: encoded: (n,) class numbers, (n, N) of 0 and 1, or (n, K) numbers.
        outputs: probabilities (n, N), or values (n, K).
        weights: how much each example counts, (n,) finite numbers of 0 or more; None: all alike.

    Returns:
        Dict of plain Python values.

    Raises:
        ValueError: outputs that are not finite, or weights that are not, or are negative, or all 0; or a kind of head
            that is not in `KINDS`.

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
