"""Recorded answers survive JSON, and are held to the gate of the export."""

import json

import numpy as np
import pytest

import mmkeras as mm
from mmkeras.export import record
from mmkeras.export.fit import decoded

HEADS = [
    mm.heads.classification("mood", classes=["a", "b", "grün"]),
    mm.heads.classification("tags", classes=["a", "b"], multi_label=True),
    mm.heads.regression("year", mean=2000.0, std=5.0),
]
OUTPUTS = {
    "mood": np.array([[0.1, 0.2, 0.7], [0.6, 0.3, 0.1]], "float32"),
    "tags": np.array([[0.25, 0.75], [0.1, 1.0]], "float32"),
    "year": np.array([[2001.5], [np.float32(1999.1)]], "float32"),
}


def answers(outputs):
    return {name: np.asarray(value) for name, value in decoded(HEADS, outputs).items()}


def test_the_same_answers_are_no_different():
    stored = json.loads(json.dumps(record.of_answers(HEADS, answers(OUTPUTS), 1e-5)))
    largest, problems = record.compared(stored, answers(OUTPUTS))
    assert set(largest.values()) == {0.0} and not any(problems.values())
    stored = json.loads(json.dumps(record.of_outputs(HEADS, OUTPUTS, 1e-4, False, {})))
    largest, problems = record.compared(stored, OUTPUTS)
    assert set(largest.values()) == {0.0} and not any(problems.values())


def test_other_answers_are_told_by_head():
    other = OUTPUTS | {"year": OUTPUTS["year"] + 1, "mood": OUTPUTS["mood"][::-1]}
    stored = json.loads(json.dumps(record.of_answers(HEADS, answers(OUTPUTS), 1e-5)))
    _, problems = record.compared(stored, answers(other))
    assert "largest difference 0.2 standard deviations" in problems["year"][0] and problems["mood"]
    assert not problems["tags_scores"]
    stored = record.of_outputs(HEADS, OUTPUTS, 1e-4, False, {})
    assert "allowed 0.0001" in record.compared(stored, other)[1]["mood"][0]
    with pytest.raises(ValueError, match=r"must have the names \['mood', 'tags', 'year'\]. Received: \['mood'\]"):
        record.compared(stored, {"mood": OUTPUTS["mood"]})


def test_numbers_without_a_head_are_compared_by_their_difference():
    stored = record.of_numbers({"scores": np.array([[0.5, 0.25], [1.0, 0.0]], "float32")}, 1e-5)
    near = np.array([[0.5, 0.25], [1.0, 1e-6]], "float32")
    assert not record.compared(stored, {"scores": near, "identifiers": np.array([[b"a"]], object)})[1]["scores"]
    assert record.compared(stored, {"scores": near + 0.1})[1]["scores"]


def test_a_head_of_an_unknown_class_is_named():
    stored = record.of_answers(HEADS, answers(OUTPUTS), 1e-5)
    stored["heads"][0] |= {"registered_name": "mine>Rank", "module": "mine", "class_name": "Rank"}
    with pytest.raises(ValueError, match=r"whose classes must be known. Received: .*'mine>Rank'.* Import the module"):
        record.compared(stored, answers(OUTPUTS))
