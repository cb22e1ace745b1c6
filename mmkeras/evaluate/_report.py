"""Scores of a model and its baselines on the same examples."""

import json
from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import keras
import numpy as np
from rich.table import Table

from mmkeras.distribute import cluster
from mmkeras.evaluate._predict import majority_baseline, predict_each
from mmkeras.evaluate._scores import scores
from mmkeras.evaluate._subsets import mask_names, subsets
from mmkeras.evaluate.kinds import kind_of
from mmkeras.heads import Head, heads_of
from mmkeras.specs import Spec


def report(
    model: keras.Model,
    batches: Iterable[Any],
    heads: Sequence[Head] | None = None,
    *,
    out_dir: str | PathLike[str] | None = None,
    train: Any = None,
    baselines: Mapping[str, keras.Model] | None = None,
    name: str = "model",
    specs: Sequence[Spec] | None = None,
) -> dict[str, Any]:
    """Scores of a model and its baselines on labelled batches; see `scores` for their definitions.

    Args:
        model: `keras.Model`, dict of ready tensors -> dict {head: output}.
        batches: `tf.data.Dataset` of (inputs, labels[, sample weights]), as `mmkeras.data.eval_batches` makes it. With
            sample weights, all scores are weighted and marked as `weighted`.
        heads: list of heads to score; None for all heads of the model.
        out_dir: folder for `report.json` and the pictures of `model`: confusion, ROC and PR of a classification, a
            scatter of a regression, a table of the texts of a transcription. If None, nothing is written.
        train: the training examples, raw or in batches, or their labels as a dict: adds the row "majority", a
            constant answer (most frequent class, mean of the numbers).
        baselines: dict, name of the row -> a `keras.Model` that takes all or some of the inputs of the batches.
        name: name of the row of `model`.
        specs: the specs of `model`: adds a row "NAME: A + B" for each subset of modalities that is present while the
            others are masked, see `subsets`. Required images are always present.

    Returns:
        JSON-serializable dict, with None for undefined values: `models`, {row: {head: scores}} in the order model, its
        subsets, baselines, majority; `skipped`, the examples left out of `batches` and `train`, with a reason each; and
        `files`, names of the pictures in `out_dir`.

    Raises:
        ValueError: a label, an input or an output is missing, or the name of a baseline is taken.

    Example:

    >>> import keras, numpy as np
    >>> from mmkeras import evaluate, heads
    >>> x = keras.Input((1,), name="x")
    >>> price = heads.regression("price")
    >>> model = keras.Model({"x": x}, {"price": x * 2})
    >>> batches = [({"x": np.array([[1.0], [2.0]], "float32")}, {"price": np.array([[2.0], [3.0]])})]
    >>> found = evaluate.report(model, batches, [price], train={"price": [3.0, 5.0]})
    >>> found["models"]["model"]["price"]["mae"], found["models"]["majority"]["price"]["mae"]
    (0.5, 1.5)
    """
    heads = heads_of(model, heads)
    every = {name: (model, ())} | _subset_rows(name, model, specs or [])
    _check_rows(every, baselines or {})
    every |= {row: (each, ()) for row, each in (baselines or {}).items()}
    labels, outputs, weights = predict_each(every, batches, heads)
    rows = {row: _scores(heads, labels, found, weights) for row, found in outputs.items()}
    kept = labels, outputs[name], weights
    out_dir = out_dir if cluster().is_chief else None  # only the chief of several workers writes
    if train is not None:
        rows["majority"] = _majority_row(heads, train, *kept)
    files = [] if out_dir is None else _draw(heads, *kept, rows[name], out_dir)
    skipped = dict.fromkeys(str(fault) for part in (train, batches) for fault in getattr(part, "skipped", ()))
    found = as_json({"models": rows, "skipped": list(skipped), "files": files})
    if out_dir is not None:
        text = json.dumps(found, indent=2, ensure_ascii=False, allow_nan=False)
        (Path(out_dir) / "report.json").write_text(text + "\n", encoding="utf-8")
    return found


