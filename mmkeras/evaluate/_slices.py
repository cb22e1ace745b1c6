"""Where a model is worse: scores by the values of any column."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from mmkeras.checks import suggested
from mmkeras.evaluate.intervals import of_mean
from mmkeras.evaluate.kinds import lower_is_better, per_example
from mmkeras.heads import Head

_BINS, _MOST, _LEAST = 4, 20, 5


def slices(
    head: Head,
    labels: Any,
    outputs: Any,
    *,
    frame: pd.DataFrame,
    columns: Sequence[str] | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Main score by the values of columns of the raw table, worst slices first.

    Numbers with many values are cut at their quartiles. With m slices, each interval is that of 1 - (1 - level) / m
    (Bonferroni), so that all of them hold at once; `p`, of a slice against the rest (Welch's t test), is corrected by
    Benjamini and Hochberg, so that of the slices below 0.05 one in twenty is expected to be chance.

    Args:
        head: a head.
        labels, outputs: of n examples, as `predict` gives them in the order of the table.
        frame: `pandas.DataFrame` of n rows (`raw.frame`); its columns need not be inputs.
        columns: names; None for all with 2 to 20 values, and all numbers.
        level: of all intervals together.

    Returns:
        `pandas.DataFrame`: column, value, examples, score, low, high, gap (to the rest, below 0 it is worse), p. Slices
        of fewer than 5 examples are left out.

    Raises:
        ValueError: no such column, or another number of rows.

    Source: Chung et al., Slice Finder, arXiv 1807.06068; Benjamini and Hochberg, JRSS B 57 (1995).
    """
    _check(frame, columns, len(labels))
    each = per_example(head, labels, outputs)
    sign = -1.0 if lower_is_better(head) else 1.0
    found = [(column, value, rows) for column in _columns(frame, columns) for value, rows in _parts(frame[column])]
    found = [part for part in found if _LEAST <= part[2].sum() < len(each)]
    own = 1 - (1 - level) / max(len(found), 1)
    rows = [_row(column, value, each[rows], each[~rows], sign, own) for column, value, rows in found]
    names = ["column", "value", "examples", "score", "low", "high", "gap", "p"]
    table = pd.DataFrame(rows, columns=names)
    if len(table):
        table["p"] = stats.false_discovery_control(table["p"])
    return table.sort_values("gap", ignore_index=True)


def _row(column, value, own, rest, sign, level):
    low, high = of_mean(own, level)
    constant = np.ptp(own) == 0 and np.ptp(rest) == 0
    p = float(own.mean() == rest.mean()) if constant else stats.ttest_ind(own, rest, equal_var=False).pvalue
    return column, value, len(own), own.mean(), low, high, sign * (own.mean() - rest.mean()), p if p == p else 1.0


def _check(frame, columns, n):
    if len(frame) != n:
        raise ValueError(
            f"The table needs one row per example. Received: {len(frame)} rows, {n} examples. Give the frame of the "
            "raw examples that were predicted, in their order."
        )
    unknown = suggested([name for name in columns or () if name not in frame.columns], frame.columns)
    if unknown:
        raise ValueError(f"Slices need columns of the table. Received: [{unknown}]. Columns: {list(frame.columns)}.")
    files = [name for name in columns or () if _bytes(frame[name])]
    if files:
        raise ValueError(
            f"Slices need columns of texts or numbers. Received: {files}, which hold bytes. Leave them out."
        )


def _columns(frame, columns):
    if columns is not None:
        return columns
    usable = [name for name in frame.columns if not _bytes(frame[name])]
    return [name for name in usable if _number(frame[name]) is not None or 2 <= _count(frame[name]) <= _MOST]


def _bytes(column):
    """Whether a column holds the content of files."""
    return column.dtype == object and any(isinstance(value, bytes) for value in column)


def _count(column):
    return column.astype(str).nunique()


def _number(column):
    """The column as numbers, where it holds many of them; None for categories."""
    numbers = pd.to_numeric(column, errors="coerce")
    return numbers if numbers.notna().mean() > 0.5 and numbers.nunique() > 10 else None


def _parts(column):
    """Pairs of a value, or a range, and which rows have it."""
    numbers = _number(column)
    if numbers is not None:
        values = pd.qcut(numbers, _BINS, duplicates="drop").astype(object).where(numbers.notna(), "missing")
    else:
        values = column.astype(object).where(column.notna() & (column.astype(str) != ""), "missing")
    values = values.astype(str).to_numpy()
    names, counts = np.unique(values, return_counts=True)
    kept = names[np.argsort(-counts, kind="stable")[:_MOST]]
    return [(name, values == name) for name in kept]
