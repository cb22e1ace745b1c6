"""All columns of a table: what each one is, which become inputs, and how the rows are divided."""

import re
from typing import NamedTuple

import numpy as np

from mmkeras.checks import did_you_mean, plain
from mmkeras.cli.new import files, kinds, labels, places
from mmkeras.cli.new.kinds import Column
from mmkeras.cli.new.labels import Label
from mmkeras.cli.new.tables import Tables

PARTS = {
    "train": ("train", "training", "tr", "learn"),
    "valid": ("valid", "val", "validation", "dev", "development"),
    "test": ("test", "testing", "te", "eval", "evaluation"),
}
_MOST_TEXTS = 4


class Found(NamedTuple):
    """Columns in the order of the table, then made ones; labels; the column of groups, or None; lines of advice."""

    columns: list[Column]
    labels: list[Label]
    group: str | None
    notes: list[str]


def look(tables: Tables, label_names, *, task=None, drop=(), group=None, patterns=()) -> Found:
    """Looks at every column.

    Raises:
        ValueError: an option names no column, a label is none that can be predicted, files are broken, or nothing is
            left to learn from.
    """
    frame = tables.frame
    _check_names(frame, drop, group)
    made = [files.pattern(text, list(frame.columns)) for text in patterns]
    around = places.places(tables.folder)
    found = [labels.look(name, frame[name], task) for name in label_names]
    taken = {*label_names, *(each.name for each in made)}
    columns = [_column(name, frame, tables, around, drop) for name in frame.columns if name not in taken]
    _name_files(columns, made)
    columns += [_made(each, frame, tables, around) for each in made]
    _choose_split(columns, tables)
    _leave_out_new(columns, tables)
    labels.leave_out(columns, frame, found)
    _limit_texts(columns)
    own = frame[: len(tables.frames["train"])]  # files of other parts may lie elsewhere
    notes = _advice(columns, own, around, made)
    _check_inputs(columns, notes)
    if _is_divided(columns, tables):
        notes += [f"To test on the latest rows instead: mm.data.split(..., order={each.name!r})."
                  for each in columns if each.kind == "date"]  # fmt: skip
        group = _grouped(columns, frame, group, notes)
    elif group is not None:
        notes.append(
            f"--group {group!r} is not needed: the parts to learn from, to validate and to test are all given."
        )
    return Found(columns, found, group, notes)


def _check_inputs(columns, notes):
    if not any(column.is_input for column in columns):
        reasons = "".join(f"\n  {column.name}: {column.why}" for column in columns)
        raise ValueError(f"No column is left to learn from. Received: {reasons}\n" + "\n".join(notes))


def _check_names(frame, drop, group):
    for option, names in (("--drop", drop), ("--group", [group] if group else [])):
        for name in names:
            if name not in frame:
                near = did_you_mean(name, frame.columns)
                raise ValueError(f"{option} names a column. Received: {name!r}. {near} Columns: {list(frame.columns)}.")
    if group and frame[group].isna().any():
        lacking = int(frame[group].isna().sum())
        raise ValueError(f"Every row needs a group. Received: {lacking} row(s) without a value in column {group!r}.")


def _column(name, frame, tables, around, drop):
    values = frame[name]
    if name in drop:
        return Column(name, "out", "dropped by --drop")
    # By the table to learn from: in others, ids may begin anew, and files lie elsewhere.
    own = values[: len(tables.frames["train"])]
    found = _parts_of(name, values) or _files(name, values, own, tables, around) or kinds.look(name, own)
    found.missing = int(values.isna().sum())
    if found.kind == "text":
        found.missing += int(values.isin(found.facts.get("absent", [])).sum())
    return found


def _parts_of(name, values):
    """A column that says which part or fold a row belongs to."""
    there = values.dropna()
    if len(there) < len(values) or not len(there) or not isinstance(there.iloc[0], str):
        return None
    parts = {value: _part(value) for value in there.unique()} if there.nunique() < 8 else {}
    if len(set(parts.values())) > 1 and "train" in parts.values() and None not in parts.values():
        shown = ", ".join(f"{value} {count:,}" for value, count in there.value_counts().items())
        return Column(name, "split", f"parts: {shown}", {"parts": parts})
    if re.search(r"(?:^|_)folds?$", name.lower()) and 2 < there.nunique() <= 20 and there.str.fullmatch(r"\d+").all():
        last = max(there, key=int)
        return Column(name, "fold", f"{there.nunique()} folds, of which {last} is for the test", {"last": last})
    return None


def _part(value):
    return next((part for part, words in PARTS.items() if value.strip().lower() in words), None)