def table(report: Mapping[str, Any], *, published: Mapping[str, Any] | None = None) -> Table:
    """A `rich.table.Table` of a report, with a row for each model and the best value of each column in bold.

    Args:
        report: what `report` returned, or the content of `report.json`.
        published: published results to show below: dict, row -> {head: {score: number}}, of which some may be missing.
            They are not considered for the best value.

    Example:

    >>> score = {"kind": "regression", "mae": 0.5, "rmse": 0.75, "r2": None}
    >>> shown = table({"models": {"model": {"price": score}}}, published={"Smith 2020": {"price": {"mae": 0.6}}})
    >>> [column.header for column in shown.columns]
    ['', 'price\\nMAE', 'price\\nRMSE', 'price\\nR²']
    """
    rows = report["models"]
    first = next(iter(rows.values()))
    headings = {head: kind_of(found["kind"]).columns(found) for head, found in first.items()}
    columns = [(head, *column) for head, found in headings.items() for column in found.items()]
    best = {(head, key): _best(key, [row[head][key] for row in rows.values()]) for head, _, key in columns}
    weighted = any(found.get("weighted") for row in rows.values() for found in row.values())
    caption = ["Scores are weighted by the sample weights."] if weighted else []
    caption += [f"{found['unknown']} unit(s) in the texts of '{head}' are not in its vocabulary: no answer has them."
                for head, found in first.items() if found.get("unknown")]  # fmt: skip
    shown = Table("", *(f"{head}\n{heading}" for head, heading, _ in columns), caption="\n".join(caption) or None)
    for name, row in rows.items():
        shown.add_row(name, *(_cell(row[head], key, best[head, key]) for head, _, key in columns))
    if "means" in report:
        shown.add_row("mean of the folds", *(_mean(report["means"][head].get(key)) for head, _, key in columns))
    for name, row in (published or {}).items():
        shown.add_row(f"published: {name}", *(_figure(row.get(head, {}).get(key)) for head, _, key in columns))
    return shown


def _check_rows(rows, baselines):
    taken = sorted({*rows, "majority"} & set(baselines))
    if taken:
        raise ValueError(
            f"A baseline needs a name that no other row of the report has. Received: {taken}. Rename them."
        )


def _subset_rows(name, model, specs):
    """Dict, row -> (model, names of the masks of absent modalities)."""
    found = {}
    for absent in subsets(specs):
        present = " + ".join(spec.name for spec in specs if spec.name not in absent)
        found[f"{name}: {present}"] = model, mask_names(specs, absent)
    return found


def _scores(heads, labels, outputs, weights):
    return {h.name: scores(h, labels[h.name], outputs[h.name], weights=weights and weights[h.name]) for h in heads}


def _majority_row(heads, train, labels, outputs, weights):
    constant = majority_baseline(heads, train)
    every = {name: np.broadcast_to(value, (len(outputs[name]), *np.shape(value))) for name, value in constant.items()}
    return _scores(heads, labels, every, weights)


def _draw(heads, labels, outputs, weights, found, out_dir):
    Path(out_dir).mkdir(parents=True, exist_ok=True)
    files = []
    for head in heads:
        every = weights and weights[head.name]
        files += kind_of(head.kind).draw(head, labels[head.name], outputs[head.name], found[head.name], out_dir, every)
    return files


def as_json(value):
    """Replaces NaN and infinities by None, because JSON cannot represent them."""
    if isinstance(value, dict):
        return {key: as_json(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(part) for part in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _best(key, values):
    values = [value for value in values if value is not None]
    if len(values) < 2:
        return None
    return min(values) if key in ("mae", "rmse", "log_loss", "wer", "cer") else max(values)


def _cell(found, key, best):
    if found[key] is None:
        return "-"
    text = f"{found[key]:.4g}" if key in ("mae", "rmse", "r2") else f"{found[key]:.3f}"
    text = f"[bold]{text}[/bold]" if found[key] == best else text
    if f"{key}_interval" in found:
        low, high = found[f"{key}_interval"]
        text += f" ({low:.3f}-{high:.3f})"
    return text


def _mean(found):
    if not found or found["mean"] is None:
        return "-"
    low, high = found["interval"]
    return f"{found['mean']:.3g} ({low:.3g} to {high:.3g})"


def _figure(value):
    return "-" if value is None else f"{value:.4g}"
