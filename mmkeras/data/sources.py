"""Tables of examples -> `Examples`.

A table has a column per raw name: texts as strings; images, sounds and videos as paths (relative to `root`) or bytes;
numbers and categories as they are; vectors as lists, arrays, paths of .npy files, or text, "[0.5, 1]" or "0.5|1"; and
a column per head with its labels. Absent values are empty strings, None or NaN.
An archive counts as a folder: `root="photos.zip"`, or "photos.zip/7.png" in a column (see `archives`). A video may also
be a folder, or an archive, of its frames (see `clips`).
A number in a column of texts, categories or classes counts as its text, 3.0 as "3".
"""

import functools
import json
import os
from pathlib import Path

import numpy as np
import pandas as pd

from mmkeras.data import archives
from mmkeras.data.examples import Examples
from mmkeras.data.faults import Fault, check_on_error, report
from mmkeras.data.progress import shown_if_slow
from mmkeras.data.vectors import vectors
from mmkeras.specs import Audio, Image, Table, Text, Vector, Video, as_text, check_list, check_specs, did_you_mean


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
    return from_dataframe(frame, specs, heads, _beside(path, specs, root), columns, on_error)


def from_jsonl(path, specs, heads=(), root=None, columns=None, on_error="raise"):
    """Reads a file with one JSON object per line. Args and result: as in `from_csv`."""
    with open(path, encoding="utf-8-sig") as lines:
        records = [json.loads(line) for line in lines if line.strip()]
    frame = pd.DataFrame(records, dtype=object)  # pandas' own reader would alter dates and integers
    return from_dataframe(frame, specs, heads, _beside(path, specs, root), columns, on_error)


def _beside(path, specs, root):
    """`root`; the table's own folder where that is silent."""
    check_specs(specs)
    if root is None or isinstance(root, dict):
        return dict.fromkeys(_files(specs), Path(path).parent) | (root or {})
    return root


def _files(specs):
    return [spec.name for spec in specs if isinstance(spec, Audio | Image | Vector | Video)]


def from_dataframe(frame, specs, heads=(), root=".", columns=None, on_error="raise"):
    """Takes a `pandas.DataFrame`; checks every column, label and path before anything is trained.

    Args:
        frame: the table; errors call a row by its index.
        specs: list of specs; each of their raw names is a column.
        heads: list of heads; each of their names is a column of labels.
        root: folder or archive (.zip, .tar, .tar.gz, ...) that paths are relative to; or a dict of them, raw name ->
            folder or archive, where they differ.
        columns: dict, raw or head name -> the name of the column where it differs.
        on_error: "raise", or "skip" to leave out, count and list rows with a missing file or a required value that is
            empty; the same is then done with files that turn out to be broken. A wrong label is always an error.

    Returns:
        `Examples`, a tf.data.Dataset of flat dicts: raw name -> () or vector (D,), head name -> encoded label.

    Raises:
        TypeError: a spec or a head stands alone, not in a list.
        ValueError: columns are missing; a label is unknown; files are missing, all of them named at once; or an
            archive is broken.
    """
    check_specs(specs)
    check_list("heads", heads)
    check_on_error(on_error)
    columns = columns or {}
    roots = _roots(specs, root)
    names = [name for spec in specs for name in spec.raw] + [head.name for head in heads]
    _check_distinct(names)
    check_columns(list(frame.columns), {name: columns.get(name, name) for name in names})
    _check_rows(frame)
    arrays, faults = {}, []
    for spec in specs:
        for name in spec.raw:
            values = frame[columns.get(name, name)]
            arrays[name] = _RAW[type(spec)](spec, name, values, roots.get(name), faults)
    keep = np.setdiff1d(np.arange(len(frame)), [fault.row for fault in faults]) if faults else slice(None)
    faults = [fault._replace(row=frame.index[fault.row]) for fault in faults]
    if faults and (on_error == "raise" or not len(keep)):
        raise ValueError(report(faults))
    frame, arrays = frame.iloc[keep], {name: values[keep] for name, values in arrays.items()}
    for head in heads:
        arrays[head.name] = head.encode(frame[columns.get(head.name, head.name)].tolist(), frame.index)
    return Examples(frame, arrays, specs, heads, on_error, faults)


