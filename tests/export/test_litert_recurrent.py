"""LSTMs as one op and as single steps; as loops they are in test_litert.py and in the conformance tests."""

import types

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema

import mmkeras as mm
from mmkeras.export import litert
from mmkeras.export._litert.convert.fused import OP
from mmkeras.export._litert.convert.recurrent import check_recurrent, written_as
from mmkeras.export._litert.convert.trace import Form
from mmkeras.export.graph import recurrent_layers
from mmkeras.export.process.litert import run_files

VOCABULARY = ("up", "down", "x", "y", "z")
TEXTS = [b"up " * 15 + b"down " * 14, b"x y z", b"up down y", b"z"]


def counting(layer, embedding):
    """Makes an LSTM count: +1 for "up", -1 for "down"."""
    up, down = (2 + VOCABULARY.index(word) for word in ("up", "down"))
    table = np.zeros(embedding.embeddings.shape)
    table[up, 0], table[down, 0] = 1.0, -1.0
    units = layer.units
    kernel = np.zeros((table.shape[1], 4 * units))
    kernel[0, 2 * units : 3 * units] = 20.0
    bias = np.full(4 * units, 20.0)
    bias[2 * units : 3 * units] = 0.0
    embedding.set_weights([table])
    layer.set_weights([kernel, np.zeros((units, 4 * units)), bias])


@pytest.fixture(scope="module")
def fused(tmp_path_factory):
    """Last state of an LSTM that counts, and every state of two bidirectional layers on top of each other."""
    keras.utils.set_random_seed(0)
    specs = [mm.Text(name, vocabulary=VOCABULARY, max_tokens=30) for name in ("a", "b")]
    heads = [mm.heads.regression("sum", mean=0.0, std=1.0, size=2)]
    raw = {"a": TEXTS, "b": TEXTS[::-1]}
    preprocess = mm.adapt(mm.preprocessor(specs), tf.data.Dataset.from_tensor_slices(raw), verbose=False)
    branches = {
        "a": mm.branches.text.lstm(specs[0], units=2, embed_dim=3),
        "b": mm.branches.text.lstm(specs[1], units=3, embed_dim=4, num_layers=2, bidirectional=True, pool=None),
    }
    counting(branches["a"].get_layer("lstm_0"), branches["a"].get_layer("embedding"))
    model = mm.fusion_model(specs, branches, mm.fusion.Concatenate(8), heads)
    path = tmp_path_factory.mktemp("fused") / "fused.tflite"
    report = litert(preprocess, model, path, heads=heads, samples=raw, recurrent="fused", verbose=False)
    return types.SimpleNamespace(path=path, report=report, preprocess=preprocess, model=model, raw=raw)


def feeds(fused):
    ready = fused.preprocess({key: tf.constant(value) for key, value in fused.raw.items()})
    rows = [{key: value.numpy()[i : i + 1] for key, value in ready.items()} for i in range(len(TEXTS))]
    nothing = {key: np.zeros_like(value) for key, value in rows[0].items()}
    short = {key: value[:, :3] for key, value in rows[1].items()}
    return [*rows, nothing, short]


def test_every_lstm_is_one_op_that_does_not_clip(fused):
    assert fused.report["ops"][OP] == 5 and "WHILE" not in fused.report["ops"]
    assert fused.report["inputs"]["a"] == {"shape": [1, None], "dtype": "int32"}
    graph = schema.ModelT.InitFromObj(schema.Model.GetRootAs(fused.path.read_bytes())).subgraphs[0]
    found = [op.builtinOptions.cellClip for op in graph.operators if hasattr(op.builtinOptions, "cellClip")]
    assert found == [0.0] * 5


def test_fused_it_answers_as_keras_does(fused):
    (answers,) = run_files([(fused.path, feeds(fused))])
    for feed, answer in zip(feeds(fused), answers, strict=True):
        expected = fused.model({name: tf.constant(value) for name, value in feed.items()})["sum"]
        np.testing.assert_allclose(answer["sum"], expected, atol=1e-5)


def test_fused_no_state_survives_a_call(fused, forgets):
    forgets(fused.path, feeds(fused))


def test_an_lstm_that_two_texts_share_is_fused_twice(tmp_path):
    shared, spec = keras.layers.LSTM(2), mm.Text("a", vocabulary=VOCABULARY, max_tokens=8)
    model, preprocess = model_of(lambda x, mask: shared(x, mask=mask) + shared(2 * x, mask=mask), spec)
    heads = [mm.heads.regression("sum", mean=0.0, std=1.0)]
    report = litert(preprocess, model, tmp_path / "shared.tflite", heads=heads, recurrent="fused", verbose=False)
    assert report["ops"][OP] == 2


def test_unrolled_in_8_bits_in_one_export(parts, raw, tmp_path, forgets):
    path = tmp_path / "scenes.tflite"
    representative = tf.data.Dataset.from_tensor_slices(raw).repeat(5)
    options = {"quantize": "int8", "recurrent": "unroll", "representative": representative, "samples": raw}
    report = litert(parts.preprocess, parts.model, path, heads=parts.heads, **options, verbose=False)
    assert "WHILE" not in report["ops"] and {"QUANTIZE", "CONV_2D"} <= set(report["ops"])
    assert report["inputs"]["review"] == {"shape": [1, 5], "dtype": "int32"}
    assert report["inputs"]["photo"]["dtype"] == "uint8" and report["inputs"]["voice"]["dtype"] == "float32"
    assert report["tolerance"] == 0.25 and report["int8"]["examples"] == 21 and "quantize" in report["seconds"]
    assert {"photo", "voice"} <= set(report["int8"]["parts"])  # the fusion has no matrix large enough
    ready = parts.preprocess({key: tf.constant(raw[key], x.dtype) for key, x in parts.preprocess.input.items()})
    whole = {
        key: np.zeros((4, *report["inputs"][key]["shape"][1:]), value.numpy().dtype) for key, value in ready.items()
    }
    for key, value in ready.items():
        whole[key][:, : value.shape[1]] = value
    forgets(path, [{key: value[i : i + 1] for key, value in whole.items()} for i in range(4)])


