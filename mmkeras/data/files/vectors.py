"""A column of vectors -> one array: lists and arrays of numbers, numbers in text, and .npy files."""

import functools
import json
import os

import numpy as np

from mmkeras.data.faults import Fault
from mmkeras.preprocess.vector import BROKEN, REQUIRED


def vectors(spec, name, values, found, faults):
    """Reads a column of vectors into memory, including those in files.

    Args:
        spec: `mm.Vector`.
        name: raw name of the vector.
        values: `pandas.Series` of lists, arrays, paths of .npy files, or text: JSON lists, numbers joined by "|".
            None, NaN, "", and vectors that are empty or NaN as a whole, are absent.
        found: function, path as given -> (path on disk, None or (file, cause)).
        faults: list to which `Fault`s are appended.

    Returns:
        (rows, D) float32, NaN where absent.
    """
    table, files = np.full((len(values), spec.size), np.nan, "float32"), {}
    load = functools.cache(np.load)  # read each file once, even if many rows refer to it
    for i, (value, absent) in enumerate(zip(values.tolist(), values.isna().tolist(), strict=True)):
        wrong = None
        if not absent and _is_path(value):
            files[i], wrong = found(os.fspath(value).strip())
        if wrong:
            faults.append(Fault(i, name, *wrong))
        elif not absent:
            try:
                table[i] = _row(load(files[i]) if i in files else value, spec.size)
            except (EOFError, OSError, OverflowError, TypeError, ValueError) as error:
                faults.append(Fault(i, name, files.get(i, ""), str(error)))
    _check(spec, name, table, files, faults)
    return table


def _check(spec, name, table, files, faults):
    told = {fault.row for fault in faults if fault.modality == name}
    absent = np.isnan(table).all(axis=1)
    broken = ~np.isfinite(table).all(axis=1) & ~absent
    for i in np.flatnonzero(broken | (absent & (not spec.optional))):
        if i not in told:
            faults.append(Fault(int(i), name, files.get(i, ""), BROKEN if broken[i] else REQUIRED))


def _is_path(value):
    return isinstance(value, os.PathLike) or (isinstance(value, str) and value.strip().lower().endswith(".npy"))


def _row(value, size):
    """(D,) float32, or NaN for an empty value."""
    with np.errstate(over="ignore"):  # infinite values are reported with their row later
        array = np.asarray(_parsed(value) if isinstance(value, str) else value, "float32")
    if not array.size:
        return np.nan
    if [n for n in array.shape if n > 1] != [size] * (size > 1):
        raise ValueError(f"it has {array.size} numbers, in shape {array.shape}; the spec says size={size}")
    return array.reshape(size)


def _parsed(text):
    text = text.strip()
    try:
        return json.loads(text) if text.startswith("[") else [float(number) for number in text.split("|") if text]
    except ValueError as error:
        shown = text if len(text) < 40 else f"{text[:40]}..."
        rule = "a vector is a JSON list, numbers joined by '|', or the path of a .npy file"
        raise ValueError(f"{shown!r} is none: {rule}") from error
