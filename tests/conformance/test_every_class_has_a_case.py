"""A public layer, branch, fusion or head without a case would be free of every promise."""

import inspect

import pytest

import mmkeras as mm

ROOMS = {
    "layers": [getattr(mm.layers, name) for name in mm.layers.__all__],
    "fusion": [getattr(mm.fusion, name) for name in mm.fusion.__all__],
    "heads": [mm.heads.classification, mm.heads.generation, mm.heads.regression, mm.heads.transcription],
    "branches": [mm.branches.from_model]
    + [
        function
        for room in mm.branches.__all__
        for name, function in inspect.getmembers(getattr(mm.branches, room), inspect.isfunction)
        if f"{function.__module__}.".startswith(f"mmkeras.branches.{room}.")
        if not name.startswith("_") and name != "conv_blocks"
    ],
}


@pytest.mark.parametrize("room", ROOMS)
def test_every_public_thing_has_a_case(room, cases):
    covered = [case.covers for case in cases.values()]
    assert ROOMS[room]
    assert [thing.__name__ for thing in ROOMS[room] if thing not in covered] == []


def test_every_head_is_known_here():
    heads = mm.heads.Classification, mm.heads.Generation, mm.heads.Regression, mm.heads.Transcription
    names = [name for name in mm.heads.__all__ if getattr(mm.heads, name) in heads]
    assert sorted(map(str.lower, names)) == sorted(2 * ["classification", "generation", "regression", "transcription"])
