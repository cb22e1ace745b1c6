"""Rows whose optional modalities are broken, asked again without these."""

import collections

import pandas as pd

from mmkeras.formats.status import ABSENT, REFUSED, status_of


def optional_columns(specs, columns=None):
    """Dict, what a `Fault` calls a modality -> the columns that hold it; of the modalities that may be absent.

    Args:
        specs: list of specs.
        columns: dict, raw name -> the name of its column where it differs.
    """
    found = {}
    for spec in specs:
        if spec.optional:
            own = [(columns or {}).get(name, name) for name in spec.raw]
            found |= dict.fromkeys((spec.name, *spec.raw), own)
    return found


def asked_again(ask, frame, names, table, faults):
    """Asks rows again, as long as all of their faults are of modalities that may be absent.

    Args:
        ask: function (frame) -> (table of the rows that are answered, list of `Fault` of the others).
        frame: the rows, by the names that faults call them.
        names: dict of `optional_columns`.
        table, faults: what `ask(frame)` returned.

    Returns:
        (table, faults, left_out): the first two as above, after all; and dict, row -> causes of what was left out.
    """
    left_out, tried = collections.defaultdict(list), set()
    while again := _mendable(faults, names, tried):
        frame = frame.astype(object)
        for fault in again:
            left_out[fault.row].append(fault.told)
            tried.add((fault.row, fault.modality))
            frame.loc[fault.row, names[fault.modality]] = None
        rows = list(dict.fromkeys(fault.row for fault in again))
        answers, found = ask(frame.loc[rows])
        table = pd.concat([each for each in (table, answers) if len(each)] or [table])
        faults = [fault for fault in faults if fault.row not in rows] + found
    return table, faults, left_out


def _mendable(faults, names, tried):
    """Those of the faults whose rows have no other ones."""
    lost = {fault.row for fault in faults if fault.modality not in names or (fault.row, fault.modality) in tried}
    return [fault for fault in faults if fault.row not in lost]


def statuses(rows, faults, left_out=None):
    """The status of each row: refused with all of its causes, absent with those of `asked_again`, or ""."""
    causes = collections.defaultdict(list)
    for fault in faults:
        causes[fault.row].append(fault.told)
    left_out = left_out or {}
    return [
        status_of(REFUSED, left_out.get(row, []) + causes[row])
        if row in causes
        else status_of(ABSENT, left_out.get(row, []))
        for row in rows
    ]
