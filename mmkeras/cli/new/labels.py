"""The labels: what kind of answer they ask for, and which columns give them away."""

import dataclasses
import re

import numpy as np
import pandas as pd

from mmkeras.checks import plain
from mmkeras.cli.new.kinds import Column, numbers_of, words

_CLEAR, _NEAR = 0.97, 0.6  # share of the errors of a constant answer that a column alone avoids


@dataclasses.dataclass
class Label:
    """What is predicted.

    Attributes:
        column: its name in the table.
        task: "classification", "multi-label" or "regression".
        classes: their names, in order.
        why: what was seen.
        missing: rows without it.
        constant: score of a constant answer: the share of the most frequent class, or the standard deviation.
        lists: whether several classes are given as a list, not joined by "|".
        lower: whether classes are told apart in lower case only, since some are spelled in several ways, "Yes", "yes".
    """

    column: str
    task: str
    classes: list
    why: str
    missing: int
    constant: float
    lists: bool = False
    lower: bool = False

    def as_class(self, values: pd.Series) -> pd.Series:
        """Values of the column as classes are told apart."""
        texts = values.astype(str)
        return texts.str.strip().str.lower() if self.lower else texts


def look(name: str, values: pd.Series, task: str | None) -> Label:
    """Looks at a column of labels.

    Raises:
        ValueError: it is free text, it never varies, or it holds no numbers although the task is regression.
    """
    there, lists = values.dropna(), any(isinstance(value, list) for value in values)
    if lists:
        there, task = there.map(lambda value: "|".join(map(str, value))), "multi-label"
    there = there.astype(str).str.strip()
    missing = len(values) - len(there)
    if there.nunique() < 2:
        raise ValueError(
            f"A label needs two different values or more. Received: --label {name!r}, {there.nunique()} different "
            "value(s)."
        )
    numbers = numbers_of(there)
    task = task or _task(name, there, numbers)
    if task == "regression":
        return _regression(name, there, numbers, missing)
    return _classification(name, there, task, missing, lists)


def _classification(name, there, task, missing, lists):
    each = there.map(lambda value: value.split("|")) if task == "multi-label" else there
    counts = each.explode().str.strip().value_counts().drop("", errors="ignore")
    lower = task == "classification" and _is_spelled_variously(counts.index)
    if lower:
        spellings, counts = len(counts), there.str.lower().value_counts()
    if task == "classification" and len(counts) > len(there) / 2:
        raise ValueError(
            f"Each class needs several rows. Received: --label {name!r}, {len(counts):,} different values in "
            f"{len(there):,} rows, such as {plain(there.iloc[0])!r}. For texts as answers see recipes/captions.py; for "
            "numbers give --task regression."
        )
    order = pd.to_numeric(counts.index, errors="coerce")
    classes = [counts.index[i] for i in np.argsort(order)] if order.notna().all() else sorted(counts.index)
    share = counts.iloc[0] / len(there)
    once = int((counts == 1).sum())
    why = f"{len(counts)} classes; the most frequent, {plain(counts.index[0])!r}, has {share:.1%} of the rows"
    why += f"; {once} have one row only, which cannot be learned and tested" if once else ""
    why += f"; {spellings - len(counts)} further spellings differ in upper and lower case only" if lower else ""
    return Label(name, task, classes, why, missing, share, lists, lower)


def _is_spelled_variously(classes):
    """Whether some words differ in upper and lower case only; letters may be told apart by it."""
    spellings = pd.Series(classes).groupby(classes.str.lower()).count()
    return bool((spellings > 1).any()) and bool((spellings[spellings > 1].index.str.len() > 1).all())


def _task(name, there, numbers):
    distinct = there.nunique()
    if numbers is not None and not numbers[1]:
        whole = bool((numbers[0] % 1 == 0).all())
        named = re.search(r"(?:^|[\W_])(?:id|class|code)$", name, re.IGNORECASE)
        return "classification" if distinct <= (20 if whole else 10) or (whole and named) else "regression"
    joined = there.str.contains("|", regex=False)
    parts = there.str.split("|").explode().str.strip().nunique()
    return "multi-label" if joined.mean() > 0.1 and parts < distinct else "classification"


