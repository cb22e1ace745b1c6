"""Tables of examples -> `Examples`.

A table has a column per raw name: texts as strings; images and sounds as paths (relative to `root`) or bytes; numbers
and categories as they are; and a column per head with its labels. Absent values are empty strings, None or NaN.
A number in a column of texts, categories or classes counts as its text, 3.0 as "3".
"""

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd

from mmkeras.data.examples import Examples
from mmkeras.data.faults import Fault, check_on_error, report
from mmkeras.specs import Audio, Image, Table, Text, as_text, check_list, check_specs, did_you_mean


def from_csv(path, specs, heads=(), root=None, columns=None, on_error="raise", **read_csv):
    """Reads a CSV file; paths in it are relative to its own folder unless `root` says otherwise.

    Args:
        path: of the CSV file. `sep="\\t"` and whatever else `pandas.read_csv` takes may follow by name. Every field is
            read as the text that stands there, "007" and "NA" too; only the empty field is absent.
        specs, heads, root, columns, on_error: as in `from_dataframe`.

    Returns:
        `Examples`, a tf.data.Dataset.
    """
    # Guessed types would alter the data: 007 to 7.0, true to True.
    frame = pd.read_csv(path, **{"dtype": str, "keep_default_na": False, "na_values": [""], **read_csv})
    return from_dataframe(frame, specs, heads, Path(path).parent if root is None else root, columns, on_error)


def from_jsonl(path, specs, heads=(), root=None, columns=None, on_error="raise"):
    """Reads a file with one JSON object per line. Args and result: as in `from_csv`."""
    with open(path, encoding="utf-8-sig") as lines:
        records = [json.loads(line) for line in lines if line.strip()]
    frame = pd.DataFrame(records, dtype=object)  # pandas' own reader would alter dates and integers
    return from_dataframe(frame, specs, heads, Path(path).parent if root is None else root, columns, on_error)


def from_dataframe(frame, specs, heads=(), root=".", columns=None, on_error="raise"):
    """Takes a `pandas.DataFrame`; checks every column, label and path before anything is trained.

    Args:
        frame: the table; errors call a row by its index.
        specs: list of specs; each of their raw names is a column.
        heads: list of heads; each of their names is a column of labels.
        root: folder that paths are relative to.
        columns: dict, raw or head name -> the name of the column where it differs.
        on_error: "raise", or "skip" to leave out, count and list rows with a missing file or a required value that is
            empty; the same is then done with files that turn out to be broken. A wrong label is always an error.

    Returns:
        `Examples`, a tf.data.Dataset of flat dicts: raw name -> (), head name -> encoded label.

    Raises:
        TypeError: a spec or a head stands alone, not in a list.
        ValueError: columns are missing; a label is unknown; or files are missing, all of them named at once.
    """
    check_specs(specs)
    check_list("heads", heads)
    check_on_error(on_error)
    columns = columns or {}
    names = [name for spec in specs for name in spec.raw] + [head.name for head in heads]
    _check_distinct(names)
    _check_columns(frame, {name: columns.get(name, name) for name in names})
    arrays, faults = {}, []
    for spec in specs:
        for name in spec.raw:
            values = frame[columns.get(name, name)]
            arrays[name] = _RAW[type(spec)](spec, name, values, Path(root), faults)
    keep = np.setdiff1d(np.arange(len(frame)), [fault.row for fault in faults])
    faults = [fault._replace(row=frame.index[fault.row]) for fault in faults]
    if faults and (on_error == "raise" or not len(keep)):
        raise ValueError(report(faults))
    frame, arrays = frame.iloc[keep], {name: values[keep] for name, values in arrays.items()}
    for head in heads:
        arrays[head.name] = head.encode(frame[columns.get(head.name, head.name)].tolist(), frame.index)
    return Examples(frame, arrays, specs, heads, on_error, faults)


def _check_distinct(names):
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"A head must not be called like an input. Received: {repeated} twice. Rename the head.")


def _check_columns(frame, wanted):
    there = [str(column) for column in frame.columns]
    repeated = sorted({column for column in there if there.count(column) > 1})
    if repeated:
        raise ValueError(f"Columns need names of their own. Received: {repeated} twice. Rename or drop the others.")
    missing = [f"{column!r} (for '{name}') {did_you_mean(column, there)}".strip()
               for name, column in wanted.items() if column not in frame.columns]  # fmt: skip
    if missing:
        raise ValueError(
            f"The table needs a column for each raw name and each head. Missing: {', '.join(missing)}. "
            f"Received: {there}. Rename them, or give columns={{name: column}}."
        )
    if not len(frame):
        raise ValueError("The table needs rows. Received: none. Check the file, or the filter before it.")


# A function for each kind of spec. Faults have the position of a row here: its name may not be the only one.


def _text(spec, name, values, root, faults):
    texts = _strings(values)
    if not spec.optional:
        for i, text in enumerate(texts):
            if not text.decode("utf-8", "replace").strip():
                faults.append(Fault(i, name, "", "a required text is empty"))
    return texts


def _strings(values):
    """UTF-8 bytes, b"" where absent; bytes as they are."""
    pairs = zip(values, values.isna(), strict=True)
    return np.array([b"" if absent else _bytes(value) for value, absent in pairs], object)


def _bytes(value):
    return value if isinstance(value, bytes) else as_text(value).encode()


def _file(spec, name, values, root, faults):
    given = zip(values.index, values, values.isna(), strict=True)
    files = [b"" if absent else _path_or_bytes(name, row, value, root) for row, value, absent in given]
    for i, file in enumerate(files):
        if file == b"" and not spec.optional:
            faults.append(Fault(i, name, "", "a required file is not given"))
        elif isinstance(file, str) and not Path(file).is_file():
            faults.append(Fault(i, name, file, "there is no such file"))
    return np.array(files, object)


def _path_or_bytes(name, row, value, root):
    if isinstance(value, bytes):
        return value
    if isinstance(value, str | os.PathLike):
        return str(root / value) if value != "" else b""
    raise ValueError(
        f"A file is given as its path or as the bytes of a whole file. Received: {type(value).__name__} as '{name}' in "
        f"row {row}. Encode decoded pictures or sounds first, e.g. with tf.io.encode_png or tf.audio.encode_wav."
    )


def _column(spec, name, values, root, faults):
    if name in spec.categorical:
        return _strings(values)
    numbers = pd.to_numeric(values, errors="coerce").to_numpy("float32", na_value=np.nan)
    for i in np.flatnonzero(~np.isfinite(numbers)):
        value = values.iloc[i]
        if not pd.isna(value) and value != "":
            faults.append(Fault(i, name, "", f"{value!r} is not a finite number"))
    return numbers


_RAW = {Text: _text, Image: _file, Audio: _file, Table: _column}
