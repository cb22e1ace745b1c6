"""A request and Python's answers to it, which `mmkeras verify` compares with those of the file on another machine."""

import numpy as np

from mmkeras import edge
from mmkeras.export import record
from mmkeras.export._litert.verify.prepared import prepared
from mmkeras.export._saved_model.serving import rest_request
from mmkeras.export.distance import faults
from mmkeras.export.parity import units


def recorded_answers(model, heads, description, raw, answers, tolerance, half):
    """The record of the first examples, with Keras' outputs for what `mmkeras.edge` prepares.

    What a device prepares may differ from `preprocess` by the rounding of a JPEG decoder: that is for the export to
    report, not a fault of another machine.

    Args:
        model: keras.Model.
        heads: list of heads.
        description: dict of `describe`.
        raw: dict of arrays (n,).
        answers: dict of `parity`, the outputs of "litert" and "keras".
        tolerance, half: as in `distance.faults`.

    Returns:
        Dict of `record.of_outputs`; or {"not_recorded": why} where the file cannot be asked with raw values.
    """
    if description["unprepared"]:
        return {"not_recorded": f"mmkeras.edge cannot prepare {description['unprepared']}"}
    n = _enough(heads, answers, tolerance, half)
    raw = {name: values[:n] for name, values in raw.items()}
    try:
        ready = prepared(edge.Preprocess(description["inputs"]), raw)
    except ValueError as error:
        return {"not_recorded": f"mmkeras.edge refuses an example: {error}"}
    outputs = model({name: ready[name] for name in model.input}, training=False)
    outputs = {head.name: np.asarray(outputs[head.name]) for head in heads}
    return record.of_outputs(heads, outputs, tolerance, half, rest_request(raw))


def _enough(heads, answers, tolerance, half):
    """How many examples, from the first on, pass the conditions on averages that all of them together have passed."""
    files, kerases = answers["litert"], answers["keras"]
    count = len(next(iter(kerases.values())))
    n = record.COUNT
    while n < count and any(
        faults(unit, files[name][:n], kerases[name][:n], tolerance, half) for name, unit in units(heads).items()
    ):
        n *= 2
    return n
