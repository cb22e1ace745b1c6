"""LSTMs of a served graph are one op, whose answers are those of Keras' loop for every mask."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from mmkeras.export._saved_model.recurrent import block_loop, fast_lstms, is_one_op
from mmkeras.export.graph import loops
from mmkeras.export.ops import used_ops

RNG = np.random.default_rng(0)
LSTM, EVERY = keras.layers.LSTM, {"return_sequences": True}
LAYERS = {
    "last state": LSTM(4),
    "every state": LSTM(4, **EVERY),
    "backwards": LSTM(4, go_backwards=True, **EVERY),
    "last state backwards, no bias": LSTM(4, go_backwards=True, use_bias=False),
    "states": LSTM(4, return_state=True, **EVERY),
    "zeros where masked": LSTM(4, zero_output_for_mask=True, return_state=True),
    "zeros backwards": LSTM(4, zero_output_for_mask=True, go_backwards=True, **EVERY),
}
for each in LAYERS.values():
    each.build((6, None, 3))
    each.set_weights([RNG.normal(0, 0.5, weight.shape) for weight in each.get_weights()])
# Rows without padding, padded behind and before, with holes, of padding alone, and one real token.
MASK = np.array([[1] * 7, [1, 1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 1, 1, 1], [0, 1, 0, 1, 1, 0, 1], [0] * 7, [0] * 6 + [1]])


@pytest.mark.parametrize("name", LAYERS)
def test_it_equals_the_loop_of_keras(name):
    layer = LAYERS[name]
    x, states = RNG.normal(size=(6, 7, 3)).astype("float32"), [tf.ones((6, 4)), tf.fill((6, 4), 0.5)]
    for mask in (None, MASK > 0, MASK[4:5].repeat(6, 0) > 0):
        for initial in (None, states):
            expected = layer(x, mask=mask, initial_state=initial)
            with loops([layer], block_loop):
                found = layer(x, mask=mask, initial_state=initial)
            for one, other in zip(keras.tree.flatten(found), keras.tree.flatten(expected), strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-5, atol=2e-6)


def test_what_is_masked_may_be_nan():
    layer, x = LAYERS["every state"], RNG.normal(size=(6, 7, 3)).astype("float32")
    expected = layer(x, mask=MASK > 0)
    with loops([layer], block_loop):
        found = layer(np.where(MASK[:, :, None], x, np.nan), mask=MASK > 0)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=2e-6)


def test_other_layers_keep_their_loops():
    half = LSTM(4, dtype="mixed_float16")
    others = [keras.layers.GRU(4), LSTM(4, unroll=True), LSTM(4, activation="relu"), half, type("Own", (LSTM,), {})(4),
              LSTM(4, recurrent_activation="hard_sigmoid")]  # fmt: skip
    assert not any(map(is_one_op, others)) and is_one_op(LSTM(4))


def test_a_served_graph_holds_the_op_and_the_model_stays_as_it_was(exported, parts):
    assert "BlockLSTMV2" in used_ops(exported.path)
    (layer, *_) = [layer for layer in parts.model._flatten_layers() if isinstance(layer, LSTM)]
    with fast_lstms(parts.model):
        assert "inner_loop" in vars(layer)
    assert "inner_loop" not in vars(layer)