def model_of(layer, spec=None):
    """A recurrent layer between a text and a head."""
    spec = spec or mm.Text("a", vocabulary=VOCABULARY, max_tokens=30)
    ids, mask = keras.Input((None,), dtype="int32", name="a"), keras.Input((None,), dtype="bool", name="a_mask")
    head = mm.heads.regression("sum", mean=0.0, std=1.0)
    states = layer(keras.layers.Embedding(8, 2)(ids), mask)
    preprocess = mm.adapt(mm.preprocessor([spec]), tf.data.Dataset.from_tensor_slices({"a": TEXTS}), verbose=False)
    return keras.Model({"a": ids, "a_mask": mask}, {"sum": head.output(states)}), preprocess


def lstm(**arguments):
    layer = keras.layers.LSTM(2, **arguments, name="reader")
    return lambda x, mask: layer(x, mask=mask)


@pytest.mark.parametrize("layer, message", [
    (lambda x, mask: keras.layers.GRU(2, name="reader")(x, mask=mask), "'reader': it is a GRU and no LSTM"),
    (lstm(activation="relu"), "'reader': its activation is relu, not tanh"),
    (lstm(recurrent_activation="hard_sigmoid"), "'reader': its recurrent_activation is hard_sigmoid, not sigmoid"),
    (lambda x, mask: lstm(return_state=True)(x, mask)[0], "'reader': it returns its state"),
    (lambda x, mask: lstm()(x, keras.ops.flip(mask, 1)), "'reader': its mask has False before True"),
    (lambda x, mask: keras.layers.LSTM(2, name="reader")(x, initial_state=[x[:, 0] + 1, x[:, 0]], mask=mask),
     "'reader': it begins at a state that it is given"),
])  # fmt: skip
def test_what_cannot_be_fused_is_named_with_its_reason(layer, message):
    model, preprocess = model_of(layer)
    with pytest.raises(ValueError, match=f'(?s)recurrent="fused" needs LSTMs.*{message}.*Give recurrent="while"'):
        check_recurrent("fused", model, preprocess, Form())
    check_recurrent("while", model, preprocess, Form())


def test_tokens_joined_behind_one_that_may_be_absent_cannot_be_fused():
    model, preprocess = model_of(lstm())
    (ids, mask), there = model.inputs, keras.Input((1,), dtype="bool", name="photo_mask")
    words = keras.layers.Embedding(8, 2)(ids)
    joined = keras.ops.concatenate([words[:, :1], words], axis=1), keras.ops.concatenate([there, mask], axis=1)
    inputs = {"a": ids, "a_mask": mask, "photo_mask": there}
    with pytest.raises(ValueError, match="'reader': its mask has False before True"):
        check_recurrent("fused", keras.Model(inputs, {"sum": lstm()(*joined)}), preprocess, Form())


def test_a_mask_of_unknown_make_cannot_be_fused():
    model, _ = model_of(lstm())
    made = keras.Input((None,), dtype="bool", name="a_mask")
    preprocess = keras.Model({"a_mask": made}, {"a_mask": keras.layers.Identity()(made)})
    with pytest.raises(ValueError, match="input 'a_mask': it is not made by mm.Text"):
        check_recurrent("fused", model, preprocess, Form())


@pytest.mark.parametrize("name", ["ids of a preset", "a table beside it"])
def test_masks_that_the_lstm_does_not_see_or_that_are_padded_at_their_end_can_be_fused(name, preset):
    if name == "ids of a preset":
        spec = mm.Text("a", preset=preset, max_tokens=8)
        model, preprocess = model_of(lambda x, mask: lstm()(x, mask), spec)
    else:
        specs = [mm.Text("a", vocabulary=VOCABULARY, max_tokens=8), mm.Table("b", numeric=["c", "d"])]
        branches = {
            "a": mm.branches.text.lstm(specs[0], units=2, embed_dim=2),
            "b": mm.branches.table.mlp(specs[1], units=(2,)),
        }
        heads = [mm.heads.regression("sum", mean=0.0, std=1.0)]
        model, preprocess = mm.fusion_model(specs, branches, mm.fusion.Concatenate(2), heads), mm.preprocessor(specs)
    check_recurrent("fused", model, preprocess, Form())


def test_long_texts_cannot_be_unrolled():
    model, preprocess = model_of(lstm())
    check_recurrent("unroll", model, preprocess, Form(lengths={"a": 64, "a_mask": 64}))
    with pytest.raises(ValueError, match="at most 64 steps.*\n.*'reader': 65 steps\n.*while"):
        check_recurrent("unroll", model, preprocess, Form(lengths={"a": 65, "a_mask": 65}))


def test_the_model_stays_as_it_was():
    model, preprocess = model_of(lstm())
    (layer,) = recurrent_layers(model)
    for way in ("unroll", "fused"):
        check_recurrent(way, model, preprocess, Form(lengths={"a": 4, "a_mask": 4}))
        with written_as(way, model):
            assert layer.unroll == (way == "unroll") and ("inner_loop" in vars(layer)) == (way == "fused")
        assert not layer.unroll and "inner_loop" not in vars(layer)


def test_fused_and_int8_do_not_go_together(parts, tmp_path):
    with pytest.raises(ValueError, match='recurrent="fused" needs float states'):
        litert(
            parts.preprocess, parts.model, tmp_path / "x.tflite", heads=parts.heads, quantize="int8", recurrent="fused"
        )
