"""Scores and plots of a classification."""

import numpy as np
from sklearn import metrics

from mmkeras.evaluate.classification_curves import draw
from mmkeras.evaluate.classification_details import details
from mmkeras.evaluate.classification_rows import rows
from mmkeras.evaluate.intervals import effective, wilson

__all__ = ["MAIN", "columns", "details", "draw", "each", "rows", "scores"]

MAIN = "accuracy"


def columns(found):
    """Heading in the table -> key of the score."""
    if found.get("multi_label"):
        return {"all right": "accuracy", "F1": "f1_macro", "F1 micro": "f1_micro", "ROC AUC": "roc_auc_macro"}
    return {"accuracy": "accuracy", "F1": "f1_macro", "ROC AUC": "roc_auc_macro", "log loss": "log_loss"}


def scores(head, labels, outputs, weights):
    """The scores of `evaluate.scores` for classes, from encoded labels and probabilities (n, N)."""
    size = len(head.classes)
    if head.multi_label:
        truth, answers = labels.astype(int), _chosen(head, outputs).astype(int)
        confusion = np.stack([_confusion(truth[:, i], answers[:, i], [0, 1], weights) for i in range(size)])
        right, loss = (truth == answers).all(-1), np.mean(_per_class(_binary_log_loss, truth, outputs, weights))
    else:
        chosen = _chosen(head, outputs)
        truth, answers = np.eye(size, dtype=int)[labels], np.eye(size, dtype=int)[chosen]
        confusion = _confusion(labels, chosen, range(size), weights)
        right, p = labels == chosen, outputs / outputs.sum(-1, keepdims=True)
        loss = metrics.log_loss(labels, p, labels=range(size), sample_weight=weights)
    classes, accuracy = _classes(head.classes, truth, answers, outputs, weights), np.average(right, weights=weights)
    count = len(right) if weights is None else effective(weights)
    return {
        "kind": head.kind,
        "multi_label": head.multi_label,
        "examples": len(labels),
        "accuracy": float(accuracy),
        "accuracy_interval": wilson(accuracy * count, count),
        **_averages(classes, truth, answers, weights),
        "log_loss": float(loss),
        **_top(head, labels, outputs, weights),
        "per_class": classes,
        "confusion": confusion.tolist(),
    }


def each(head, labels, outputs):
    """Whether each example is answered correctly (for several labels: all of them), as 0 or 1 (n,)."""
    chosen, labels = _chosen(head, outputs), np.asarray(labels)
    return (chosen == labels.astype(int)).all(-1).astype(float) if head.multi_label else (chosen == labels) * 1.0


def _chosen(head, outputs):
    return np.asarray(head.chosen(np.asarray(outputs, "float32")))


def _top(head, labels, outputs, weights):
    """Share of examples whose class is among the k most probable ones; needs more than k classes."""
    if head.multi_label:
        return {}
    options = {"labels": range(outputs.shape[-1]), "sample_weight": weights}
    return {f"top_{k}_accuracy": float(metrics.top_k_accuracy_score(labels, outputs, k=k, **options))
            for k in (3, 5) if k < outputs.shape[-1]}  # fmt: skip


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
        # The class neither occurs nor is answered, so its scores are undefined.
        if not support and not answers[:, i].any():
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
    """`score` of each column; NaN if all its labels are equal, since there is nothing to rank."""
    both = [0 < column.sum() < len(column) or score is _binary_log_loss for column in truth.T]
    columns = zip(truth.T, outputs.T, both, strict=True)
    return np.array([score(y, p, sample_weight=weights) if defined else np.nan for y, p, defined in columns])


def _binary_log_loss(y, p, sample_weight):
    return metrics.log_loss(y, np.stack([1 - p, p], -1), labels=[0, 1], sample_weight=sample_weight)
