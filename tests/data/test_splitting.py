import numpy as np
import pandas as pd
import pytest

import mmkeras as mm

HEADS = [mm.heads.classification("y", ["a", "b"])]


@pytest.fixture(scope="module")
def raw():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": [f"text {i}" for i in range(400)], "y": rng.choice(["a", "b"], 400, p=[0.9, 0.1])})
    frame["speaker"] = np.arange(400) // 8
    return mm.data.from_dataframe(frame, [mm.Text("x")], HEADS)


def test_parts_are_disjoint_complete_stratified_and_seeded(raw):
    parts = mm.data.split(raw, (0.7, 0.2, 0.1), seed=1)
    assert [len(part) for part in parts] == [280, 80, 40]
    assert sorted(row for part in parts for row in part.frame.index) == list(range(400))
    shares = [np.mean(part.table["y"]) for part in parts]
    assert np.ptp(shares) < 0.02
    again = mm.data.split(raw, (0.7, 0.2, 0.1), seed=1)
    other = mm.data.split(raw, (0.7, 0.2, 0.1), seed=2)
    assert [list(part.frame.index) for part in parts] == [list(part.frame.index) for part in again]
    assert list(parts[0].frame.index) != list(other[0].frame.index)


@pytest.mark.parametrize("stratify", ["y", None])
def test_groups_stay_together(raw, stratify):
    parts = mm.data.split(raw, (0.8, 0.1, 0.1), group="speaker", stratify=stratify)
    speakers = [set(part.frame.speaker) for part in parts]
    assert not (speakers[0] & speakers[1] or speakers[0] & speakers[2] or speakers[1] & speakers[2])
    assert sum(map(len, parts)) == 400
    assert abs(len(parts[0]) - 320) <= 40


def test_a_part_reads_its_own_rows(raw):
    part = mm.data.split(raw, (0.5, 0.5))[1]
    texts = [row["x"].decode() for row in part.as_numpy_iterator()]
    assert texts == list(part.frame.x)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"fractions": (0.5, 0.2)}, "add up to 1. Received: \\(0.5, 0.2\\)"),
        ({"stratify": "z"}, "single-label classification head. Received: 'z'"),
        ({"group": "scene"}, "group names a column.*Received: 'scene'"),
    ],
)
def test_errors(raw, arguments, message):
    with pytest.raises(ValueError, match=message):
        mm.data.split(raw, **arguments)


def test_too_few_groups(raw):
    frame = pd.DataFrame({"x": ["a"] * 4, "g": [1, 1, 1, 1]})
    with pytest.raises(ValueError, match="Each part needs a row, or a group, of its own. Received: 1 for"):
        mm.data.split(mm.data.from_dataframe(frame, [mm.Text("x")]), group="g")


def test_parts_as_small_as_one_row_or_one_group_are_filled(raw):
    few = raw.subset(range(0, 24, 8))  # three rows, three speakers
    for group in (None, "speaker"):
        parts = mm.data.split(few, (0.9, 0.05, 0.05), stratify=None, group=group)
        assert [len(part) for part in parts] == [1, 1, 1]
    with pytest.raises(ValueError, match="a row, or a group, of its own. Received: 1 for"):
        mm.data.split(few.subset([0]))


def test_classes_that_are_too_rare_are_not_spread():
    # Five classes of four: enough of each, but a part of 2 rows cannot hold 5 classes.
    frame = pd.DataFrame({"x": list("abcdefghij") * 2, "y": list("abcde") * 4})
    raw = mm.data.from_dataframe(frame, [mm.Text("x")], [mm.heads.classification("y", ["a", "b", "c", "d", "e"])])
    assert sum(map(len, mm.data.split(raw, (0.9, 0.1)))) == 20
    with pytest.raises(ValueError, match=r"(?s)enough examples for every part. Received: stratify='y'.*stratify=None"):
        mm.data.split(raw, (0.9, 0.1), stratify="y")


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
def test_groups_have_no_gaps(missing):
    frame = pd.DataFrame({"x": list("abcd"), "g": [1, "b", missing, missing]})
    with pytest.raises(ValueError, match="Every row needs a group. Received: 2 row.* with nothing in column 'g'"):
        mm.data.split(mm.data.from_dataframe(frame, [mm.Text("x")]), group="g")


def test_rows_left_out_count_once():
    raw = mm.data.from_dataframe(pd.DataFrame({"x": ["a", "", "b"]}), [mm.Text("x")], on_error="skip")
    assert [len(part.skipped) for part in mm.data.split(raw, (0.5, 0.5))] == [1, 0]
