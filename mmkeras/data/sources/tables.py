"""Tables of examples -> `Examples`.

A table has a column per raw name: texts as strings; images, sounds and videos as paths (relative to `root`) or bytes;
numbers and categories as they are; vectors as lists, arrays, paths of .npy files, or text, "[0.5, 1]" or "0.5|1"; and
a column per head with its labels. Absent values are empty strings, None or NaN.
An archive is treated as a folder: `root="photos.zip"`, or "photos.zip/7.png" in a column (see `archives`). A video may
also be a folder or an archive of its frames (see `clips`). A number in a column of texts, categories or classes is
converted to text, 3.0 to "3".
"""

import os
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from mmkeras.checks import check_list, did_you_mean, suggested
from mmkeras.contract import SAMPLE_WEIGHT
from mmkeras.data.examples import Examples
from mmkeras.data.faults import UnusableExamples, check_on_error
from mmkeras.data.files import archives
from mmkeras.data.labels import encode_labels
from mmkeras.data.modalities import kind_of
from mmkeras.data.sources import delimited, json_lines
from mmkeras.data.weights import check_weights, weights_of
from mmkeras.data_checks import is_frame, kind
from mmkeras.specs import Spec, check_specs

if TYPE_CHECKING:
    import pandas as pd

    from mmkeras.heads import Head


def from_csv(
    path: str | PathLike[str] | IO[Any],
    specs: Sequence[Spec],
    heads: Sequence["Head"] = (),
    *,
    root: str | PathLike[str] | Mapping[str, str | PathLike[str]] | None = None,
    columns: Mapping[str, Any] | None = None,
    on_error: str = "raise",
    weights: str | None = None,
    **read_csv: Any,
) -> Examples:
    """Reads a CSV file, in which paths are relative to its own folder unless `root` is given.

    Args:
        path: of the CSV file. `sep="\\t"` and whatever else `pandas.read_csv` takes may follow by name. Every field is
            read as text, "007" and "NA" too; only empty fields are absent. Each row must have as many fields as the
            header; this is not checked if `sep` is longer than one character, or with `comment`, `on_bad_lines` and
            other options that change how pandas finds rows.
        specs, heads, root, columns, on_error, weights: as in `from_dataframe`; "skip" also omits rows with more or
            fewer fields than the header, a NUL character, or bytes of another encoding.

    Returns:
        `Examples`, a tf.data.Dataset.
    """
    check_on_error(on_error)
    root = _beside(path, specs, root)
    wanted = _wanted(specs, heads, columns, weights)
    frame, header, faults = delimited.read(path, read_csv, on_error)
    # pandas renames a repeated "text" to "text.1".
    _check_repeated([name for name in header or () if name in wanted.values()])
    return _examples(frame, specs, heads, root, columns, on_error, weights, faults)


def from_jsonl(
    path: str | PathLike[str] | IO[Any],
    specs: Sequence[Spec],
    heads: Sequence["Head"] = (),
    *,
    root: str | PathLike[str] | Mapping[str, str | PathLike[str]] | None = None,
    columns: Mapping[str, Any] | None = None,
    on_error: str = "raise",
    weights: str | None = None,
) -> Examples:
    """Reads a file with one JSON object per line. Args and result: as in `from_csv`.

    A missing key is absent, like null. A misspelt key, which occurs only in objects without the right one, is an error.
    `on_error="skip"` also omits lines that are not JSON objects.
    """
    check_on_error(on_error)
    root = _beside(path, specs, root)
    frame, faults = json_lines.read(path, _wanted(specs, heads, columns, weights).values(), on_error)
    _check_rows(frame)
    return _examples(frame, specs, heads, root, columns, on_error, weights, faults)


def _wanted(specs, heads, columns, weights):
    """Name of a raw value, a head or the weights -> its column."""
    check_list("heads", heads)
    names = [name for spec in specs for name in spec.raw] + [head.name for head in heads]
    _check_distinct(names)
    check_weights(weights, names)
    found = {name: (columns or {}).get(name, name) for name in names}
    return found if weights is None else found | {SAMPLE_WEIGHT: weights}


def _beside(path, specs, root):
    """`root`, or the table's own folder if it is not given."""
    check_specs(specs)
    if is_frame(path):
        raise TypeError(
            f"A path is needed. Received: {kind(path)}. For a table in memory call mm.data.from_dataframe(frame, "
            "specs, heads)."
        )
    if root is not None and not isinstance(root, dict):
        return root
    names = [name for name in _files(specs) if name not in (root or {})]
    if names and hasattr(path, "read"):
        raise ValueError(
            "root= is needed for relative paths of a table that was not read from a file. Received: "
            f"{type(path).__name__}, and no root for {names}. Give root=."
        )
    return dict.fromkeys(names, names and Path(path).parent) | (root or {})


def _files(specs):
    return [spec.name for spec in specs if kind_of(spec).paths]


