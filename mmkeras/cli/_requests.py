"""The request that an export stored, asked again."""

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np

from mmkeras import edge
from mmkeras.cli import _answering
from mmkeras.cli._artefacts import SAVED_MODEL, Artefact


def asked(artefact: Artefact, record: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Answers of a SavedModel, or outputs by head of a LiteRT file, to the request (n, ...) that was stored with it."""
    rows = rows_of(artefact, record)
    if artefact.kind == SAVED_MODEL:
        return _answering.opened(artefact)(rows)
    return _outputs(edge.Model(artefact.path), rows, artefact.read_beside("parity.json")["batch_size"])


def rows_of(artefact: Artefact, record: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Raw examples of the request that was stored with an export; none where there is none.

    Args:
        artefact: the export.
        record: its answers.json, which for a LiteRT file holds the request.
    """
    if artefact.kind == SAVED_MODEL:
        request, inputs = artefact.read_beside("request.json"), {each.name: each for each in artefact.inputs}
    else:
        request, inputs = (record or {}).get("request"), None
    return [_raw(row, inputs) for row in request["instances"]] if request else []


def _raw(row, inputs=None):
    """An instance of a REST request -> raw values by name."""
    return {name: _value(value, inputs and inputs[name].dtype) for name, value in row.items()}


def _value(value, dtype):
    if isinstance(value, dict):
        return base64.b64decode(value["b64"])
    if isinstance(value, str):
        return value.encode()
    return np.asarray(value, dtype) if dtype else value


def _outputs(model, rows, size):
    """Outputs (n, ...) of a file that takes `size` examples at once."""
    ready, found = [model.preprocess(row) for row in rows], []
    for start in range(0, len(ready), size):
        some = [ready[min(i, len(ready) - 1)] for i in range(start, start + size)]  # the last fills the batch
        found.append(model.predict({name: np.concatenate([row[name] for row in some]) for name in some[0]}))
    return {name: np.concatenate([each[name] for each in found])[: len(rows)] for name in found[0]}
