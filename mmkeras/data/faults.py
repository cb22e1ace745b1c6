"""Faults of examples, found in the table or while a file is read and decoded."""

from typing import NamedTuple

import tensorflow as tf

from mmkeras.causes import cause_of
from mmkeras.data.files.archives import as_given
from mmkeras.preprocess._layer import RawLayer


class Fault(NamedTuple):
    """One unusable value: the table's row, the modality, the file, and the cause."""

    row: object
    modality: str
    file: str
    cause: str

    @property
    def told(self):
        """Modality, file and cause without the row, as a status has them."""
        return ": ".join(filter(None, [self.modality, self.file, self.cause]))

    def __str__(self):
        modality = f"'{self.modality}'" if self.modality else ""
        return f"{', '.join(filter(None, [f'row {self.row}', modality, self.file]))}: {self.cause}"


class UnusableExamples(ValueError):
    """The error of a table of which rows cannot be used, or none can.

    Attributes:
        faults: list of `Fault`.
    """

    def __init__(self, faults):
        super().__init__(report(faults))
        self.faults = list(faults)


def check_on_error(on_error):
    if on_error not in ("raise", "skip"):
        raise ValueError(f"on_error must be 'raise' or 'skip'. Received: {on_error!r}.")


def locate(error, batch, preprocess, row, origin):
    """Runs each step of one example on its own, to name the one that failed.

    Args:
        error: what the example failed with.
        batch: function that reads the example, dict of raw tensors (1, ...): of a raw name, that one; of None, all.
        preprocess: the model from raw to ready.
        row: what the table calls this row.
        origin: function, raw name -> where its value came from.

    Returns:
        A `Fault`; without a modality where no step fails on its own.
    """
    try:
        raw = batch(None)
    except tf.errors.OpError as failure:
        return _unread(failure, batch, preprocess.input, row, origin)
    for layer in preprocess.layers:
        if isinstance(layer, RawLayer):
            names = layer.raw_names
            try:  # run eagerly, so that the error of a decoder names the layer
                layer({name: raw[name] for name in names} if layer.takes_columns else raw[names[0]])
            except tf.errors.OpError as failure:
                return Fault(row, layer.modality, origin(names[0]), cause_of(failure))
    return Fault(row, "", "", cause_of(error))


def _unread(failure, batch, names, row, origin):
    """Finds the value that cannot be read, or converted into a file that preprocess accepts."""
    for name in names:
        try:
            batch(name)
        except tf.errors.OpError as own:
            return Fault(row, name, origin(name), as_given(cause_of(own)))
    return Fault(row, "", "", as_given(cause_of(failure)))


def _lines(faults, most=5):
    """One line per fault, or per file if several rows share it."""
    same = {}
    for number, fault in enumerate(faults):
        same.setdefault(fault[1:] if fault.file else number, []).append(fault)
    for first, *others in same.values():
        rows = ", ".join(str(fault.row) for fault in others[:most])
        more = f" and {len(others) - most} more" if len(others) > most else ""
        yield f"{first} (The same in row {rows}{more}.)" if others else str(first)


def report(faults, most=20):
    """Message listing the faults, one per line, and the remedies."""
    lines = list(_lines(faults))
    listed = "\n  ".join(lines[:most])  # the first fault goes into the first line, which is what error summaries show
    more = f"\n  ... and {len(lines) - most} more" if len(lines) > most else ""
    return (
        f"{len(faults)} example(s) cannot be used: {listed}{more}\n"
        "Mend them, declare an absent modality optional=True, or leave these rows out with on_error='skip'."
    )