def _files(name, values, own, tables, around):
    found = files.look(name, own, tables.folder, around, tables.names["train"])
    return _in_parts(found, values, tables) if found is not None else None


def _made(made, frame, tables, around):
    values = made.values(frame)
    rows = len(tables.frames["train"])
    found = files.look(made.name, values[:rows], tables.folder, around, tables.names["train"], made)
    if found is None:
        raise ValueError(f"--files must name files. Received: {made.name}, for which no row has a name.")
    return _in_parts(found, values, tables)


def _name_files(columns, made):
    fields = {field: each.name for each in made for field in each.fields}
    for column in columns:
        if column.name in fields:
            column.kind, column.why, column.facts = "out", f"names the files of '{fields[column.name]}'", {}


def _in_parts(column, values, tables):
    """Whether the files of the other tables are there, too; `facts["roots"]` says where."""
    if column.kind == "out":
        return column
    column.facts["roots"] = roots = {"train": column.facts["root"]}
    start = 0
    for part, frame in tables.frames.items():
        own, start = values[start : start + len(frame)].dropna(), start + len(frame)
        if part != "train":
            roots[part] = _root_of(column, own, part, tables)
    return column


def _root_of(column, values, part, tables):
    root = column.facts["root"]
    words = tables.words
    places_ = [root.replace(words["train"], words[part], 1)] if part in words else []
    for each in [*places_, root]:
        place = places.place(tables.folder, each)
        if place is not None and all(value in place for value in values[:200]):
            return each
    raise ValueError(
        f"The files of '{column.name}' must exist for every table. Received: {tables.names[part]}, whose "
        f"{plain(values.iloc[0])!r} is in none of {[*places_, root]}."
    )


def _choose_split(columns, tables):
    """One column divides the rows at most; none where the parts are tables of their own."""
    chosen = None if len(tables.frames) > 1 else _best([each for each in columns if each.kind in ("split", "fold")])
    for column in columns:
        if column.kind in ("split", "fold") and column is not chosen:
            column.kind, column.why = "out", f"says which part a row belongs to ({column.why})"


def _best(columns):
    order = sorted(columns, key=lambda each: (each.kind != "split", each.name.lower() != "split"))
    return order[0] if order else None


def _leave_out_new(columns, tables):
    """Leaves out categories whose values in the test part are others than in the part to learn from.

    vqa-rad has phrase_type "freeform" or "para" to learn from, "test_freeform" or "test_para" to test on.
    """
    split, frame = next((each for each in columns if each.kind == "split"), None), tables.frame
    if split is None:
        part = np.repeat(list(tables.frames), [len(each) for each in tables.frames.values()])
    else:
        part = frame[split.name].map(split.facts["parts"]).to_numpy()
    for column in columns:
        if column.kind == "category":
            values, known = frame[column.name][part == "test"].dropna(), frame[column.name][part == "train"]
            if len(values) and values.isin(known).mean() < 0.1:
                why = (
                    f"its values in the test part, such as {plain(values.iloc[0])!r}, are not in the part to learn from"
                )
                column.kind, column.why = "out", why


def _limit_texts(columns):
    texts = [column for column in columns if column.kind == "text"]
    for column in texts[_MOST_TEXTS:]:
        column.kind, column.why = "out", f"one of many texts ({len(texts)}), of which {_MOST_TEXTS} are taken"


def _is_divided(columns, tables):
    """Whether the script divides rows at random, since the parts are not all given."""
    parts = {
        *tables.frames,
        *(part for each in columns if each.kind == "split" for part in each.facts["parts"].values()),
    }
    return not {"valid", "test"} <= parts


def _grouped(columns, frame, group, notes):
    if group is None:
        group = next((name for each in columns if (name := _shared(each, frame))), None)
        if group:
            notes.append(f"Rows that share a file of {group!r} stay in one part; --group COLUMN says otherwise.")
        others = [repr(each.name) for each in columns if each.kind == "out" and each.groups]
        if others:
            notes.append(f"Do rows belong together? --group keeps them in one part: {', '.join(others)}.")
    return group


def _shared(column, frame):
    """The column by which rows share a file, if this one is of files and some do."""
    made = column.facts.get("made")
    name = column.name if made is None else made.fields[0] if len(made.fields) == 1 else None
    return name if column.is_input and column.groups and not column.missing and name in frame else None


def _advice(columns, frame, around, made):
    notes = [f"To take in '{each.name}': {each.facts['hint']}" for each in columns if "hint" in each.facts]
    if not made:
        found = files.hints(columns, frame, around)
        notes += [f"Files whose names hold a column: {option}" for option in found]
    return notes
