"""The unknown id is trained, where training holds nothing unknown, and nothing is replaced in inference."""

import keras
import numpy as np
import pytest

import mmkeras as mm
from mmkeras import layers
from mmkeras.branches import table, text

IDS = np.tile(np.array([[0, 1, 2, 9]], "int32"), (5000, 1))


def test_a_share_of_the_known_ids_is_replaced():
    hidden = layers.UnknownDropout(0.1, seed=1)(IDS, training=True).numpy()
    assert hidden.dtype == "int32" and hidden[:, :2].tolist() == IDS[:, :2].tolist()
    assert set(hidden[:, 2]) == {1, 2} and set(hidden[:, 3]) == {1, 9}
    np.testing.assert_allclose((hidden == 1)[:, 2:].mean(axis=0), 0.1, atol=0.02)
    again = layers.UnknownDropout(0.1, seed=1)(IDS, training=True).numpy()
    np.testing.assert_array_equal(hidden, again)


def test_nothing_is_replaced_in_inference():
    layer = layers.UnknownDropout(0.5)
    for training in (False, None):
        np.testing.assert_array_equal(layer(IDS, training=training), IDS)


@pytest.mark.parametrize("rate", [1.0, -0.1, "0.1"])
def test_errors(rate):
    with pytest.raises(ValueError, match="rate of UnknownDropout must be at least 0 and below 1. Received"):
        layers.UnknownDropout(rate)


ROW = mm.Table("row", categorical=["c"], max_categories=5)
WORDS = mm.Text("words", vocabulary_size=5)


@pytest.mark.parametrize(
    "branch",
    [
        lambda rate: table.mlp(ROW, unknown_rate=rate),
        lambda rate: table.transformer(ROW, num_layers=1, dropout=0, unknown_rate=rate),
        lambda rate: text.lstm(WORDS, units=4, unknown_rate=rate),
        lambda rate: text.gru(WORDS, units=4, unknown_rate=rate),
        lambda rate: text.transformer(WORDS, dim=8, num_heads=2, num_layers=1, dropout=0, unknown_rate=rate),
    ],
    ids=["table.mlp", "table.transformer", "text.lstm", "text.gru", "text.transformer"],
)
def test_the_unknown_row_is_trained(branch):
    for rate in (0.0, 0.5):
        keras.utils.set_random_seed(1)
        model = branch(rate)
        value, mask = model.input
        ids = np.full((64, 1), 3, model.input[value].dtype)
        table_ = next(weight for weight in model.trainable_weights if weight.path.endswith("embeddings"))
        before = table_.numpy()
        pooled = keras.Model(model.input, keras.ops.mean(model.output[0], axis=1))
        pooled.compile("sgd", "mse")
        pooled.fit({value: ids, mask: np.ones((64, 1), bool)}, np.ones((64, *pooled.output_shape[1:])), verbose=0)
        changed = np.abs(table_.numpy() - before).max(axis=1) > 0
        assert changed.tolist() == [False, rate > 0, False, True, False]
