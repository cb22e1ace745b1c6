"""Importance of the columns of a table."""

from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np

from mmkeras.data.progress import shown_if_slow
from mmkeras.evaluate._predict import predict
from mmkeras.evaluate.kinds import lower_is_better, main_score
from mmkeras.heads import Head, heads_of


def column_importance(
    model: keras.Model,
    batches: Iterable[Any],
    heads: Sequence[Head] | None = None,
    *,
    table: str,
    repeats: int = 3,
    seed: int = 0,
    verbose: bool = True,
) -> dict[str, dict[str, list[float]]]:
    """Permutation importance of the columns of a table: how much worse the main score gets where one is shuffled.

    A value is exchanged with that of another example, together with whether it is there. Columns that say the same
    cover for each other, and look less important than they are. The parts of a date are columns of their own.

    Args:
        model: model of a builder of this package.
        batches: labelled batches, to be gone through several times; two examples or more.
        heads: list of heads; None for those of the model.
        table: name of a `mm.Table` of the model.
        repeats: how often each column is shuffled.
        seed: of the shuffling.
        verbose: show a progress bar.

    Returns:
        Dict, head name -> {column: [mean, standard deviation]}, of the loss of the main score, most important first:
        above 0 the column is of use, whether the main score is an accuracy or an error.

    Raises:
        ValueError: the model has no such table.

    Source: Breiman, Random Forests (2001), section 10; Fisher et al., arXiv 1801.01489.
    """
    heads, spec = heads_of(model, heads), _table(model, table)
    rows, masks = (np.concatenate([np.asarray(x[name]) for x, *_ in batches]) for name in spec.ready)
    labels, outputs, weights = predict(model, batches, heads, with_weights=True)
    before = _scores(heads, labels, outputs, weights)
    rng = np.random.default_rng(seed)
    drops = {head.name: {column: [] for column in spec.columns} for head in heads}
    turns = [(i, column) for i, column in enumerate(spec.columns) for _ in range(repeats)]
    for i, column in shown_if_slow(turns, "Shuffling the columns", len(turns), verbose):
        order, new = rng.permutation(len(rows)), (np.array(rows), np.array(masks))
        for array, old in zip(new, (rows, masks), strict=True):
            array[:, i] = old[order, i]
        after = _scores(
            heads,
            *predict(model, _Exchanged(batches, dict(zip(spec.ready, new, strict=True))), heads, with_weights=True),
        )
        for head in heads:
            change = after[head.name] - before[head.name]
            drops[head.name][column].append(change if lower_is_better(head) else -change)
    return {name: _ranked(found) for name, found in drops.items()}


def _ranked(drops):
    found = {column: [float(np.mean(each)), float(np.std(each))] for column, each in drops.items()}
    return dict(sorted(found.items(), key=lambda item: -item[1][0]))


def tables_of(model):
    """Dict, name -> spec, of the tables among the inputs of a model."""
    return {spec.name: spec for spec in model.specs if spec.kind == "table"}


def _table(model, name):
    tables = tables_of(model)
    if name not in tables:
        raise ValueError(f"table= must name an mm.Table of the model. Received: {name!r}. Its tables: {list(tables)}.")
    return tables[name]


def _scores(heads, labels, outputs, weights):
    found = {}
    for head in heads:
        own = None if weights is None else weights[head.name]
        some = slice(None) if own is None else own > 0
        found[head.name] = main_score(
            head, labels[head.name][some], outputs[head.name][some], own if own is None else own[some]
        )
    return found


class _Exchanged:
    """The same batches with some arrays replaced."""

    def __init__(self, batches, arrays):
        self.batches, self.arrays = batches, arrays

    def __iter__(self):
        start = 0
        for x, *rest in self.batches:
            count = len(next(iter(x.values())))
            yield x | {name: array[start : start + count] for name, array in self.arrays.items()}, *rest
            start += count
