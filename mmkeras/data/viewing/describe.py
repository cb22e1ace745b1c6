"""Summary statistics of a data set: counts, lengths, sizes and frequencies."""

import collections

import numpy as np

from mmkeras.data.modalities import kind_of
from mmkeras.data.modalities.base import UNREAD
from mmkeras.data.viewing import page


class Description:
    """What `Examples.describe` found; it prints as a table, and a notebook shows it as one.

    Attributes:
        rows: how many there are.
        duplicates: how many of them have the inputs of a row before.
        columns: dict, raw name -> dict: `kind`, `present`, `missing`, `distinct`, `measured` (of how many values) and
            `measures`: dict, what is measured -> {"min", "median", "max", "mean"} of numbers, {text: count} of texts.
        labels: dict, head name -> dict: `kind`, `present`, `missing`, and `classes`, {name: count}, or `values`, a list
            of {"min", "median", "max", "mean"}.
    """

    def __init__(self, rows, duplicates, columns, labels):
        self.rows, self.duplicates, self.columns, self.labels = rows, duplicates, columns, labels

    def _lines(self):
        """Tuples (name, kind, count, summary)."""
        for name, column in self.columns.items():
            part = f"in {column['measured']:,} of {column['present']:,}: "
            told = "; ".join(_measure(*each) for each in column["measures"].items())
            sampled = part if column["measured"] < column["present"] and told else ""
            distinct = f"{column['distinct']:,} different"
            yield name, column["kind"], _present(self.rows, column), "; ".join(filter(None, [distinct, sampled + told]))
        for name, label in self.labels.items():
            found = [_counts(label["classes"], 20)] if "classes" in label else map(_range, label.get("values", []))
            yield name, label["kind"], _present(self.rows, label), "; ".join(found)

    def _title(self):
        same = f"{self.duplicates:,}" if self.duplicates else "none"
        return f"{self.rows:,} rows, {same} of which have the inputs of a row before"

    def __repr__(self):
        lines = [["", "kind", "present", "what is in it"], *self._lines()]
        wide = [max(len(line[i]) for line in lines) for i in range(3)]
        padded = ["  ".join([*(cell.ljust(size) for cell, size in zip(line, wide, strict=False)), line[3]])
                  for line in lines]  # fmt: skip
        return "\n".join([self._title(), *padded])

    def _repr_html_(self):
        cells = [[page.text(cell, 2000) for cell in line] for line in self._lines()]
        shown = page.table(["", "kind", "present", "what is in it"], cells, "wide")
        return page.View(page.text(self._title()) + shown, "a description").html


def describe(raw, sample, seed):
    """As `Examples.describe`."""
    columns, places = {}, []
    for spec in raw.specs:
        for name in spec.raw:
            if name in raw.table:
                columns[name], place = _column(spec, name, raw.table[name], sample, seed)
                places.append(place)
    labels = {head.name: _labels(head, raw.table[head.name]) for head in raw.heads if head.name in raw.table}
    rows = len(raw.frame)
    distinct = len(np.unique(np.stack(places, axis=1), axis=0)) if places else rows
    return Description(rows, rows - distinct, columns, labels)


def _column(spec, name, values, sample, seed):
    """Summary of a column, and one number per row that is equal for equal values."""
    kind = kind_of(spec)
    there = np.flatnonzero(~kind.absent(values))
    keys = [value.tobytes() if isinstance(value, np.ndarray | np.generic) else value for value in values]
    known = {}
    place = np.fromiter((known.setdefault(key, len(known)) for key in keys), "int64", len(keys))
    chosen = there
    if getattr(kind, "media", False) and len(there) > sample:
        chosen = np.sort(np.random.default_rng(seed).choice(there, sample, replace=False))
    measured = kind.measured(spec, name, values[chosen]) if len(chosen) else {}
    return {
        "kind": spec.kind,
        "present": len(there),
        "missing": len(values) - len(there),
        "distinct": len(np.unique(place[there])),
        "measured": len(chosen),
        "measures": {what: _summary(found) for what, found in measured.items() if len(found)},
    }, place


def _summary(values):
    if isinstance(values[0], str):
        return dict(collections.Counter(values).most_common())
    values = np.asarray(values, "float64")
    found = {"min": values.min(), "median": np.median(values), "max": values.max(), "mean": values.mean()}
    return {key: float(value) for key, value in found.items()}


def _labels(head, labels):
    there = labels[np.asarray(head.labelled(labels))]
    found = {"kind": head.kind, "present": len(there), "missing": len(labels) - len(there)}
    if head.classes:
        counts = np.asarray(head.averageable(there), "float64").sum(axis=0) if len(there) else np.zeros(head.width)
        return found | {"classes": {name: int(count) for name, count in zip(head.classes, counts, strict=True)}}
    numbers = there.dtype.kind == "f" and there.ndim == 2 and len(there)
    return found | ({"values": [_summary(column) for column in there.T]} if numbers else {})


def _present(rows, column):
    missing = column["missing"]
    return f"{column['present']:,}" + (f", {missing:,} missing ({missing / rows:.1%})" if missing else "")


def _measure(what, found):
    if "median" in found:
        return f"{what} {_range(found)}"
    if what == UNREAD:
        return f"{sum(found.values()):,} cannot be read, such as: {next(iter(found))}"
    return f"{what} {_counts(found, 6)}"


def _range(found):
    if found["min"] == found["max"]:
        return _number(found["min"])
    return f"{_number(found['min'])} to {_number(found['max'])} (median {_number(found['median'])})"


def _number(value):
    return f"{value:,.0f}" if float(value).is_integer() and abs(value) < 1e15 else f"{value:,.4g}"


def _counts(found, most):
    listed = [f"{name} {count:,}" for name, count in list(found.items())[:most]]
    return ", ".join(listed) + (f" and {len(found) - most:,} more" if len(found) > most else "")
