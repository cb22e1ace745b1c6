"""An explanation as one picture."""

from collections.abc import Mapping
from os import PathLike
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from mmkeras.evaluate._explain import Explanation
from mmkeras.evaluate.drawing import short

_FOR, _AGAINST = "#2b6cb0", "#c2413b"
_WIDTH = 6.4


def draw_explanation(
    explanation: Explanation,
    path: str | PathLike[str],
    *,
    title: str | None = None,
    heat: Mapping[str, np.ndarray] | None = None,
) -> Path:
    """Writes a PNG: the share of each modality, then what each of its words, pixels, bands or columns adds.

    Blue speaks for the class, red against it; the colours of a panel are scaled by its largest attribution.

    Args:
        explanation: what `explain` returned.
        path: of the PNG file.
        title: above the picture; None says head, target and score.
        heat: dict, name of a picture -> its `grad_cam`, shown beside the attributions.

    Returns:
        The path.
    """
    parts = list(explanation.parts.values())
    heights = [1.1 + 0.3 * len(parts), *map(_height, parts)]
    figure = Figure(figsize=(_WIDTH, sum(heights) + 0.5), layout="constrained")
    panels = figure.subplots(len(heights), 1, height_ratios=heights, squeeze=False).ravel()
    _shares(panels[0], explanation)
    for axes, part in zip(panels[1:], parts, strict=True):
        _DRAW.get(part.kind, _bars)(axes, part)
        if part.kind in _ADD and part.name in (heat or {}):
            _ADD[part.kind](axes, part, heat[part.name])
        axes.set_title(f"{part.name} ({part.total:+.3f})", fontsize=10, loc="left")
    text = f"{explanation.head} = {explanation.target}: {explanation.measure} {explanation.score:.3f}, "
    text += f"{explanation.baseline:.3f} without input"
    figure.suptitle(title or text, fontsize=11)
    figure.savefig(Path(path), dpi=130)
    return Path(path)


def _height(part):
    if part.kind in _HEIGHT:
        return _HEIGHT[part.kind](part)
    if part.values.ndim > 1 or part.shown is not None:
        return 2.6
    return 0.7 + 0.24 * min(len(part.values), 20)


def _shares(axes, explanation):
    names, values = list(explanation.shares), list(explanation.shares.values())
    axes.barh(names, values, color=[_FOR if value > 0 else _AGAINST for value in values], height=0.6)
    axes.invert_yaxis()
    axes.axvline(0, color="#444444", lw=0.8)
    axes.set_xlabel(f"what each modality adds; {sum(values):+.3f} in all", fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)


def _colour(value, largest):
    strength = abs(value) / largest if largest else 0.0
    return (*_rgb(_FOR if value > 0 else _AGAINST), 0.75 * strength)


def _rgb(colour):
    return tuple(int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))


def _lines(words, most=52):
    """Positions of the words, line by line."""
    lines, length = [[]], 0
    for i, word in enumerate(words):
        if length + len(word) + 2 > most and lines[-1]:
            lines, length = [*lines, []], 0
        lines[-1].append(i)
        length += len(short(word)) + 2
    return lines


def _words(axes, part):
    lines, largest = _lines(part.labels), np.abs(part.values).max(initial=0)
    axes.set(xlim=(0, 54), ylim=(len(lines), 0))
    axes.axis("off")
    for row, line in enumerate(lines):
        x = 0.5
        for i in line:
            box = {"facecolor": _colour(part.values[i], largest), "edgecolor": "none", "pad": 2.5}
            word = short(part.labels[i]).replace("$", r"\$")
            axes.text(x, row + 0.5, word, family="monospace", fontsize=10, va="center", bbox=box)
            x += len(word) + 2


def _heat(axes, picture, values):
    height, width = picture.shape[:2]
    picture = picture if picture.shape[-1:] != (1,) else picture[..., 0]
    axes.imshow(picture, cmap="gray", vmin=0, vmax=255, extent=(0, width, height, 0))
    largest = np.abs(values).max(initial=0) or 1.0
    strength = 0.8 * np.sqrt(np.abs(values) / largest)  # what adds nothing is left as it is
    axes.imshow(values, cmap="RdBu", vmin=-largest, vmax=largest, alpha=strength, extent=(0, width, height, 0))
    axes.set_xticks([])
    axes.set_yticks([])


def _picture(axes, part):
    """The picture, and beside it the same with the heat on it."""
    width = part.shown.shape[1]
    both = np.concatenate([part.shown, part.shown], axis=1)
    values = np.concatenate([np.zeros_like(part.values), part.values], axis=1)
    _heat(axes, both, values)
    axes.axvline(width, color="white", lw=3)
    axes.set_anchor("W")


def _add_heat(axes, part, heat):
    """A third time, with Grad-CAM on it."""
    height, width = part.shown.shape[:2]
    place = (2 * width, 3 * width, height, 0)
    picture = part.shown[..., 0] if part.shown.shape[-1] == 1 else part.shown
    axes.imshow(picture, cmap="gray", vmin=0, vmax=255, extent=place)
    strength = Image.fromarray((heat / (heat.max() or 1.0)).astype("float32"))
    strength = np.clip(strength.resize((width, height), Image.Resampling.BILINEAR), 0, 1)
    axes.imshow(strength, cmap="autumn", vmin=-0.5, vmax=1, alpha=0.6 * strength, extent=place)
    axes.axvline(2 * width, color="white", lw=3)
    axes.set(xlim=(0, 3 * width), ylim=(height, 0))
    words = "as it is, attributions, Grad-CAM" + ("" if heat.any() else " (nothing speaks for it)")
    axes.set_xlabel(words, fontsize=8, loc="left")


def _frames(axes, part):
    chosen = np.linspace(0, len(part.values) - 1, min(len(part.values), 8)).astype(int)
    _heat(axes, np.concatenate(part.shown[chosen], axis=1), np.concatenate(part.values[chosen], axis=1))
    axes.set_anchor("W")


def _sound(axes, part):
    if part.values.ndim == 1:
        axes.bar(range(len(part.values)), part.values, width=1.0,
                 color=[_FOR if value > 0 else _AGAINST for value in part.values])  # fmt: skip
        axes.set(xlabel="time", yticks=[])
        return
    axes.imshow(part.shown.T, origin="lower", aspect="auto", cmap="gray_r")
    largest = np.abs(part.values).max(initial=0) or 1.0
    axes.imshow(part.values.T, origin="lower", aspect="auto", cmap="RdBu", vmin=-largest, vmax=largest, alpha=0.6)
    axes.set(xlabel="time (frames)", ylabel="mel band")


def _bars(axes, part):
    order = np.argsort(-np.abs(part.values))[:20]
    names = [short(part.labels[i]) if part.labels else str(i) for i in order]
    values = part.values[order]
    axes.barh(range(len(order)), values, color=[_FOR if value > 0 else _AGAINST for value in values], height=0.7)
    axes.set_yticks(range(len(order)), names, fontsize=9)
    axes.invert_yaxis()
    axes.axvline(0, color="#444444", lw=0.8)
    axes.spines[["top", "right"]].set_visible(False)


_DRAW = {"text": _words, "image": _picture, "video": _frames, "audio": _sound}
_HEIGHT = {"text": lambda part: 0.6 + 0.34 * len(_lines(part.labels))}
_ADD = {"image": _add_heat}
