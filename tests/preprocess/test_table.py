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
    assert row[:, 1].tolist() == [0, 0, 0, 0]  # a constant column: deviation 1, not 0
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
