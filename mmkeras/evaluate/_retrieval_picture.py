"""Plots some queries with the items that they retrieved."""

import io
import itertools
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image, UnidentifiedImageError

from mmkeras.evaluate.drawing import short

_QUERIES, _FOUND = 8, 6


def draw(raw, vectors, labels, out_dir, seed=0):
    """Writes retrieval_A_to_B.png for each two modalities; returns the names of the files.

    Args:
        raw: `mm.data.Examples`, in the order of the vectors.
        vectors, labels: dicts by modality, (n, D) and (n,).
        out_dir: folder.
        seed: of the queries that are drawn.
    """
    Path(out_dir).mkdir(parents=True, exist_ok=True)
    files = []
    for one, other in itertools.permutations(vectors, 2):
        figure = _figure(raw, one, other, vectors, labels, seed)
        files.append(f"retrieval_{one}_to_{other}.png")
        figure.savefig(Path(out_dir, files[-1]), dpi=110, bbox_inches="tight", pad_inches=0.1)
    return files


def _figure(raw, one, other, vectors, labels, seed):
    queries = np.flatnonzero(vectors[one].any(1) & np.isin(labels[one], labels[other][vectors[other].any(1)]))
    queries = np.sort(np.random.default_rng(seed).permutation(queries)[:_QUERIES])
    scores = vectors[one][queries] @ vectors[other].T
    scores[:, ~vectors[other].any(1)] = -np.inf
    found = np.argsort(-scores, axis=1, kind="stable")[:, :_FOUND]
    figure = Figure(figsize=(1.3 * (found.shape[1] + 1), 1.35 * len(queries)), layout="constrained")
    panels = figure.subplots(len(queries), found.shape[1] + 1, squeeze=False)
    for line, query, items in zip(panels, queries, found, strict=True):
        _show(line[0], raw, one, query, "#333333", bold=True)
        for axes, item in zip(line[1:], items, strict=True):
            right = labels[one][query] == labels[other][item]
            _show(axes, raw, other, item, "#2a9d3a" if right else "#bbbbbb", bold=right)
    panels[0, 0].set_title(f"{one} asks", fontsize=8)
    panels[0, 1].set_title(f"{other}: nearest first", fontsize=8, loc="left")
    return figure


def _show(axes, raw, name, row, colour, bold):
    value = _value(raw, name, int(row))
    if isinstance(value, np.ndarray):
        axes.imshow(value)
    else:
        lines = [value[i : i + 16] for i in range(0, len(value), 16)][:4] or ["-"]
        axes.text(0.5, 0.5, "\n".join(lines), ha="center", va="center", fontsize=7, weight="bold" if bold else "normal")
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set(color=colour, linewidth=2.5 if bold else 1.0)


def _value(raw, name, row):
    """The pixels of an image, or a text for anything else."""
    if name not in raw.table:  # the value of a table modality comes from several columns
        return f"row {raw.frame.index[row]}"
    content = next(raw.subset([row]).select([name]).as_numpy_iterator())[name]
    if not isinstance(content, bytes):
        return short(np.array2string(np.asarray(content), precision=2, threshold=6), 60)
    try:
        return np.asarray(Image.open(io.BytesIO(content)).convert("RGBA"))
    except UnidentifiedImageError:
        text = content.decode("utf-8", "replace")
        return text if text.isprintable() else f"row {raw.frame.index[row]}"
