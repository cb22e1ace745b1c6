"""Scores of one head, by scikit-learn."""

import numpy as np
from scipy import stats
from sklearn import metrics

from mmkeras.heads import Classification, Regression


def scores(head, labels, outputs, weights=None):
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
        head: `mmkeras.heads.classification` or `regression`.
        labels: encoded: (n,) class numbers, (n, N) of 0 and 1, or (n, K) numbers.
        outputs: probabilities (n, N), or values (n, K).
        weights: how much each example counts, (n,) finite numbers of 0 or more; None: all alike.

    Returns:
        Dict of plain Python values.

    Raises:
        ValueError: outputs that are not finite, or weights that are not, or are negative, or all 0.
        TypeError: another kind of head.

    Source: Wilson, Probable Inference, JASA 22 (1927), for the interval; Kish, Survey Sampling (1965), section 11.7,
    for the effective number.

    >>> from mmkeras import heads
    >>> mood = heads.classification("mood", classes=["good", "bad"])
    >>> found = scores(mood, [0, 1, 1], [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
    >>> round(found["accuracy"], 3), found["confusion"]
    (0.667, [[1, 0], [1, 1]])
    """
    outputs = np.asarray(outputs, "float64")
    if not np.isfinite(outputs).all():
        bad = int((~np.isfinite(outputs)).reshape(len(outputs), -1).any(-1).sum())
        raise ValueError(
            f"Outputs of head '{head.name}' must be finite. Received: NaN or infinity in {bad} of {len(outputs)} "
            "examples. Training may have diverged: look at the loss, lower the learning rate."
        )
    if not isinstance(head, Classification | Regression):
        raise TypeError(f"Scores are of classification and regression heads. Received: {type(head).__name__}.")
    labels = np.asarray(labels)
    if weights is None:
        return _scores(head, labels, outputs, None)
    weights = _checked(head, weights, len(outputs))
    some = weights > 0
    found = _scores(head, labels[some], outputs[some], weights[some])
    return found | {"weighted": True, "effective_examples": _effective(weights)}


def _scores(head, labels, outputs, weights):
    if isinstance(head, Regression):
        return _regression(labels.astype("float64").reshape(outputs.shape), outputs, weights)
    return _classification(head, labels, outputs, weights)


def _checked(head, weights, count):
    weights = np.asarray(weights, "float64")
    if weights.shape != (count,) or not np.isfinite(weights).all() or weights.min() < 0 or not weights.any():
        raise ValueError(
            f"Weights of head '{head.name}' must be {count} finite numbers of 0 or more, some of them above 0. "
            f"Received: shape {weights.shape}, {weights.ravel()[:5].tolist()}, ... Take those "
            "of the batches that the labels are from."
        )
    return weights


def _effective(weights):
    return float(weights.sum() ** 2 / (weights**2).sum())


def _classification(head, labels, outputs, weights):
    size = len(head.classes)
    if head.multi_label:
        truth, answers = labels.astype(int), (outputs >= 0.5).astype(int)
        confusion = np.stack([_confusion(truth[:, i], answers[:, i], [0, 1], weights) for i in range(size)])
        right, loss = (truth == answers).all(-1), np.mean(_per_class(_binary_log_loss, truth, outputs, weights))
    else:
        truth, answers = np.eye(size, dtype=int)[labels], np.eye(size, dtype=int)[outputs.argmax(-1)]
        confusion = _confusion(labels, outputs.argmax(-1), range(size), weights)
        right, p = labels == outputs.argmax(-1), outputs / outputs.sum(-1, keepdims=True)
        loss = metrics.log_loss(labels, p, labels=range(size), sample_weight=weights)
    classes, accuracy = _classes(head.classes, truth, answers, outputs, weights), np.average(right, weights=weights)
    count = len(right) if weights is None else _effective(weights)
    return {
        "kind": "multi_label" if head.multi_label else "classification",
        "examples": len(labels),
        "accuracy": float(accuracy),
        "accuracy_interval": wilson(accuracy * count, count),
        **_averages(classes, truth, answers, weights),
        "log_loss": float(loss),
        "per_class": classes,
        "confusion": confusion.tolist(),
    }


def _confusion(labels, answers, classes, weights):
    return metrics.confusion_matrix(labels, answers, labels=classes, sample_weight=weights)


def _classes(names, truth, answers, outputs, weights):
    """Scores of each class, one against the rest, from truth and answers (n, N) of 0 and 1."""
    aucs = [
        _per_class(auc, truth, outputs, weights) for auc in (metrics.roc_auc_score, metrics.average_precision_score)
    ]
    found = {}
    for i, name in enumerate(names):
        parts, support = _precision_recall_f1(truth[:, i], answers[:, i], weights), int(truth[:, i].sum())
        if not support and not answers[:, i].any():  # neither right nor wrong
            parts = [float("nan")] * 3
        parts = (*parts, support, float(aucs[0][i]), float(aucs[1][i]))
        found[name] = dict(zip(("precision", "recall", "f1", "support", "roc_auc", "pr_auc"), parts, strict=True))
    return found


def _precision_recall_f1(truth, answers, weights):
    parts = metrics.precision_recall_fscore_support(
        truth, answers, average="binary", zero_division=0, sample_weight=weights
    )
    return tuple(float(part) for part in parts[:3])


def _averages(classes, truth, answers, weights):
    each = None if weights is None else np.repeat(weights, truth.shape[-1])
    micro = _precision_recall_f1(truth.ravel(), answers.ravel(), each)
    found = dict(zip(("precision_micro", "recall_micro", "f1_micro"), micro, strict=True))
    for key in ("precision", "recall", "f1", "roc_auc", "pr_auc"):
        rows = [row for row in classes.values() if np.isfinite(row[key])]
        found[f"{key}_macro"] = float(np.mean([row[key] for row in rows])) if rows else float("nan")
    support = truth.sum(0) if weights is None else weights @ truth
    for key in ("precision", "recall", "f1"):
        total = sum(row[key] * each for row, each in zip(classes.values(), support, strict=True) if each)
        found[f"{key}_weighted"] = float(total / support.sum()) if support.any() else 0.0
    return found


def _per_class(score, truth, outputs, weights):
    """`score` of each column; NaN where the labels are all equal, as there is nothing to rank."""
    both = [0 < column.sum() < len(column) or score is _binary_log_loss for column in truth.T]
    columns = zip(truth.T, outputs.T, both, strict=True)
    return np.array([score(y, p, sample_weight=weights) if defined else np.nan for y, p, defined in columns])


def _binary_log_loss(y, p, sample_weight):
    return metrics.log_loss(y, np.stack([1 - p, p], -1), labels=[0, 1], sample_weight=sample_weight)


def _regression(labels, values, weights):
    options = {"multioutput": "raw_values", "sample_weight": weights}
    parts = {
        "mae": metrics.mean_absolute_error(labels, values, **options),
        "rmse": metrics.root_mean_squared_error(labels, values, **options),
        "r2": _r2(labels, values, options),
    }
    found = {"kind": "regression", "examples": len(labels)} | {key: float(np.mean(part)) for key, part in parts.items()}
    if labels.shape[-1] > 1:
        found["per_value"] = {key: part.tolist() for key, part in parts.items()}
    return found


def _r2(labels, values, options):
    """(K,), NaN where the labels are all equal: there is no variance to explain."""
    found = np.full(labels.shape[-1], np.nan)
    vary = np.ptp(labels, axis=0) > 0
    if vary.any():
        found[vary] = metrics.r2_score(labels[:, vary], values[:, vary], **options)
    return found


def wilson(right, n):
    """95 % interval of a share: stays within [0, 1] and serves small samples; of weighted ones, both are real numbers.

    >>> [round(end, 3) for end in wilson(8, 10)]
    [0.49, 0.943]
    """
    z = stats.norm.ppf(0.975)
    middle, spread = right + z**2 / 2, z * np.sqrt(right * max(n - right, 0) / n + z**2 / 4)
    return [float(np.clip((middle + side * spread) / (n + z**2), 0, 1)) for side in (-1, 1)]
