import keras
import numpy as np
import pytest
import tensorflow as tf

import mmkeras as mm

SPEC = mm.Table("customer", numeric=["age", "income"], categorical=["city"], max_categories=4)
ROWS = {
    "age": np.array([20, 40, np.nan, 60], "float32"),
    "income": np.array([1e6, 1e6, 1e6, 1e6], "float32"),
    "city": np.array(["Rome", "Oslo", "Rome", ""], object),
}


@pytest.fixture(scope="module")
def model():
    return mm.adapt(mm.preprocessor([SPEC]), tf.data.Dataset.from_tensor_slices(ROWS), batch_size=3, verbose=False)


def test_numbers_are_standardised_and_categories_numbered(model):
    ready = model({name: tf.constant(values) for name, values in ROWS.items()})
    age = np.array([20, 40, 60])
    expected = (age - age.mean()) / age.std()
    row, mask = ready["customer"].numpy(), ready["customer_mask"].numpy()
    np.testing.assert_allclose(row[[0, 1, 3], 0], expected, rtol=1e-6)
    assert row[:, 1].tolist() == [0, 0, 0, 0]  # the deviation of a constant column is 1, not 0
    assert row[:, 2].tolist() == [2, 3, 2, 0]
    assert mask.tolist() == [[1, 1, 1], [1, 1, 1], [0, 1, 1], [1, 1, 0]]


def test_unknown_categories(model):
    ready = model({"age": tf.constant([1.0]), "income": tf.constant([1.0]), "city": tf.constant(["Paris"])})
    assert ready["customer"].numpy()[0, 2] == 1
    assert ready["customer_mask"].numpy()[0, 2]


def test_statistics_of_many_batches_are_exact():
    values = np.random.default_rng(0).normal(1e4, 3.0, 5000).astype("float32")
    rows = tf.data.Dataset.from_tensor_slices({"a": values})
    model = mm.adapt(mm.preprocessor([mm.Table("t", numeric=["a"])]), rows, batch_size=7, verbose=False)
    layer = model.get_layer("t_preprocess")
    np.testing.assert_allclose(layer.mean.numpy(), values.astype("float64").mean(), rtol=1e-6)
    np.testing.assert_allclose(layer.std.numpy(), values.astype("float64").std(), rtol=1e-5)


def test_only_the_most_frequent_categories_are_kept():
    rows = tf.data.Dataset.from_tensor_slices({"c": ["x"] * 3 + ["y"] * 2 + ["z"]})
    model = mm.adapt(mm.preprocessor([mm.Table("t", categorical=["c"], max_categories=4)]), rows, verbose=False)
    assert model({"c": tf.constant(["x", "y", "z"])})["t"].numpy()[:, 0].tolist() == [2, 3, 1]


def adapted(spec, **columns):
    return mm.adapt(mm.preprocessor([spec]), tf.data.Dataset.from_tensor_slices(columns), verbose=False)


def test_outliers_are_clipped_and_told(capsys):
    ages = np.r_[np.arange(99), 1e30].astype("float32")
    rows = tf.data.Dataset.from_tensor_slices({"a": np.tile(ages, 2), "b": np.tile(np.arange(100.0), 2)})
    mm.adapt(mm.preprocessor([mm.Table("t", numeric=["a", "b"])]), rows)
    assert "; outliers in a: 1e+30 lies 9.9 deviations (9.95e+28) from the mean\n" in capsys.readouterr().out
    model = adapted(mm.Table("t", numeric=["a"]), a=ages[:99])
    far = model({"a": tf.constant([1e30, -3e38, 3e38, 98.0])})["t"].numpy()[:, 0]
    assert far[:3].tolist() == [10, -10, 10] and 1 < far[3] < 2


@pytest.mark.parametrize("step", [0.0, 60.0])
def test_numbers_that_float32_cannot_tell_apart_are_refused(step):
    seconds = (1.7e9 + step * np.arange(60)).astype("float32")
    message = "t: column 's' must differ by more.*where the spacing of float32 is 128. Subtract an offset"
    with pytest.raises(ValueError, match=message):
        adapted(mm.Table("t", numeric=["s"]), s=seconds)
    adapted(mm.Table("t", numeric=["s"]), s=seconds + np.arange(60, dtype="float32") * 86400)
    adapted(mm.Table("t", numeric=["s"]), s=np.float32(1e-9) * np.array([-1, 1], "float32"))


STRANGE = ["[UNK]", "a\x85b", "c\nd", " ", "e\x00f"]


def test_any_text_may_be_a_category(tmp_path):
    model = adapted(mm.Table("t", categorical=["c"], optional=True), c=STRANGE)
    model.save(tmp_path / "p.keras")
    for each in (model, mm.load_model(tmp_path / "p.keras")):
        ids = each({"c": tf.constant([*STRANGE, "\0unknown", ""])})["t"].numpy()[:, 0].tolist()
        assert sorted(ids[:5]) == [2, 3, 4, 5, 6] and ids[5:] == [1, 0]


def test_categories_are_utf_8():
    spec = mm.Table("t", categorical=["c"])
    with pytest.raises(ValueError, match="t: categories must be UTF-8. Received: b'.xff' in column 'c'"):
        adapted(spec, c=[b"\xff"])
    with pytest.raises(tf.errors.InvalidArgumentError, match="column .*'c.*': a category must be UTF-8"):
        adapted(spec, c=["a"])({"c": tf.constant([b"a", b"\xff"])})


def test_equal_mapped_and_reloaded(model, tmp_path):
    rows = tf.data.Dataset.from_tensor_slices(ROWS)
    expected = model(next(iter(rows.batch(4))))
    model.save(tmp_path / "p.keras")
    again = keras.models.load_model(tmp_path / "p.keras")
    for found in (rows.batch(4).map(model), rows.batch(1).map(model).unbatch().batch(4), rows.batch(4).map(again)):
        for name, value in next(iter(found)).items():
            np.testing.assert_array_equal(value, expected[name])


def test_errors(model):
    row = {"age": tf.constant([np.inf]), "income": tf.constant([1.0]), "city": tf.constant(["x"])}
    with pytest.raises(tf.errors.InvalidArgumentError, match="customer: numbers must be finite"):
        model(row)
    absent = {"age": tf.constant([np.nan]), "income": tf.constant([np.nan]), "city": tf.constant([""])}
    with pytest.raises(tf.errors.InvalidArgumentError, match="customer: a required row needs at least one value"):
        model(absent)
    with pytest.raises(ValueError, match="customer: means and categories are not learned yet"):
        mm.preprocessor([SPEC])(row)