def _roots(specs, root):
    """Raw name -> folder on disk, for the columns of files."""
    names = _files(specs)
    roots = root if isinstance(root, dict) else dict.fromkeys(names, root)
    unknown = [f"{name!r} {did_you_mean(name, names)}".strip() for name in roots if name not in names]
    if unknown:
        raise ValueError(f"root takes raw names of files, {names}. Received: {', '.join(unknown)}.")
    found = {name: archives.on_disk(str(folder)) for name, folder in roots.items()}
    for name, folder in found.items():
        if not os.path.isdir(folder):
            raise ValueError(
                f"root must be a folder or an archive that is there. Received: {str(roots[name])!r} for '{name}'. "
                "Give where the paths of the table begin."
            )
    return {name: Path(found.get(name, ".")) for name in names}


def _check_distinct(names):
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"A head must not be called like an input. Received: {repeated} twice. Rename the head.")


def check_columns(there, wanted):
    """Raises ValueError where a column is missing, or a name stands for several.

    Args:
        there: names of the columns.
        wanted: dict, raw or head name -> name of its column.
    """
    names = [str(column) for column in there]
    repeated = sorted({column for column in names if names.count(column) > 1}) if len(set(names)) < len(names) else []
    if repeated:
        raise ValueError(f"Columns need names of their own. Received: {repeated} twice. Rename or drop the others.")
    missing = [f"{column!r} (for '{name}') {did_you_mean(column, names)}".strip()
               for name, column in wanted.items() if column not in there]  # fmt: skip
    if missing:
        raise ValueError(
            f"The table needs a column for each raw name and each head. Missing: {', '.join(missing)}. "
            f"Received: {names}. Rename them, or give columns={{name: column}}."
        )


def _check_rows(frame):
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
    pairs = zip(values.tolist(), values.isna().tolist(), strict=True)  # pandas' own iteration is several times slower
    return np.array([b"" if absent else _bytes(value) for value, absent in pairs], object)


def _bytes(value):
    return value if isinstance(value, bytes) else as_text(value).encode()


def _file(spec, name, values, root, faults):
    files = np.full(len(values), b"", object)
    look = _found_clip if isinstance(spec, Video) else _found
    found = functools.cache(functools.partial(look, root, {}))  # a file is looked for once, however many rows have it
    pairs = zip(values.tolist(), values.isna().tolist(), strict=True)
    for i, (value, absent) in enumerate(shown_if_slow(pairs, f"Looking for files of '{name}'", len(values))):
        path = None if absent or isinstance(value, bytes) else _path(name, values.index, i, value)
        files[i], wrong = found(path) if path else (value if isinstance(value, bytes) else b"", None)
        if files[i] == b"" and not spec.optional:
            faults.append(Fault(i, name, "", "a required file is not given"))
        elif wrong:
            faults.append(Fault(i, name, *wrong))
    return files


def _path(name, rows, i, value):
    if isinstance(value, str | os.PathLike):
        return os.fspath(value)
    raise ValueError(
        f"A file is given as its path or as the bytes of a whole file. Received: {type(value).__name__} as '{name}' in "
        f"row {rows[i]}. Encode decoded pictures or sounds first, e.g. with tf.io.encode_png or tf.audio.encode_wav."
    )


def _found(root, known, value):
    """The file's place on disk, and None or (file, cause)."""
    path = archives.on_disk(str(root / value), known)
    return path, None if os.path.isfile(path) else archives.absence(path)


def _found_clip(root, known, value):
    """As `_found`; the last part of the path may be a folder, and an archive there is a file like any other."""
    whole = Path(root / value)
    path = os.path.join(archives.on_disk(str(whole.parent), known), whole.name)
    return path, None if os.path.isfile(path) or os.path.isdir(path) else archives.absence(path)


def _column(spec, name, values, root, faults):
    if name in spec.categorical:
        return _strings(values)
    numbers = pd.to_numeric(values, errors="coerce").to_numpy("float32", na_value=np.nan)
    for i in np.flatnonzero(~np.isfinite(numbers)):
        value = values.iloc[i]
        if not pd.isna(value) and value != "":
            faults.append(Fault(i, name, "", f"{value!r} is not a finite number"))
    return numbers


def _vector(spec, name, values, root, faults):
    return vectors(spec, name, values, functools.partial(_found, root, {}), faults)


_RAW = {Text: _text, Image: _file, Audio: _file, Video: _file, Table: _column, Vector: _vector}