def _regression(name, there, numbers, missing):
    if numbers is None or numbers[1]:
        wrong = there[pd.to_numeric(there, errors="coerce").isna()].iloc[0]
        raise ValueError(f"Regression needs numbers. Received: --label {name!r}, which holds {wrong!r}.")
    found = numbers[0]
    why = f"a number, {found.min():,.4g} to {found.max():,.4g}, mean {found.mean():,.4g}"
    return Label(name, "regression", [], why, missing, float(found.std()))


def leave_out(columns: list[Column], frame: pd.DataFrame, labels: list[Label]) -> None:
    """Turns columns that give a label away into such that are left out."""
    for label in labels:
        there = frame[label.column].notna()
        truth = label.as_class(frame.loc[there, label.column])
        for column in columns:
            if column.kind in ("number", "category", "text") and column.name in frame:
                reason = _gives_away(column, frame.loc[there, column.name], truth, label)
                if reason:
                    column.kind, column.why = "out", reason


def _gives_away(column, values, truth, label):
    if column.kind == "text":
        return _in_text(values, truth, label)
    if label.task == "regression":
        return _same_number(column, values, truth, label)
    distinct = values.nunique()
    solved = gain(values, truth)
    if solved >= _CLEAR:
        return f"gives '{label.column}' away: each of its {distinct} values goes with one label"
    if solved >= _NEAR and distinct <= min(30, len(values) / 20):
        right = solved + (1 - solved) * label.constant
        return f"nearly gives '{label.column}' away: its {distinct} values alone tell {right:.1%} of the labels"
    return None


def gain(values: pd.Series, truth: pd.Series) -> float:
    """Share of the errors of the most frequent label that is avoided by the most frequent label of each value.

    Each row is judged by the other rows of its value, so that a value that is there once tells nothing.
    """
    cells = pd.DataFrame({"value": values.fillna(""), "label": truth}).value_counts().reset_index(name="count")
    cells = cells.sort_values("count", ascending=False, kind="stable")
    rank = cells.groupby("value").cumcount()
    best = cells.groupby("value")["count"].transform("first")
    second = cells["value"].map(cells[rank == 1].set_index("value")["count"]).fillna(0)
    other = np.where(rank == 0, second, best)
    accuracy = cells["count"][cells["count"] - 1 > other].sum() / cells["count"].sum()
    constant = truth.value_counts(normalize=True).iloc[0]
    return (accuracy - constant) / (1 - constant)


def _same_number(column, values, truth, label):
    if column.kind != "number":
        return None
    pair = pd.DataFrame({"value": pd.to_numeric(values, errors="coerce"), "label": pd.to_numeric(truth)}).dropna()
    same = abs(pair["value"].corr(pair["label"])) if len(pair) > 10 else 0
    return f"gives '{label.column}' away: it is the same number on another scale" if same > 0.9999 else None


def _in_text(values, truth, label):
    """A sentence that holds the label, "bin blue at f two now" of "blue", and not the labels of other rows as often."""
    if label.task != "classification" or not any(re.search("[^\\W\\d]", each) for each in label.classes):
        return None
    sample = pd.DataFrame({"text": values, "label": truth}).dropna()
    sample = sample.sample(min(len(sample), 2000), random_state=0)
    texts = [_spaced(text) for text in sample["text"]]
    labels = [_spaced(each) for each in sample["label"]]
    share = np.mean([each in text for each, text in zip(labels, texts, strict=True)]) if len(sample) else 0
    others = np.mean([each in text for each, text in zip(labels[1:] + labels[:1], texts, strict=True)])
    if share > 0.95 and others < 0.7:
        return f"gives '{label.column}' away: its text holds the label in {share:.0%} of the rows"
    return None


def _spaced(text):
    return f" {' '.join(words(text.lower()))} "
