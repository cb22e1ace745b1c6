"""Python's answers to a few examples: stored with an export, and compared with it again on another machine."""

import keras
import numpy as np

from mmkeras.export.distance import distances, faults
from mmkeras.export.parity import answer_problems, units
from mmkeras.formats.status import STATUS

COUNT = 2  # examples of request.json


def of_answers(heads, answers, tolerance):
    """The record of decoded answers, as a SavedModel gives them; a dict for JSON.

    Args:
        heads: list of heads.
        answers: dict of arrays (n, ...), by the name of the answer.
        tolerance: as in `distance.faults`.
    """
    configs = [keras.saving.serialize_keras_object(head) for head in heads]
    return {"tolerance": tolerance, "heads": configs, "answers": _plain(answers)}


def of_outputs(heads, outputs, tolerance, half, request):
    """The record of the heads' outputs (n, ...) by head name, as a LiteRT file gives them, with the request itself."""
    return {"tolerance": tolerance, "half": half, "units": units(heads), "request": request, "answers": _plain(outputs)}


def of_numbers(arrays, tolerance):
    """The record of arrays (n, K) of numbers that no head gives, whose distance is their difference."""
    own = {name: {"kind": "values", "std": [1.0] * values.shape[-1]} for name, values in arrays.items()}
    return {"tolerance": tolerance, "half": False, "units": own, "answers": _plain(arrays)}


def compared(record, received):
    """Compares answers with a record, by the gate of the export (`distance.faults`).

    Args:
        record: dict of one of these functions, read from JSON.
        received: dict of arrays (n, ...), as recorded; those without a unit are ignored, and so is the status.

    Returns:
        (largest, problems): dicts by answer: the largest difference, and a list of sentences, empty where it passes.

    Raises:
        ValueError: the answers bear other names; or a head is of a class that is not known here.
    """
    expected = {name: _array(values) for name, values in record["answers"].items()}
    received = {name: values for name, values in received.items() if name != STATUS or name in expected}
    if "heads" in record:
        return answer_problems(_heads(record["heads"]), received, expected, record["tolerance"])
    if not set(received) >= set(expected):
        raise ValueError(f"The outputs must have the names {sorted(expected)}. Received: {sorted(received)}.")
    largest, problems = {}, {}
    for name, unit in record["units"].items():
        largest[name] = float(distances(unit, received[name], expected[name], record["half"]).max())
        problems[name] = faults(unit, received[name], expected[name], record["tolerance"], record["half"])
    return largest, problems


def _heads(configs):
    try:
        return [keras.saving.deserialize_keras_object(config) for config in configs]
    except (TypeError, ValueError, ImportError) as error:
        raise ValueError(
            "Answers are compared by their heads, whose classes must be known. Received: "
            f"{[config['registered_name'] or config['class_name'] for config in configs]}, of which one is not. Import "
            "the module that registers it, and call mmkeras.cli.main from there."
        ) from error


def _plain(arrays):
    return {name: _listed(np.asarray(values)) for name, values in arrays.items()}


def _listed(values):
    texts = [each.decode("utf-8", "replace") for each in values.ravel()] if values.dtype == object else values
    return np.reshape(texts, values.shape).tolist()


def _array(values):
    found = np.array(values)
    if found.dtype.kind != "U":
        return found
    array = np.empty(found.shape, object)
    array[...] = np.reshape([str(each).encode() for each in found.ravel()], found.shape)
    return array
