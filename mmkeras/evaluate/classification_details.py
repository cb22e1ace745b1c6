"""Further plots of a classification: reliability of its probabilities."""

import numpy as np
from matplotlib.figure import Figure

from mmkeras.evaluate.classification_calibration import calibration, temperature
from mmkeras.evaluate.drawing import COLOURS, save
from mmkeras.evaluate.intervals import wilson


def details(head, labels, outputs, weights, out_dir, valid=None):
    """The calibration curve, and, with validation examples, what temperature scaling would make of it.

    Returns:
        (dict for JSON, names of the pictures).
    """
    curves = {"as it is": calibration(head, labels, outputs)}
    found = {"calibration": curves["as it is"]}
    if valid is not None:
        t = temperature(head, *valid)
        scaled = calibration(head, labels, _scaled(head, outputs, t))
        found["temperature"] = {"temperature": t, "ece": scaled["ece"]}
        curves |= {f"temperature {t:.2f}": scaled} if abs(t - 1) >= 0.005 else {}
    return found, [save(_curve(head, curves), out_dir, head, "calibration")]


def _scaled(head, outputs, t):
    p = np.clip(np.asarray(outputs, "float64"), 1e-7, 1 - 1e-7) ** (1 / t)
    rest = (1 - np.clip(outputs, 1e-7, 1 - 1e-7)) ** (1 / t)
    return p / (p + rest) if head.multi_label else p / p.sum(-1, keepdims=True)


def _curve(head, curves):
    figure = Figure(figsize=(5.2, 5.4), layout="constrained")
    above, below = figure.subplots(2, 1, height_ratios=[3, 1], sharex=True)
    above.plot([0, 1], [0, 1], ":", color="#555555")
    for colour, (name, curve) in zip(COLOURS, curves.items(), strict=False):
        predicted, holds = np.array(curve["confidence"]), np.array(curve["accuracy"])
        ends = [wilson(share * count, count) for share, count in zip(holds, curve["count"], strict=True)]
        errors = np.clip(np.abs(np.transpose(ends) - holds), 0, None)
        above.errorbar(predicted, holds, errors, fmt="o-", color=colour, ms=4, elinewidth=0.8,
                       label=f"{name}: expected error {curve['ece']:.3f}")  # fmt: skip
    first = next(iter(curves.values()))
    below.bar(first["confidence"], first["count"], width=0.03, color=COLOURS[0])
    above.set(ylabel="share that is right (95 %)", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    below.set(xlabel="probability", ylabel="examples")
    above.legend(frameon=False, fontsize=8)
    above.set_title(f"{head.name}: calibration", fontsize=10)
    for axes in (above, below):
        axes.spines[["top", "right"]].set_visible(False)
    return figure
