"""The table as it is read, and the parts that lie in tables of their own."""

import bz2
import csv
import gzip
import itertools
import json
import lzma
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from mmkeras.checks import suggested
from mmkeras.specs import as_text

_TRAIN = "train"
_PARTS = {"valid": ("valid", "validation", "val", "dev"), "test": ("test", "eval")}
_ENDINGS = {".csv": "csv", ".tsv": "csv", ".tab": "csv", ".txt": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl",
            ".json": "json"}  # fmt: skip
_OPEN = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
_LINES = 200_000  # that tell whether there are quotes


class Tables(NamedTuple):
    """Tables of the same columns.

    Attributes:
        folder: in which they lie, as given.
        kind: "csv", "jsonl" or "json".
        options: of `pandas.read_csv`, those that differ from what `mm.data.from_csv` says anyway.
        names: part -> name of the file; "train" is the one that was given.
        words: part -> what stands in the place of "train" in names of files, or {} where names are not alike.
        frames: part -> its table as it is.
        columns: names of the columns where the file has no header.
        frame: all rows of all parts, as text; None where nothing is given.
    """

    folder: Path
    kind: str
    options: dict
    names: dict
    words: dict
    frames: dict
    columns: list | None
    frame: pd.DataFrame


def read(path, *, labels, test=None, names=None, sep=None, encoding=None) -> Tables:
    """Reads a table, and those of its other parts.

    Raises:
        ValueError: the file is none of the kinds that are read, its rows are wrong, it lacks a column of labels, or it
            has hardly any rows.
    """
    path = Path(path)
    kind = _kind(path)
    _check_there(path)
    options = _options(path, sep, encoding, names) if kind == "csv" else {}
    frame = _read(path, kind, options, names)
    _check(frame, path, labels)
    others, words = _others(path, test)
    asked = {"train": frame} | ({} if test is None else {"test": _read(Path(test), kind, options, names)})
    beside = {part: _read(other, kind, options, names) for part, other in others.items() if part not in asked}
    frames = asked | {part: each for part, each in beside.items() if _is_alike(each, frame, labels)}
    for part in frames.keys() - {"train"}:
        _check(frames[part], others[part], labels, least=1)
    files = {"train": path.name} | {part: _beside(path, others[part]) for part in frames if part != "train"}
    words = {part: word for part, word in words.items() if part in frames} if len(frames) > 1 else {}
    every = pd.concat([_as_texts(frame) for frame in frames.values()], ignore_index=True)
    return Tables(path.parent, kind, options, files, words, frames, names, every)


def _is_alike(frame, other, labels):
    """Whether a table has the columns of another, and labels, without which nothing is tested."""
    return {*other.columns} <= {*frame.columns} and not frame[labels].isna().all(axis=None)


def _beside(path, other):
    return other.name if other.parent == path.parent else str(other.absolute())


def _kind(path):
    suffixes = [each.lower() for each in path.suffixes if each.lower() not in _OPEN]
    kind = _ENDINGS.get(suffixes[-1]) if suffixes else None
    if kind is None:
        raise ValueError(
            f"The name of a table must end in {', '.join(_ENDINGS)}. Received: {path}. Convert others: "
            "pandas.read_parquet(path).to_csv(...), pandas.read_excel(path).to_csv(...)."
        )
    if kind != "csv" and path.suffix.lower() in _OPEN:
        raise ValueError(f"Only CSV tables may be compressed. Received: {path}. Unpack it.")
    return kind


def _options(path, sep, encoding, names):
    """What `pandas.read_csv` has to be told of this file."""
    with _OPEN.get(path.suffix.lower(), open)(path, "rb") as file:
        lines = [line.decode(encoding or "utf-8", "replace").rstrip("\r\n") for line in itertools.islice(file, _LINES)]
    header = lines[0] if lines else ""
    sep = "\t" if sep == "\\t" else sep  # as a shell passes it on
    if sep is None:
        sep = max("\t,;|", key=lambda each: (header.count(each), each == ","))
        sep = sep if header.count(sep) else ","
    found = {"header": None, "names": list(names)} if names else {}
    found |= {} if sep == "," else {"sep": sep}
    if sep == "\t" and _is_without_quotes(lines):
        found["quoting"] = csv.QUOTE_NONE
    return found | ({"encoding": encoding} if encoding else {})


def _is_without_quotes(lines):
    """Whether quotes are characters like any other: some open that do not close, and each line has all its fields.

    A tab hardly ever stands in a field, so such files are often written without quotes.
    """
    rows = [line.split("\t") for line in lines if line]
    opened = [field for row in rows for field in row if field.startswith('"')]
    closed = [field for field in opened if len(field) > 1 and field.endswith('"')]
    return len(closed) < len(opened) and len({len(row) for row in rows}) == 1


def _check_there(path):
    if not path.is_file():
        raise FileNotFoundError(f"The table must exist. Received: {path}. Give the path of a file.")


def _read(path, kind, options, names):
    _check_there(path)
    if kind == "csv":
        from mmkeras.data.sources import delimited

        return delimited.read(path, options, "raise")[0]
    if kind == "jsonl":
        from mmkeras.data.sources import json_lines

        return json_lines.read(path, (), "raise")[0]
    rows = json.loads(path.read_text(encoding="utf-8-sig"))
    if not isinstance(rows, list) or not rows or not all(isinstance(row, type(rows[0])) for row in rows):
        raise ValueError(f"A .json table must be a list of rows. Received: {path}: {type(rows).__name__}.")
    if isinstance(rows[0], list) and (not names or len(names) != len(rows[0])):
        raise ValueError(
            f"Rows without keys need column names. Received: {path}, rows such as {json.dumps(rows[0])[:200]}. Give "
            f"--columns with {len(rows[0])} names."
        )
    return pd.DataFrame(rows, columns=names if isinstance(rows[0], list) else None, dtype=object)


def _check(frame, path, labels, least=20):
    missing = suggested([label for label in labels if label not in frame], frame.columns)
    if missing:
        raise ValueError(f"--label names a column. Received: {missing}. Columns of {path}: {list(frame.columns)}.")
    if len(frame) < least:
        raise ValueError(f"A table to learn from needs {least} rows or more. Received: {path} with {len(frame)}.")


def _others(path, test):
    """(part -> path, part -> word in names of files) of tables beside it."""
    found, words = {}, {_TRAIN: _TRAIN}
    if _TRAIN in path.name:
        for part, spellings in _PARTS.items():
            for word in spellings:
                other = path.with_name(path.name.replace(_TRAIN, word, 1))
                if part not in found and other.is_file():
                    found[part], words[part] = other, word
    if test is not None:
        if "test" in found and Path(test).absolute() != found["test"].absolute():
            words = {}
        found["test"] = Path(test)
        words = words if "test" in words else {}
    return found, words if found else {}


def _as_texts(frame):
    """The same table with each value as text, None where there is none; lists stay."""
    return pd.DataFrame(
        {column: [_as_text(value) for value in frame[column].tolist()] for column in frame}, dtype=object
    )


def _as_text(value):
    if isinstance(value, list | dict):
        return value
    if value is None or value != value:
        return None
    return as_text(value) if not isinstance(value, str) or value.strip() else None
