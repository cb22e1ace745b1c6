"""Where a model is worse: scores by the values of any column, and rates by group."""

import numpy as np
import pandas as pd
from scipy import stats

from mmkeras.checks import did_you_mean
from mmkeras.evaluate.intervals import of_mean
from mmkeras.evaluate.kinds import lower_is_better, per_example

_BINS, _MOST, _LEAST = 4, 20, 5


def slices(head, labels, outputs, frame, columns=None, *, level=0.95):
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
            f"The table has a row for each example. Received: {len(frame)} rows, {n} examples. Give the frame of the "
            "raw examples that were predicted, in their order."
        )
    unknown = [f"{name!r} {did_you_mean(name, frame.columns)}".strip() for name in columns or ()
               if name not in frame.columns]  # fmt: skip
    if unknown:
        raise ValueError(f"Slices are by columns of the table. Received: {unknown}. Columns: {list(frame.columns)}.")


def _columns(frame, columns):
    if columns is not None:
        return columns
    return [name for name in frame.columns if _number(frame[name]) is not None or 2 <= _count(frame[name]) <= _MOST]


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


def fairness(head, labels, outputs, group):
    """Rates of each group, and the largest gap of each rate between groups.

    Args:
        head: a classification head.
        labels: encoded, (n,) or (n, N).
        outputs: probabilities (n, N).
        group: (n,) values, such as a column of the raw table.

    Returns:
        Dict, class -> {"groups": {value: {"examples", "selected", "true_positive", "false_positive", "precision"}},
        "gaps": {rate: largest minus smallest}}; a rate that is not defined in a group is None, and left out of its gap.
        The gap of "selected" is the demographic parity difference; the larger one of "true_positive" and
        "false_positive" is the equalized odds difference. Of two classes, only the second one is listed.

    Raises:
        ValueError: another kind of head, or `group` has another length.

    Source: Hardt et al., Equality of Opportunity in Supervised Learning, arXiv 1610.02413, definitions 2.1 and 2.2.

    >>> from mmkeras import heads
    >>> loan = heads.classification("loan", classes=["no", "yes"])
    >>> found = fairness(loan, [1, 1, 0, 1], [[0, 1], [0, 1], [1, 0], [1, 0]], ["a", "a", "b", "b"])
    >>> found["yes"]["gaps"]["selected"], found["yes"]["groups"]["b"]["true_positive"]
    (1.0, 0.0)
    """
    if head.kind != "classification" or len(group) != len(labels):
        raise ValueError(
            f"Rates by group are of a classification, with one group for each example. Received: a head of kind "
            f"{head.kind!r}, {len(group)} groups, {len(labels)} labels. "
            "For other heads, evaluate.slices gives the gaps."
        )
    answers = np.asarray(head.chosen(np.asarray(outputs, "float32")))
    truth = np.asarray(labels) > 0 if head.multi_label else np.eye(len(head.classes), dtype=bool)[np.asarray(labels)]
    answers = answers.astype(bool) if head.multi_label else np.eye(len(head.classes), dtype=bool)[answers]
    listed = [1] if len(head.classes) == 2 and not head.multi_label else range(len(head.classes))
    group = np.asarray(group).astype(str)
    return {head.classes[i]: _rates_by(truth[:, i], answers[:, i], group) for i in listed}


def _rates_by(truth, answers, group):
    groups = {str(name): _rates(truth[group == name], answers[group == name]) for name in np.unique(group)}
    gaps = {}
    for rate in ("selected", "true_positive", "false_positive", "precision"):
        known = [found[rate] for found in groups.values() if found[rate] is not None]
        gaps[rate] = max(known) - min(known) if len(known) > 1 else None
    return {"groups": groups, "gaps": gaps}


def _rates(truth, answers):
    return {
        "examples": len(truth),
        "selected": _share(answers),
        "true_positive": _share(answers[truth]),
        "false_positive": _share(answers[~truth]),
        "precision": _share(truth[answers]),
    }


def _share(values):
    return float(values.mean()) if len(values) else None
