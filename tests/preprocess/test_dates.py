"""Dates of a table: their parts in the graph, on a device and in every source."""

import datetime
import json

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import mmkeras as mm
from mmkeras import edge
from mmkeras.export._litert.package.describe import describe
from mmkeras.formats.dates import PARTS, parts
from mmkeras.preprocess.dates import date_parts

SPEC = mm.Table("row", numeric="n", dates="sold", categorical="c")
DATES = ["2024-02-29", "2021-12-31 18:30", "1999-01-01T23:59:59.5Z", "2000-03-01 06:00:00+02:00", ""]
ROWS = {"n": np.arange(5, dtype="float32"), "sold": DATES, "c": ["a", "b", "a", "b", "a"]}


@pytest.fixture(scope="module")
def preprocess():
    return mm.adapt(mm.preprocessor([SPEC]), tf.data.Dataset.from_tensor_slices(ROWS), verbose=False)


def test_parts_are_those_of_python():
    rng = np.random.default_rng(0)
    moments = [datetime.datetime(1, 1, 1) + datetime.timedelta(minutes=int(n)) for n in rng.integers(0, 5e9 / 5, 200)]
    days = [datetime.datetime(year, month, 28) for year in (1900, 2000, 2023, 2024) for month in range(1, 13)]
    moments += days + [day + datetime.timedelta(days=1) for day in days]
    ours = date_parts(tf.constant([str(moment) for moment in moments]), "sold").numpy()
    np.testing.assert_allclose(ours, [parts(moment.isoformat()) for moment in moments], atol=1e-6)
    columns = dict(zip(PARTS, ours.T, strict=True))
    assert columns["year"].tolist() == [moment.year for moment in moments]
    for name, turn in {
        "month": lambda m: (m.month - 1) / 12,
        "day": lambda m: (m.day - 1) / 31,
        "weekday": lambda m: m.weekday() / 7,
        "hour": lambda m: (m.hour + m.minute / 60) / 24,
    }.items():
        angles = 2 * np.pi * np.array([turn(moment) for moment in moments])  # fmt: skip
        np.testing.assert_allclose(columns[f"{name}_sin"], np.sin(angles), atol=1e-6)
        np.testing.assert_allclose(columns[f"{name}_cos"], np.cos(angles), atol=1e-6)


def test_a_missing_date_is_masked_and_years_are_standardised(preprocess):
    ready = preprocess({name: tf.constant(values) for name, values in ROWS.items()})
    row, mask = ready["row"].numpy(), ready["row_mask"].numpy()
    years = np.array([2024, 2021, 1999, 2000])
    np.testing.assert_allclose(row[:4, 1], (years - years.mean()) / years.std(), rtol=1e-5)
    assert mask[:4].all() and mask[4].tolist() == [True] + [False] * 9 + [True] and not row[4, 1:10].any()
    assert SPEC.columns[:3] == ("n", "sold_year", "sold_month_sin") and len(SPEC.columns) == row.shape[1]


def test_a_device_and_a_file_give_the_same(preprocess, tmp_path):
    ready = preprocess({name: tf.constant(values) for name, values in ROWS.items()})
    prepare = edge.Preprocess(json.loads(json.dumps(describe(preprocess, [])))["inputs"])
    rows = [dict(zip(ROWS, values, strict=True)) for values in zip(*ROWS.values(), strict=True)]
    rows[1]["sold"], rows[4]["sold"] = datetime.datetime(2021, 12, 31, 18, 30), np.datetime64("NaT")
    for name in ready:
        np.testing.assert_allclose(np.concatenate([prepare(row)[name] for row in rows]), ready[name], atol=1e-5)
    for wrong in ("nan", b"\xff", 2024, 10**5000, ["2024-01-01"]):
        with pytest.raises(ValueError, match="row: column 'sold': a date is written as 2024-01-31"):
            prepare(rows[0] | {"sold": wrong})
    with pytest.raises(ValueError, match="column 'sold': a date is written as 2024-01-31.*Received: '31.01.2024'"):
        prepare(rows[0] | {"sold": "31.01.2024"})
    preprocess.save(tmp_path / "p.keras")
    again = mm.load_model(tmp_path / "p.keras")({name: tf.constant(values) for name, values in ROWS.items()})
    np.testing.assert_array_equal(again["row"], ready["row"])


@pytest.mark.parametrize(
    "text", ["31.01.2024", "2023-02-29", "1900-02-29", "2024-13-01", "0000-01-01", "2024-01-01 24:00"]
)
def test_no_date(text):
    assert parts(text) is None
    with pytest.raises(tf.errors.InvalidArgumentError, match="sold: A date is written as 2024-01-31.*example 1 of"):
        date_parts(tf.constant(["2024-01-01", text]), "sold")


def test_columns_of_a_table(tmp_path):
    spec = mm.Table("row", dates="sold", optional=True)
    moments = pd.to_datetime(pd.Series(["2024-01-05 10:00", None]))
    for values in (moments, moments.dt.tz_localize("UTC"), moments.astype(object), ["2024-01-05 10:00", None]):
        found = mm.data.from_dataframe(pd.DataFrame({"sold": values}), [spec]).table["sold"]
        assert found[0].startswith(b"2024-01-05 10:00") and found[1] == b""
    (tmp_path / "t.csv").write_text("sold\n2024-01-05\n05/01/2024\n2023-02-29\n")
    with pytest.raises(ValueError, match="row 1.*'05/01/2024' is no date: a date is written as 2024-01-31"):
        mm.data.from_csv(tmp_path / "t.csv", [spec])
    raw = mm.data.from_csv(tmp_path / "t.csv", [spec], on_error="skip")
    assert "year 2024" in str(raw.describe())
    assert raw.table["sold"].tolist() == [b"2024-01-05"] and [fault.row for fault in raw.skipped] == [1, 2]
    assert mm.adapt(mm.preprocessor([spec]), raw, verbose=False)({"sold": tf.constant([""])})["row"].shape == (1, 9)
    with pytest.raises(ValueError, match="A date must be a point in time. Received: timedelta64.* as 'sold'"):
        mm.data.from_dataframe(pd.DataFrame({"sold": moments - moments[0]}), [spec])


def test_exports_take_them(preprocess, tmp_path, one_process):
    head = mm.heads.regression("price", mean=0.0, std=1.0)
    branches = {"row": mm.branches.table.mlp(preprocess.specs[0], units=(4,))}
    model = mm.fusion_model(preprocess.specs, branches, mm.fusion.Concatenate(), [head])
    mm.export.saved_model(preprocess, model, tmp_path / "1", samples=ROWS)
    call = tf.saved_model.load(str(tmp_path / "1")).signatures["serving_default"]
    served = call(**{name: tf.constant(values) for name, values in ROWS.items()})
    expected = model(preprocess({name: tf.constant(values) for name, values in ROWS.items()}))["price"].numpy()
    assert np.ptp(expected) > 0.01
    np.testing.assert_allclose(served["price"], expected, atol=1e-5)
    mm.export.litert(preprocess, model, tmp_path / "1.tflite", samples=ROWS, verbose=False)
    device = edge.Model(tmp_path / "1.tflite")
    for i, price in enumerate(expected):
        answer = device({name: values[i] for name, values in ROWS.items()})
        np.testing.assert_allclose(answer["price"], price, atol=1e-4)
