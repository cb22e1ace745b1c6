"""Further plots of a regression: residuals, and prediction intervals."""

import numpy as np
from matplotlib.figure import Figure

from mmkeras.evaluate._conformal import conformal
from mmkeras.evaluate.drawing import COLOURS, save

_COVERAGE = 0.9


def details(head, labels, outputs, weights, out_dir, valid=None):
    """Residuals by their quantiles and as a picture; with validation examples, conformal intervals and what they held.

    Returns:
        (dict for JSON, names of the pictures).
    """
    labels = np.asarray(labels, "float64").reshape(np.shape(outputs))
    residuals = labels - outputs
    shares = (0.05, 0.25, 0.5, 0.75, 0.95)
    quantiles = {f"{share:g}": np.quantile(residuals, share, axis=0).tolist() for share in shares}
    found = {"residuals": {"mean": residuals.mean(0).tolist(), "quantiles": quantiles}}
    if valid is not None:
        half = conformal(*valid, coverage=_COVERAGE)
        held = (np.abs(residuals) <= half).mean(0)
        found["conformal"] = {"coverage": _COVERAGE, "half_width": half.tolist(), "held": held.tolist()}
    return found, [save(_residuals(head, outputs, residuals), out_dir, head, "residuals")]


def _residuals(head, outputs, residuals):
    figure = Figure(figsize=(8.4, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    for i, colour in zip(range(residuals.shape[-1]), COLOURS, strict=False):
        name = f"{head.name}[{i}]" if residuals.shape[-1] > 1 else head.name
        left.plot(outputs[:, i], residuals[:, i], "o", ms=3, mew=0, alpha=0.5, color=colour, label=name)
        right.hist(residuals[:, i], bins=40, color=colour, alpha=0.7)
    left.axhline(0, color="#555555", ls=":")
    left.set(xlabel="answer", ylabel="label - answer")
    right.set(xlabel="label - answer", ylabel="examples")
    left.legend(frameon=False, fontsize=8)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    return figure