def from_dataframe(
    frame: "pd.DataFrame",
    specs: Sequence[Spec],
    heads: Sequence["Head"] = (),
    *,
    root: str | PathLike[str] | Mapping[str, str | PathLike[str]] = ".",
    columns: Mapping[str, Any] | None = None,
    on_error: str = "raise",
    weights: str | None = None,
) -> Examples:
    """Reads a `pandas.DataFrame`, and checks every column, label and path first.

    Args:
        frame: the table; its index names the rows in error messages.
        specs: list of specs; each of their raw names is a column.
        heads: list of heads; each of their names is a column of labels.
        root: folder or archive (.zip, .tar, .tar.gz, ...) that paths are relative to; or a dict, raw name -> folder or
            archive.
        columns: dict, raw or head name -> name of the column, for those that differ.
        on_error: "raise", or "skip" to omit, count and list rows with a missing file or an empty required value, and
            later those with broken files. Invalid labels and weights are always errors.
        weights: name of the column of sample weights, finite numbers of 0 or more, for the loss and the scores of
            `evaluate`; None for equal weights.

    Returns:
        `Examples`, a tf.data.Dataset of flat dicts: raw name -> () or vector (D,), head name -> encoded label;
        and "sample_weight" -> () float32, if there are weights.

    Raises:
        TypeError: a spec or a head stands alone, not in a list; or `frame` is no table.
        ValueError: columns are missing; a label is unknown; files are missing, all of them named at once; or an
            archive is broken.
    """
    check_specs(specs)
    check_on_error(on_error)
    if not is_frame(frame):
        raise TypeError(
            f"from_dataframe needs a pandas.DataFrame. Received: {kind(frame)}. Read a path with mm.data.from_csv; "
            "convert rows with pandas.DataFrame(rows)."
        )
    return _examples(frame, specs, heads, root, columns, on_error, weights)


def _examples(frame, specs, heads, root, columns, on_error, weights, left_out=()):
    """Builds `Examples`; `left_out` are the faults of rows that were removed from `frame`."""
    wanted, roots = _wanted(specs, heads, columns, weights), _roots(specs, root)
    check_columns(list(frame.columns), wanted)
    _check_rows(frame)
    arrays, faults = {}, []
    for spec in specs:
        for name in spec.raw:
            arrays[name] = kind_of(spec).column(spec, name, frame[wanted[name]], roots.get(name), faults)
    keep = np.setdiff1d(np.arange(len(frame)), [fault.row for fault in faults]) if faults else slice(None)
    faults = [fault._replace(row=frame.index[fault.row]) for fault in faults]
    if faults and (on_error == "raise" or not len(keep)):
        raise UnusableExamples(faults)
    frame, arrays = frame.iloc[keep], {name: values[keep] for name, values in arrays.items()}
    arrays |= encode_labels(heads, {head.name: frame[wanted[head.name]].tolist() for head in heads}, frame.index)
    if weights is not None:
        arrays[SAMPLE_WEIGHT] = weights_of(frame[weights])
    return Examples(frame, arrays, specs, heads, on_error=on_error, skipped=[*left_out, *faults])


def _roots(specs, root):
    """Raw name -> folder on disk, for columns of files."""
    names = _files(specs)
    roots = root if isinstance(root, dict) else dict.fromkeys(names, root)
    unknown = suggested([name for name in roots if name not in names], names)
    if unknown:
        raise ValueError(f"root must be given by raw names of files, {names}. Received: {unknown}.")
    found = {name: archives.on_disk(os.path.expanduser(str(folder))) for name, folder in roots.items()}
    for name, folder in found.items():
        if not os.path.isdir(folder):
            raise ValueError(
                f"root must be an existing folder or archive. Received: {str(roots[name])!r} for '{name}'. Give the "
                "folder to which the paths of the table are relative."
            )
    return {name: Path(found.get(name, ".")) for name in names}


def _check_distinct(names):
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"A head must not have the name of an input. Received: {repeated} twice. Rename the head.")


def check_columns(there, wanted):
    """Raises ValueError where a column is missing, or a name stands for several.

    Args:
        there: names of the columns.
        wanted: dict, raw or head name -> name of its column.
    """
    names = [str(column) for column in there]
    _check_repeated(names)
    missing = [f"{column!r} (for '{name}') {did_you_mean(column, names)}".strip()
               for name, column in wanted.items() if column not in there]  # fmt: skip
    if missing:
        raise ValueError(
            f"The table needs a column for each raw name and each head. Missing: {', '.join(missing)}. "
            f"Received: {names}. Rename them, or give columns={{name: column}}."
        )


def _check_repeated(names):
    repeated = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if repeated:
        raise ValueError(f"Column names must be unique. Received: {repeated} twice. Rename or drop the others.")


def _check_rows(frame):
    if not len(frame):
        raise ValueError("The table needs rows. Received: none. Check the file, or the filter before it.")
