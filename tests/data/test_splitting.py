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
        ({"group": "scene"}, "group must name a column.*Received: 'scene'"),
    ],
)
def test_errors(raw, arguments, message):
    with pytest.raises(ValueError, match=message):
        mm.data.split(raw, **arguments)


def test_too_few_groups(raw):
    frame = pd.DataFrame({"x": ["a"] * 4, "g": [1, 1, 1, 1]})
    with pytest.raises(ValueError, match="Each part needs at least one row or group. Received: 1 for"):
        mm.data.split(mm.data.from_dataframe(frame, [mm.Text("x")]), group="g")


def test_parts_as_small_as_one_row_or_one_group_are_filled(raw):
    few = raw.subset(range(0, 24, 8))  # three rows, three speakers
    for group in (None, "speaker"):
        parts = mm.data.split(few, (0.9, 0.05, 0.05), stratify=None, group=group)
        assert [len(part) for part in parts] == [1, 1, 1]
    with pytest.raises(ValueError, match="at least one row or group. Received: 1 for"):
        mm.data.split(few.subset([0]))


def test_classes_that_are_too_rare_are_not_spread():
    # Four rows of each of five classes are enough, but a part of 2 rows cannot hold 5 classes.
    frame = pd.DataFrame({"x": list("abcdefghij") * 2, "y": list("abcde") * 4})
    raw = mm.data.from_dataframe(frame, [mm.Text("x")], [mm.heads.classification("y", ["a", "b", "c", "d", "e"])])
    with pytest.warns(UserWarning, match="'b' .4., 'c' .4."):
        assert sum(map(len, mm.data.split(raw, (0.9, 0.1)))) == 20
    with pytest.raises(
        ValueError, match=r"(?s)enough examples for every part. Received: stratify='y'.*stratify='auto' or None"
    ):
        mm.data.split(raw, (0.9, 0.1), stratify="y")


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
def test_groups_have_no_gaps(missing):
    frame = pd.DataFrame({"x": list("abcd"), "g": [1, "b", missing, missing]})
    with pytest.raises(ValueError, match="Every row needs a group. Received: 2 row.* without a value in column 'g'"):
        mm.data.split(mm.data.from_dataframe(frame, [mm.Text("x")]), group="g")


def test_rows_left_out_count_once():
    raw = mm.data.from_dataframe(pd.DataFrame({"x": ["a", "", "b"]}), [mm.Text("x")], on_error="skip")
    assert [len(part.skipped) for part in mm.data.split(raw, (0.5, 0.5))] == [1, 0]


def _animals(**counts):
    frame = pd.DataFrame({"y": [name for name, count in counts.items() for _ in range(count)]})
    frame = frame.sample(frac=1, random_state=0, ignore_index=True).assign(x="text")
    frame["scene"] = frame.index // 3
    return mm.data.from_dataframe(frame, [mm.Text("x")], [mm.heads.classification("y", list(counts))])


@pytest.mark.parametrize("group", [None, "scene"])
def test_one_rare_class_leaves_the_others_stratified(group):
    raw = _animals(cat=540, dog=59, yak=1)
    with pytest.warns(UserWarning, match=r"head 'y' with too few rows .*: 'yak' \(1\). The others") as told:
        parts = mm.data.split(raw, (0.8, 0.1, 0.1), group=group)
    assert len(told) == 1
    dogs = [int(np.sum(part.table["y"] == 1)) for part in parts]
    assert np.abs(np.array(dogs) - [47.2, 5.9, 5.9]).max() < 1
    assert [len(part) for part in parts] == [480, 60, 60]


@pytest.mark.parametrize("group", [None, "scene"])
def test_many_rare_classes_are_spread_together(group):
    raw = _animals(cat=300, **{f"kind{i}": 1 for i in range(200)}, dog=100)
    with pytest.warns(UserWarning, match="'kind0' .1., .* and 190 more"):
        parts = mm.data.split(raw, (0.75, 0.25), group=group)
    assert [int(np.sum(part.table["y"] == 0)) for part in parts] == [225, 75]
    assert [len(part) for part in parts] == [450, 150]


def test_rows_of_labels_of_their_own_are_spread_at_random():
    raw = _animals(**{f"kind{i}": 1 for i in range(20)})
    with pytest.warns(UserWarning, match="spread at random: .*more. No class is stratified"):
        assert [len(part) for part in mm.data.split(raw, (0.8, 0.2))] == [16, 4]


def test_a_class_may_run_out_before_the_last_part():
    raw = _animals(cat=94, dog=6)  # the first part takes all dogs, or all but one
    with pytest.warns(UserWarning, match="'dog' .6."):
        assert sum(map(len, mm.data.split(raw, (0.9, 0.05, 0.05)))) == 100
