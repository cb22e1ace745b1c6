"""The loops that are exported give what Keras' own give, for every mask and length."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import mmkeras as mm
from mmkeras.export._litert.convert.loop import BLOCK, fast_loop, loops_fast
from mmkeras.export._litert.convert.recurrent import written_as
from mmkeras.export._litert.convert.trace import Form, write_traced
from mmkeras.export._litert.verify.flatbuffer import used_ops
from mmkeras.export.graph import loops
from mmkeras.export.process.litert import convert_files, run_files
from mmkeras.export.process.scripts import plan

RNG = np.random.default_rng(0)
LSTM, GRU, EVERY = keras.layers.LSTM, keras.layers.GRU, {"return_sequences": True}
LAYERS = {
    "last state of an LSTM": LSTM(4),
    "every state of an LSTM": LSTM(4, **EVERY),
    "backwards": LSTM(4, go_backwards=True, **EVERY),
    "last state backwards": GRU(4, go_backwards=True),
    "every state of a GRU": GRU(4, **EVERY),
    "an older GRU": GRU(4, reset_after=False, **EVERY),
    "other activations, no bias": LSTM(4, activation="relu", recurrent_activation="hard_sigmoid", use_bias=False),
    "a GRU without bias": GRU(4, use_bias=False, activation="softsign", **EVERY),
    "states": LSTM(4, return_state=True, **EVERY),
    "zeros where masked": LSTM(4, zero_output_for_mask=True, **EVERY),
    "zeros backwards": GRU(4, zero_output_for_mask=True, go_backwards=True, **EVERY),
}
for each in LAYERS.values():
    each.build((6, None, 3))
    each.set_weights([RNG.normal(0, 0.5, weight.shape) for weight in each.get_weights()])


def mask_of(length):
    """Rows without padding, padded behind and before, with holes, and of padding alone."""
    behind = np.arange(length) < length * np.array([[1.0], [0.4], [0.8]])
    return np.concatenate([behind, behind[1:2, ::-1], RNG.random((1, length)) < 0.5, np.zeros((1, length), bool)])


@pytest.mark.parametrize("name", LAYERS)
def test_they_equal_those_of_keras(name):
    layer = LAYERS[name]
    for length in (BLOCK, 2 * BLOCK + 3):
        x = RNG.normal(size=(6, length, 3)).astype("float32")
        for mask in (None, mask_of(length)):
            expected = layer(x, mask=mask)
            with loops([layer], fast_loop):
                found = layer(x, mask=mask)
            for one, other in zip(keras.tree.flatten(found), keras.tree.flatten(expected), strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-5, atol=2e-6)


def test_lengths_may_be_free_and_states_given():
    layer = LAYERS["states"]

    @tf.function(input_signature=[tf.TensorSpec((2, None, 3)), tf.TensorSpec((2, None), tf.bool)], autograph=False)
    def graph(x, mask):
        with loops([layer], fast_loop):
            return layer(x, mask=mask, initial_state=[x[:, 0, :1] + tf.ones(4), tf.ones((2, 4))])

    for length in (1, BLOCK, 2 * BLOCK + 3):
        x, mask = RNG.normal(size=(2, length, 3)).astype("float32"), np.arange(length)[None] < [[length], [length // 2]]
        expected = layer(x, mask=mask, initial_state=[x[:, 0, :1] + tf.ones(4), tf.ones((2, 4))])
        for one, other in zip(graph(x, mask), expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=2e-6)


def test_other_recurrent_layers_keep_theirloops():
    plain, unrolled = keras.layers.SimpleRNN(4), LSTM(4, unroll=True)
    others = plain, unrolled, type("Own", (LSTM,), {})(4)
    assert not any(map(loops_fast, others)) and loops_fast(LSTM(4))
    inputs = keras.Input((5, 3))
    lstm = LSTM(4)
    model = keras.Model(inputs, [plain(inputs), unrolled(inputs), lstm(inputs)])
    with written_as("while", model):
        assert ["inner_loop" in vars(layer) for layer in (plain, unrolled, lstm)] == [False, False, True]
    assert "inner_loop" not in vars(lstm) and unrolled.unroll


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A file of an LSTM whose every state is used, on texts of any length; and its model."""
    spec = mm.Text("a", vocabulary=("x", "y", "z"), max_tokens=64)
    branch = mm.branches.text.lstm(spec, units=32, embed_dim=8, pool="mean")
    head = mm.heads.regression("sum", mean=0.0, std=1.0)
    model = mm.fusion_model([spec], {"a": branch}, mm.fusion.Concatenate(4), [head])
    folder = tmp_path_factory.mktemp("loop")
    with written_as("while", model):
        write_traced(model, folder / "saved", Form())
    (answer,) = convert_files([{"saved_model": folder / "saved", "path": folder / "loop.tflite", "quantize": None}])
    assert "error" not in answer
    return folder / "loop.tflite", model


def test_the_file_answers_as_the_model_does(written):
    path, model = written
    feeds = []
    for length, real in ((1, 1), (BLOCK, 3), (2 * BLOCK + 3, BLOCK), (40, 40), (40, 0)):
        ids = RNG.integers(2, 5, (1, length)).astype("int32")
        feeds.append({"a": ids, "a_mask": np.arange(length)[None] < real})
    (answers,) = run_files([(path, [*feeds, feeds[0]])])
    for feed, answer in zip([*feeds, feeds[0]], answers, strict=True):
        np.testing.assert_allclose(answer["sum"], model(feed)["sum"], atol=1e-6)


def test_whole_blocks_are_written(written):
    ops = used_ops(written[0])
    assert len(ops["WHILE"]) == 2 and len(ops["DYNAMIC_UPDATE_SLICE"]) == 2


def test_the_weights_of_a_loop_in_a_loop_get_8_bits(written):
    graph = plan.Graph(written[0].read_bytes())
    for mode, wanted in (("int8", {"dynamic"}), ("float32", {None})):
        found = graph.treatments(dict.fromkeys(graph.parts(), mode), {}, False)
        pairs = [pair for i in range(1, len(found)) for pair in zip(graph.graphs[i], found[i], strict=True)]
        assert {treatment for op, treatment in pairs if op.kind == "FULLY_CONNECTED"} == wanted
