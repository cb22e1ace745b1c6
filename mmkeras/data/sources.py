"""Tables of examples -> `Examples`.

A table has a column per raw name: texts as strings; images and sounds as paths (relative to `root`) or bytes; numbers
and categories as they are; and a column per head with its labels. Absent values are empty strings, None or NaN.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from mmkeras.data.examples import Examples
from mmkeras.data.faults import Fault, check_on_error, report
from mmkeras.specs import Audio, Image, Table, Text, check_specs, did_you_mean


def from_csv(path, specs, heads=(), root=None, columns=None, on_error="raise", **read_csv):
    """Reads a CSV file; paths in it are relative to its own folder unless `root` says otherwise.

    Args:
        path: of the CSV file. `sep="\\t"` and whatever else `pandas.read_csv` takes may follow by name.
        specs, heads, root, columns, on_error: as in `from_dataframe`.

    Returns:
        `Examples`, a tf.data.Dataset.
    """
    # Texts such as "None" and "NA" are texts; only the empty field is absent.
    frame = pd.read_csv(path, **{"keep_default_na": False, "na_values": [""], **read_csv})
    return from_dataframe(frame, specs, heads, Path(path).parent if root is None else root, columns, on_error)


def from_jsonl(path, specs, heads=(), root=None, columns=None, on_error="raise"):
    """Reads a file with one JSON object per line. Args and result: as in `from_csv`."""
    frame = pd.read_json(path, lines=True, dtype=False)
    return from_dataframe(frame, specs, heads, Path(path).parent if root is None else root, columns, on_error)


def from_dataframe(frame, specs, heads=(), root=".", columns=None, on_error="raise"):
    """Takes a `pandas.DataFrame`; checks every column, label and path before anything is trained.

    Args:
        frame: the table.
        specs: list of specs; each of their raw names is a column.
        heads: list of heads; each of their names is a column of labels.
        root: folder that paths are relative to.
        columns: dict, raw or head name -> the name of the column where it differs.
        on_error: "raise", or "skip" to leave out, count and list rows with a missing file or a required value that is
            empty; the same is then done with files that turn out to be broken.

    Returns:
        `Examples`, a tf.data.Dataset of flat dicts: raw name -> (), head name -> encoded label.

    Raises:
        ValueError: columns are missing; a label is unknown; or files are missing, all of them named at once.
    """
    check_specs(specs)
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
    keep = _keep(frame, faults, on_error)
    for head in heads:
        arrays[head.name] = head.encode(frame[columns.get(head.name, head.name)].tolist())
    arrays = {name: values[keep] for name, values in arrays.items()}
    return Examples(frame[keep], arrays, specs, heads, on_error, faults)


def _check_distinct(names):
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"A head must not be called like an input. Received: {repeated} twice. Rename the head.")


def _check_columns(frame, wanted):
    there = [str(column) for column in frame.columns]
    missing = [f"{column!r} (for '{name}') {did_you_mean(column, there)}".strip()
               for name, column in wanted.items() if column not in frame.columns]  # fmt: skip
    if missing:
        raise ValueError(
            f"The table needs a column for each raw name and each head. Missing: {', '.join(missing)}. "
            f"Received: {there}. Rename them, or give columns={{name: column}}."
        )
    if not len(frame):
        raise ValueError("The table needs rows. Received: none. Check the file, or the filter before it.")


def _keep(frame, faults, on_error):
    if faults and on_error == "raise":
        raise ValueError(report(faults))
    bad = {fault.row for fault in faults}
    return np.array([row not in bad for row in frame.index])


def _text(spec, name, values, root, faults):
    texts = _strings(values)
    if not spec.optional:
        for row, text in zip(values.index, texts, strict=True):
            if not text.strip():
                faults.append(Fault(row, name, "", "a required text is empty"))
    return texts


def _strings(values):
    """UTF-8 bytes, b"" where absent."""
    pairs = zip(values, values.isna(), strict=True)
    return np.array([b"" if absent else str(value).encode() for value, absent in pairs], object)


def _file(spec, name, values, root, faults):
    files = np.empty(len(values), object)
    absent = values.isna() | values.map(lambda value: value in ("", b""))
    for i, (row, value) in enumerate(values.items()):
        files[i] = b"" if absent.iloc[i] else value if isinstance(value, bytes) else str(root / str(value))
        if absent.iloc[i] and not spec.optional:
            faults.append(Fault(row, name, "", "a required file is not given"))
        elif isinstance(files[i], str) and not Path(files[i]).is_file():
            faults.append(Fault(row, name, files[i], "there is no such file"))
    return files


def _column(spec, name, values, root, faults):
    if name in spec.categorical:
        return _strings(values)
    numbers = pd.to_numeric(values, errors="coerce").to_numpy("float32")
    for row, value, number in zip(values.index, values, numbers, strict=True):
        if not np.isfinite(number) and not pd.isna(value) and value != "":
            faults.append(Fault(row, name, "", f"{value!r} is not a finite number"))
    return numbers


_RAW = {Text: _text, Image: _file, Audio: _file, Table: _column}
