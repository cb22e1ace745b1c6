"""Plots of a classification: confusion matrix, ROC and precision-recall curves."""

import numpy as np
from matplotlib.figure import Figure
from sklearn import metrics

from mmkeras.evaluate.drawing import COLOURS, save, short

_MOST_LINES = 10  # more lines could not be told apart by colour


def draw(head, labels, outputs, found, out_dir, weights=None):
    """Writes NAME_confusion.png (of a single label), NAME_roc.png and NAME_pr.png; returns the names of the files.

    Of more than ten classes, the curves of the ten with the lowest AUC have a colour and a name.
    """
    truth = np.asarray(labels) if head.multi_label else np.eye(len(head.classes))[labels]
    files = [] if head.multi_label else [save(_confusion(head, found), out_dir, head, "confusion")]
    for kind, figure in (("roc", _roc), ("pr", _pr)):
        if any(np.isfinite(row[f"{kind}_auc"]) for row in found["per_class"].values()):
            files.append(save(figure(head, truth, outputs, found, weights), out_dir, head, kind))
    return files


def _confusion(head, found):
    """Counts as text, coloured by their share of the row, so that rare classes are as visible as frequent ones."""
    counts = np.array(found["confusion"])
    n = len(counts)
    side = float(np.clip(2.2 + 0.55 * n, 4.0, 18.0))
    figure = Figure(figsize=(side + 0.9, side), layout="constrained")
    axes = figure.subplots()
    whole = counts.sum(1, keepdims=True)
    share = np.divide(counts, whole, out=np.zeros(counts.shape), where=whole > 0)
    display = metrics.ConfusionMatrixDisplay(share, display_labels=[short(name) for name in head.classes])
    display.plot(ax=axes, cmap="Blues", xticks_rotation=90 if n > 6 else 0, include_values=n <= 25, colorbar=False)
    display.im_.set_clim(0, 1)
    size = 11 if n <= 10 else 8
    for i, j in np.ndindex(counts.shape if n <= 25 else (0, 0)):
        colour = "white" if share[i, j] > 0.5 else "#08306b"
        display.text_[i, j].set(text=_sum(counts[i, j]) if counts[i, j] else "·", fontsize=size, color=colour)
    figure.colorbar(display.im_, ax=axes, label="share of the label", shrink=0.8, aspect=30)
    low, high = found["accuracy_interval"]
    axes.set(xlabel="answer", ylabel="label")
    axes.set_title(f"{head.name}: accuracy {found['accuracy']:.3f} ({low:.3f} to {high:.3f}), n = {found['examples']}",
                   fontsize=10)  # fmt: skip
    return figure


def _roc(head, truth, outputs, found, weights):
    figure, axes = _square(
        head, f"ROC, mean AUC {found['roc_auc_macro']:.3f}", "false positive rate", "true positive rate (recall)"
    )
    axes.plot([0, 1], [0, 1], ":", color="#555555", label="chance")

    def points(i):
        return metrics.roc_curve(truth[:, i], outputs[:, i], sample_weight=weights)[:2]

    return _lines(figure, axes, head, points, found, "roc_auc")


def _pr(head, truth, outputs, found, weights):
    figure, axes = _square(head, f"mean average precision {found['pr_auc_macro']:.3f}", "recall", "precision")

    def points(i):
        precision, recall, _ = metrics.precision_recall_curve(truth[:, i], outputs[:, i], sample_weight=weights)
        return recall, precision

    return _lines(figure, axes, head, points, found, "pr_auc", drawstyle="steps-post")


def _square(head, title, xlabel, ylabel):
    names = [short(name) for name in head.classes]
    figure = Figure(figsize=(5.6 + 0.09 * max(map(len, names)), 4.6), layout="constrained")
    axes = figure.subplots()
    axes.set(xlabel=xlabel, ylabel=ylabel, xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    axes.set_title(f"{head.name}: {title}", fontsize=10)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _lines(figure, axes, head, points, found, key, **style):
    areas = {i: row[key] for i, row in enumerate(found["per_class"].values()) if np.isfinite(row[key])}
    named = sorted(areas, key=areas.get)[:_MOST_LINES]
    for i in [i for i in areas if i not in named]:
        axes.plot(*points(i), color="#cccccc", lw=0.8, label="_", **style)
    for colour, i in zip(COLOURS, sorted(named), strict=False):
        axes.plot(*points(i), color=colour, lw=1.6, label=f"{short(head.classes[i])} ({areas[i]:.3f})", **style)
    what = {"roc_auc": "AUC", "pr_auc": "average precision"}[key]
    title = f"class ({what})" if len(areas) <= _MOST_LINES else f"lowest {_MOST_LINES} of {len(areas)} ({what})"
    figure.legend(loc="outside right upper", frameon=False, fontsize=8, title=title, title_fontsize=8)
    return figure


def _sum(count):
    """Formats a count, or a sum of weights."""
    return str(count) if isinstance(count, np.integer) else f"{count:.4g}"
