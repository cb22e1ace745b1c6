"""Files with one JSON object per line -> `pandas.DataFrame`."""

import codecs
import json
import os

import pandas as pd

from mmkeras.data.faults import Fault, report


def read(path, wanted, on_error):
    """Reads a file of JSON lines; blank ones do not count.

    Args:
        path: of the file, UTF-8.
        wanted: names of the keys that are used.
        on_error: "raise", or "skip" to leave out lines that hold no JSON object, or one with other keys.

    Returns:
        (frame, faults): the table, whose index numbers the objects of the file; a `Fault` for each that was left out.

    Raises:
        ValueError: such lines, all of them named.
    """
    records, lines, faults = {}, {}, []
    with open(os.path.expanduser(path), "rb") as file:
        for number, line in enumerate(file, 1):
            line = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
            if line.isspace() or not line:
                continue
            row = len(lines)
            lines[row] = number
            try:
                records[row] = _parsed(line)
            except ValueError as error:
                faults.append(Fault(row, "", str(path), f"line {number} {_cause(error)}"))
    for row, cause in _other_keys(records, wanted):
        faults.append(Fault(row, "", str(path), f"line {lines[row]} {cause}"))
        del records[row]
    if faults and (on_error == "raise" or not records):
        raise ValueError(report(sorted(faults)))
    # pandas' own JSON reader would alter dates and integers.
    return pd.DataFrame(list(records.values()), list(records), dtype=object), sorted(faults)


def _parsed(line):
    record = _DECODER.decode(line.rstrip(b" \t\r\n").decode())
    if not isinstance(record, dict):
        raise ValueError(f"holds no JSON object, but {type(record).__name__}: write {{name: value, ...}}")
    return record


def _without_repeats(pairs):
    record = dict(pairs)
    if len(record) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"has keys twice: {sorted({key for key in keys if keys.count(key) > 1})}")
    return record


_DECODER = json.JSONDecoder(object_pairs_hook=_without_repeats)


def _cause(error):
    if isinstance(error, UnicodeDecodeError):
        return f"is not in UTF-8: byte 0x{error.object[error.start]:02x} at column {error.start + 1}"
    if isinstance(error, json.JSONDecodeError):
        return f"is no JSON: {error.msg} at column {error.colno}"
    return str(error)


def _other_keys(records, wanted):
    """(row, cause) of objects that have an unknown key in place of a missing one; without one, the value is absent."""
    told = {}
    for key in wanted:
        lacking = [row for row, record in records.items() if key not in record]
        if not lacking or len(lacking) == len(records):  # if all objects lack it, it is reported as a missing column
            continue
        known = set().union(*(record for record in records.values() if key in record))
        for row in lacking:
            others = [other for other in records[row] if other not in known]
            if others:
                told.setdefault(row, f"has no key {key!r}, but {others}, which no line with {key!r} has")
    return told.items()
