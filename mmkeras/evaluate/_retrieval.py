"""Evaluates how well one modality retrieves another."""

import itertools
import json
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from mmkeras.checks import check
from mmkeras.evaluate._ranks import CUTS, by_chance, ranks, summarised
from mmkeras.evaluate._retrieval_picture import draw

_COLUMNS = [*(f"R@{k}" for k in CUTS), "median_rank", "mAP"]


def retrieval(
    embeddings: Mapping[str, Any],
    labels: Any = None,
    *,
    baselines: Mapping[str, Mapping[str, Any]] | None = None,
    raw: Any = None,
    out_dir: str | PathLike[str] | None = None,
    seed: int = 0,
    name: str = "model",
) -> dict[str, Any]:
    """Scores of every modality that looks for every other one, beside baselines and chance.

    An item is right where it has the label of the query; several may be. A query counts for R@k where one of them is
    among the first k, median_rank is that of the best of them, and mAP the mean of the average precision, for which all
    of them count. Modalities that are absent (zeros) are neither queries nor items; a query without any right item is
    left out.

    Args:
        embeddings: dict, modality -> (n, D) unit vectors, as `dual_encoder(...).predict` gives them. The modalities may
            have different numbers of rows where `labels` are given by modality, as of five captions for each picture.
        labels: (n,), or dict of them by modality, any values; None: the same row is right, and no other.
        baselines: dict, name of the row -> embeddings as above, such as those of `linear_embeddings`.
        raw: `mm.data.Examples` in the order of the embeddings (the same rows for all modalities), for the picture.
        out_dir: folder for `retrieval.json` and, with `raw`, retrieval_A_to_B.png: queries and what they found.
        seed: of the bootstrap, and of which queries are drawn.
        name: of the row of `embeddings`.

    Returns:
        Dict that JSON holds: "models", {row: {"A -> B": scores}} with "queries" and "items" (how many), R@1, R@5, R@10,
        median_rank, mAP, and "interval", the 95 % bootstrap intervals of these; the last row is "random", what is
        expected of a random order; "files", names of the pictures.

    Raises:
        ValueError: fewer than two modalities; numbers of rows or labels do not agree; embeddings are not finite; or
            no query has a right item.

    Example:

    >>> from mmkeras import evaluate
    >>> same = np.eye(4)
    >>> found = evaluate.retrieval({"photo": same, "caption": same})
    >>> found["models"]["model"]["photo -> caption"]["R@1"], found["models"]["random"]["photo -> caption"]["R@1"]
    (1.0, 0.25)
    """
    taken = {name, "random"} & set(baselines or {}) if name != "random" else {"random"}
    check(not taken, "Rows need names of their own.", sorted(taken), "Rename the baseline.")
    rows, found = {name: embeddings} | (baselines or {}), {}
    for row, vectors in rows.items():
        vectors, known = _checked(vectors, labels)
        found[row], chance = _directions(vectors, known, seed)
        if row == name:
            random = chance
    files = [] if raw is None or out_dir is None else draw(raw, *_checked(embeddings, labels), out_dir, seed)
    report = {"models": found | {"random": random}, "files": files}
    if out_dir is not None:
        Path(out_dir).mkdir(parents=True, exist_ok=True)
        text = json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False)
        Path(out_dir, "retrieval.json").write_text(text + "\n", encoding="utf-8")
    return report


def _checked(embeddings, labels):
    """Embeddings as float64 arrays, and labels by modality."""
    names = list(embeddings)
    check(len(names) > 1, "Retrieval needs two or more modalities.", names, "Give the outputs of a dual_encoder.")
    vectors = {key: np.asarray(each, "float64") for key, each in embeddings.items()}
    for key, each in vectors.items():
        rule = f"Embeddings of '{key}' must be finite (n, D)."
        check(each.ndim == 2 and np.isfinite(each).all(), rule, each.shape, "Has training diverged?")
    if not isinstance(labels, dict):
        sizes = {key: len(each) for key, each in vectors.items()}
        rule, remedy = "Without labels by modality, all have the same rows.", "Give labels={modality: (n,), ...}."
        check(len({*sizes.values(), *([] if labels is None else [len(labels)])}) == 1, rule, sizes, remedy)
        labels = dict.fromkeys(names, np.arange(len(vectors[names[0]])) if labels is None else labels)
    labels = {key: np.asarray(labels[key]) for key in names if key in labels}
    sizes = {key: (len(vectors[key]), len(labels.get(key, ()))) for key in names}
    rule = "Each modality needs a label for each row."
    check(all(a == b for a, b in sizes.values()), rule, f"(rows, labels) {sizes}", "Give labels={modality: (n,)}.")
    return vectors, labels


def _directions(vectors, labels, seed):
    """{"A -> B": scores} of a model, and of chance."""
    found, chance = {}, {}
    for one, other in itertools.permutations(vectors, 2):
        (queries, own), (items, theirs) = (_there(vectors[key], labels[key]) for key in (one, other))
        each = ranks(queries, items, own, theirs) if len(queries) and len(items) else {"right": np.zeros(0)}
        rule = f"Some query of '{one}' must have a right answer among those of '{other}'."
        check(each["right"].any(), rule, f"{len(queries)} queries, {len(items)} items", "Look at the labels.")
        found[f"{one} -> {other}"] = summarised(each, own, len(items), seed)
        size = {"queries": int((each["right"] > 0).sum()), "items": len(items)}
        chance[f"{one} -> {other}"] = size | {key: float(v) for key, v in by_chance(each, len(items)).items()}
    return found, chance


def _there(vectors, labels):
    some = vectors.any(axis=1)
    return vectors[some], labels[some]


def retrieval_table(report: Mapping[str, Any]) -> Table:
    """A `rich.table.Table` of what `retrieval` returned: a row for each model and direction.

    Example:

    >>> found = retrieval({"photo": np.eye(4), "caption": np.eye(4)})
    >>> [column.header for column in retrieval_table(found).columns]
    ['', '', 'R@1', 'R@5', 'R@10', 'median rank', 'mAP']
    """
    shown = Table("", "", *(column.replace("_", " ") for column in _COLUMNS))
    for row, directions in report["models"].items():
        for direction, scores in directions.items():
            shown.add_row(row, direction, *(_cell(scores, column) for column in _COLUMNS))
    return shown


def _cell(scores, column):
    shown = f"{scores[column]:.0f}" if column == "median_rank" else f"{scores[column]:.3f}"
    if column in ("R@10", "mAP") and "interval" in scores:
        shown += " ({:.3f}-{:.3f})".format(*scores["interval"][column])
    return shown
