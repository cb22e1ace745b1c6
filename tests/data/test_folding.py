"""Folds, and parts in the order of time."""

import numpy as np
import pandas as pd
import pytest

import mmkeras as mm

HEADS = [mm.heads.classification("y", ["a", "b", "rare"])]


def examples(**columns):
    frame = pd.DataFrame({"x": [f"text {i}" for i in range(60)], "y": ["a", "a", "b"] * 20} | columns)
    return mm.data.from_dataframe(frame, [mm.Text("x")], HEADS)


def test_each_row_is_tested_once_and_classes_are_spread():
    raw = examples()
    pairs = list(mm.data.kfold(raw, 5, seed=1))
    tested = np.concatenate([test.frame.index for _, test in pairs])
    assert sorted(tested) == list(range(60))
    for train, test in pairs:
        assert sorted([*train.frame.index, *test.frame.index]) == list(range(60))
        assert np.bincount(test.table["y"]).tolist() == [8, 4]
    again = [list(test.frame.index) for _, test in mm.data.kfold(raw, 5, seed=1)]
    other = [list(test.frame.index) for _, test in mm.data.kfold(raw, 5, seed=2)]
    assert again == [list(test.frame.index) for _, test in pairs] != other


@pytest.mark.parametrize("stratify", ["y", None])
def test_groups_of_folds_stay_together(stratify):
    raw = examples(speaker=np.arange(60) // 6)
    for train, test in mm.data.kfold(raw, 5, group="speaker", stratify=stratify):
        assert len(test) == 12
        assert not set(train.frame.speaker) & set(test.frame.speaker)


def test_rare_classes_are_told():
    raw = examples(y=["rare"] * 2 + ["a", "b"] * 29)
    with pytest.warns(UserWarning, match="too few rows.*'rare' \\(2\\)"):
        assert sum(len(test) for _, test in mm.data.kfold(raw, 4)) == 60
    with pytest.raises(ValueError, match="Each class of 'y' needs a row for each fold. Received: folds=4, and a class"):
        mm.data.kfold(raw, 4, stratify="y")


def test_too_many_folds():
    raw = examples(speaker=np.arange(60) // 30)
    with pytest.raises(ValueError, match="Received: 2 for folds=3. Use fewer folds"):
        mm.data.kfold(raw, 3, group="speaker", stratify=None)
    with pytest.raises(ValueError, match="needs 2 folds or more"):
        mm.data.kfold(raw, 1)
    with pytest.raises(TypeError, match="kfold needs mm.data.Examples.*Received: _TakeDataset"):
        mm.data.kfold(raw.take(4), 2)


TIMES = np.random.default_rng(0).permutation(60)
DAYS = pd.Timestamp("2024-01-01") + pd.to_timedelta(TIMES, "D")


@pytest.mark.parametrize(
    "when",
    [TIMES, TIMES.astype(str), DAYS, DAYS.strftime("%Y-%m-%d %H:%M"), DAYS.tz_localize("Asia/Tokyo"),
     pd.Categorical(DAYS.strftime("%Y-%m-%d"))],
    ids=["numbers", "text of numbers", "dates", "ISO text", "dates with a zone", "categories"],
)  # fmt: skip
def test_parts_in_the_order_of_time(when):
    parts = mm.data.split(examples(when=when), (0.7, 0.2, 0.1), order="when")
    assert [len(part) for part in parts] == [42, 12, 6]
    times = [TIMES[part.frame.index] for part in parts]
    assert times[0].max() < times[1].min() <= times[1].max() < times[2].min()


def test_rows_of_one_time_stay_together():
    first, last = mm.data.split(examples(when=np.arange(60) // 25), (0.5, 0.5), order="when")
    assert (len(first), len(last)) == (50, 10)


@pytest.mark.parametrize(
    ("when", "arguments", "message"),
    [
        (TIMES, {"order": "wen"}, "order must name a column.*'wen'. Did you mean 'when'"),
        (TIMES, {"order": "when", "group": "x"}, "order= cannot be combined"),
        ([np.nan, *TIMES[1:]], {"order": "when"}, "1 row.s. without a value in column 'when'"),
        (["1/2/2024"] * 60, {"order": "when"}, "ISO 8601 text such as .* Received: '1/2/2024' in row 0, column 'when'"),
        ([7] * 60, {"order": "when"}, "Each part needs at least one time. Received: 1 different"),
    ],
)
def test_wrong_orders_are_told(when, arguments, message):
    with pytest.raises(ValueError, match=message):
        mm.data.split(examples(when=when), **arguments)
