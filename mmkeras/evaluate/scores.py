"""Scores of one head, by scikit-learn."""

import numpy as np
from scipy import stats
from sklearn import metrics

from mmkeras.heads import Classification, Regression


def scores(head, labels, outputs):
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

    Args:
        head: `mmkeras.heads.classification` or `regression`.
        labels: encoded: (n,) class numbers, (n, N) of 0 and 1, or (n, K) numbers.
        outputs: probabilities (n, N), or values (n, K).

    Returns:
        Dict of plain Python values.

    Raises:
        ValueError: outputs that are not finite.
        TypeError: another kind of head.

    Source: Wilson, Probable Inference, JASA 22 (1927), for the interval.

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
    if isinstance(head, Regression):
        return _regression(np.asarray(labels, "float64").reshape(outputs.shape), outputs)
    if not isinstance(head, Classification):
        raise TypeError(f"Scores are of classification and regression heads. Received: {type(head).__name__}.")
    return _classification(head, np.asarray(labels), outputs)


def _classification(head, labels, outputs):
    size = len(head.classes)
    if head.multi_label:
        truth, answers = labels.astype(int), (outputs >= 0.5).astype(int)
        confusion = np.stack([metrics.confusion_matrix(truth[:, i], answers[:, i], labels=[0, 1]) for i in range(size)])
        right, loss = (truth == answers).all(-1), np.mean(_per_class(_binary_log_loss, truth, outputs))
    else:
        truth, answers = np.eye(size, dtype=int)[labels], np.eye(size, dtype=int)[outputs.argmax(-1)]
        confusion = metrics.confusion_matrix(labels, outputs.argmax(-1), labels=range(size))
        right = labels == outputs.argmax(-1)
        loss = metrics.log_loss(labels, outputs / outputs.sum(-1, keepdims=True), labels=range(size))
    classes = _classes(head.classes, truth, answers, outputs)
    return {
        "kind": "multi_label" if head.multi_label else "classification",
        "examples": len(labels),
        "accuracy": float(right.mean()),
        "accuracy_interval": wilson(int(right.sum()), len(right)),
        **_averages(classes, truth, answers),
        "log_loss": float(loss),
        "per_class": classes,
        "confusion": confusion.tolist(),
    }


def _classes(names, truth, answers, outputs):
    """Scores of each class, one against the rest, from truth and answers (n, N) of 0 and 1."""
    aucs = [_per_class(auc, truth, outputs) for auc in (metrics.roc_auc_score, metrics.average_precision_score)]
    found = {}
    for i, name in enumerate(names):
        parts, support = _precision_recall_f1(truth[:, i], answers[:, i]), int(truth[:, i].sum())
        if not support and not answers[:, i].any():  # neither right nor wrong
            parts = [float("nan")] * 3
        parts = (*parts, support, float(aucs[0][i]), float(aucs[1][i]))
        found[name] = dict(zip(("precision", "recall", "f1", "support", "roc_auc", "pr_auc"), parts, strict=True))
    return found


def _precision_recall_f1(truth, answers):
    parts = metrics.precision_recall_fscore_support(truth, answers, average="binary", zero_division=0)
    return tuple(float(part) for part in parts[:3])


def _averages(classes, truth, answers):
    micro = _precision_recall_f1(truth.ravel(), answers.ravel())
    found = dict(zip(("precision_micro", "recall_micro", "f1_micro"), micro, strict=True))
    for key in ("precision", "recall", "f1", "roc_auc", "pr_auc"):
        rows = [row for row in classes.values() if np.isfinite(row[key])]
        found[f"{key}_macro"] = float(np.mean([row[key] for row in rows])) if rows else float("nan")
    examples = truth.sum()
    for key in ("precision", "recall", "f1"):
        total = sum(row[key] * row["support"] for row in classes.values() if row["support"])
        found[f"{key}_weighted"] = float(total / examples) if examples else 0.0
    return found


def _per_class(score, truth, outputs):
    """`score` of each column; NaN where the labels are all equal, as there is nothing to rank."""
    both = [0 < column.sum() < len(column) or score is _binary_log_loss for column in truth.T]
    columns = zip(truth.T, outputs.T, both, strict=True)
    return np.array([score(y, p) if defined else np.nan for y, p, defined in columns])


def _binary_log_loss(y, p):
    return metrics.log_loss(y, np.stack([1 - p, p], -1), labels=[0, 1])


def _regression(labels, values):
    parts = {
        "mae": metrics.mean_absolute_error(labels, values, multioutput="raw_values"),
        "rmse": metrics.root_mean_squared_error(labels, values, multioutput="raw_values"),
        "r2": _r2(labels, values),
    }
    found = {"kind": "regression", "examples": len(labels)} | {key: float(np.mean(part)) for key, part in parts.items()}
    if labels.shape[-1] > 1:
        found["per_value"] = {key: part.tolist() for key, part in parts.items()}
    return found


def _r2(labels, values):
    """(K,), NaN where the labels are all equal: there is no variance to explain."""
    found = np.full(labels.shape[-1], np.nan)
    vary = np.ptp(labels, axis=0) > 0
    if vary.any():
        found[vary] = metrics.r2_score(labels[:, vary], values[:, vary], multioutput="raw_values")
    return found


def wilson(right, n):
    """95 % interval of a share: stays within [0, 1] and serves small samples.

    >>> [round(end, 3) for end in wilson(8, 10)]
    [0.49, 0.943]
    """
    return [float(end) for end in stats.binomtest(right, n).proportion_ci(0.95, "wilson")]
