"""Pictures of the scores of one head, as PNG files; drawn without pyplot, so that no window or state is left behind."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from sklearn import metrics

from mmkeras.heads import Regression

_COLOURS = ("#4c78a8", "#f58518", "#54a24b", "#e45756", "#72b7b2",
            "#b279a2", "#9d755d", "#eeca3b", "#ff9da6", "#7f7f7f")  # fmt: skip
_MOST_LINES = 10  # more colours than these are not told apart


def draw(head, labels, outputs, found, out_dir, weights=None):
    """Writes the pictures of one head.

    `NAME_confusion.png` (single label), `NAME_roc.png` and `NAME_pr.png` of classification, `NAME_scatter.png` of
    regression. Of more than ten classes, the curves of the ten with the lowest AUC have a colour and a name.

    Args:
        head: `mmkeras.heads.classification` or `regression`.
        labels: encoded labels.
        outputs: probabilities (n, N), or values (n, K).
        found: `scores` of the same.
        out_dir: an existing folder.
        weights: those that `found` was made with.

    Returns:
        Names of the files.
    """
    out_dir = Path(out_dir)
    if isinstance(head, Regression):
        return [_save(_scatter(head, np.reshape(labels, np.shape(outputs)), outputs, found), out_dir, head, "scatter")]
    truth = np.asarray(labels) if head.multi_label else np.eye(len(head.classes))[labels]
    files = [] if head.multi_label else [_save(_confusion(head, found), out_dir, head, "confusion")]
    for kind, figure in (("roc", _roc), ("pr", _pr)):
        if any(np.isfinite(row[f"{kind}_auc"]) for row in found["per_class"].values()):
            files.append(_save(figure(head, truth, outputs, found, weights), out_dir, head, kind))
    return files


def _save(figure, out_dir, head, kind):
    figure.savefig(out_dir / f"{head.name}_{kind}.png", dpi=130, bbox_inches="tight", pad_inches=0.12)
    return f"{head.name}_{kind}.png"


def _confusion(head, found):
    """Counts as text; the colour is the share of the row, so that rare classes are seen as well as frequent ones."""
    counts = np.array(found["confusion"])
    n = len(counts)
    side = float(np.clip(2.2 + 0.55 * n, 4.0, 18.0))
    figure = Figure(figsize=(side + 0.9, side), layout="constrained")
    axes = figure.subplots()
    whole = counts.sum(1, keepdims=True)
    share = np.divide(counts, whole, out=np.zeros(counts.shape), where=whole > 0)
    display = metrics.ConfusionMatrixDisplay(share, display_labels=[_short(name) for name in head.classes])
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
    names = [_short(name) for name in head.classes]
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
    for colour, i in zip(_COLOURS, sorted(named), strict=False):
        axes.plot(*points(i), color=colour, lw=1.6, label=f"{_short(head.classes[i])} ({areas[i]:.3f})", **style)
    what = {"roc_auc": "AUC", "pr_auc": "average precision"}[key]
    title = f"class ({what})" if len(areas) <= _MOST_LINES else f"lowest {_MOST_LINES} of {len(areas)} ({what})"
    figure.legend(loc="outside right upper", frameon=False, fontsize=8, title=title, title_fontsize=8)
    return figure


def _scatter(head, labels, values, found):
    k = labels.shape[-1]
    columns = min(k, 3)
    rows = -(-k // columns)
    figure = Figure(figsize=(4.4 * columns, 4.4 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    per_value = found.get("per_value", {key: [found[key]] for key in ("mae", "rmse", "r2")})
    for i, axes in enumerate(panels[:k]):
        low, high = np.min([labels[:, i], values[:, i]]), np.max([labels[:, i], values[:, i]])
        axes.plot([low, high], [low, high], ":", color="#555555", label="exact")
        axes.plot(labels[:, i], values[:, i], "o", ms=4, mew=0, alpha=float(np.clip(300 / len(labels), 0.1, 0.7)),
                  color=_COLOURS[0])  # fmt: skip
        axes.set(xlabel="label", ylabel="answer", aspect="equal")
        axes.set_title(f"{head.name}{f'[{i}]' if k > 1 else ''}: MAE {per_value['mae'][i]:.3g}, "
                       f"RMSE {per_value['rmse'][i]:.3g}, R² {per_value['r2'][i]:.3f}", fontsize=9)  # fmt: skip
        axes.grid(alpha=0.25)
        axes.legend(frameon=False, fontsize=8, loc="upper left")
        axes.spines[["top", "right"]].set_visible(False)
    for axes in panels[k:]:
        axes.remove()
    return figure


def _sum(count):
    """A count, or a sum of weights."""
    return str(count) if isinstance(count, np.integer) else f"{count:.4g}"


def _short(name, most=24):
    """Keeps both ends, as long names of classes often differ in their last part."""
    return name if len(name) <= most else f"{name[: most // 2]}…{name[-(most // 2 - 1) :]}"
