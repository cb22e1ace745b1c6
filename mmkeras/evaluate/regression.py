"""Scores and plots of a regression."""

import numpy as np
from matplotlib.figure import Figure
from sklearn import metrics

from mmkeras.evaluate.drawing import COLOURS, save
from mmkeras.evaluate.regression_details import details

__all__ = ["LOWER", "MAIN", "columns", "details", "draw", "each", "rows", "scores"]

MAIN, LOWER = "mae", True


def columns(found):
    """Heading in the table -> key of the score."""
    return {"MAE": "mae", "RMSE": "rmse", "R²": "r2"}


def scores(head, labels, values, weights):
    """The scores of `evaluate.scores` for K numbers, from labels and values (n, K)."""
    labels = labels.astype("float64").reshape(values.shape)
    options = {"multioutput": "raw_values", "sample_weight": weights}
    parts = {
        "mae": metrics.mean_absolute_error(labels, values, **options),
        "rmse": metrics.root_mean_squared_error(labels, values, **options),
        "r2": _r2(labels, values, options),
    }
    found = {"kind": head.kind, "examples": len(labels)} | {key: float(np.mean(part)) for key, part in parts.items()}
    if labels.shape[-1] > 1:
        found["per_value"] = {key: part.tolist() for key, part in parts.items()}
    return found


def each(head, labels, outputs):
    """Mean absolute error of each example (n,)."""
    return np.abs(np.asarray(labels, "float64").reshape(np.shape(outputs)) - outputs).mean(-1)


def rows(head, labels, outputs):
    """Columns of `evaluate.errors`, by name."""
    labels = np.reshape(labels, np.shape(outputs))
    texts = ([float(each[0]) if len(each) == 1 else each.tolist() for each in part] for part in (labels, outputs))
    return dict(zip(("truth", "answer"), texts, strict=True)) | {"confidence": np.nan, "likely_wrong": False}


def _r2(labels, values, options):
    """R² (K,), NaN if all labels are equal, since there is no variance to explain."""
    found = np.full(labels.shape[-1], np.nan)
    vary = np.ptp(labels, axis=0) > 0
    if vary.any():
        found[vary] = metrics.r2_score(labels[:, vary], values[:, vary], **options)
    return found


def draw(head, labels, outputs, found, out_dir, weights=None):
    """Writes NAME_scatter.png, answers over labels; returns the names of the files."""
    return [save(_scatter(head, np.reshape(labels, np.shape(outputs)), outputs, found), out_dir, head, "scatter")]


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
                  color=COLOURS[0])  # fmt: skip
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
    """Formats a count, or a sum of weights."""
    return str(count) if isinstance(count, np.integer) else f"{count:.4g}"
