"""LSTMs as single steps; as loops they are in test_litert_loop.py and in the conformance tests."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import mmkeras as mm
from mmkeras.export import litert
from mmkeras.export._litert.convert.recurrent import check_recurrent, written_as
from mmkeras.export._litert.convert.trace import Form
from mmkeras.export.graph import recurrent_layers


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


@pytest.fixture
def model():
    """An LSTM between a text and a head."""
    ids, mask = keras.Input((None,), dtype="int32", name="a"), keras.Input((None,), dtype="bool", name="a_mask")
    states = keras.layers.LSTM(2, name="reader")(keras.layers.Embedding(8, 2)(ids), mask=mask)
    head = mm.heads.regression("sum", mean=0.0, std=1.0)
    return keras.Model({"a": ids, "a_mask": mask}, {"sum": head.output(states)})


def test_long_texts_cannot_be_unrolled(model):
    check_recurrent("unroll", model, Form(lengths={"a": 64, "a_mask": 64}))
    with pytest.raises(ValueError, match="at most 64 steps.*\n.*'reader': 65 steps\n.*while"):
        check_recurrent("unroll", model, Form(lengths={"a": 65, "a_mask": 65}))


def test_the_model_stays_as_it_was(model):
    (layer,) = recurrent_layers(model)
    for way in ("unroll", "while"):
        check_recurrent(way, model, Form(lengths={"a": 4, "a_mask": 4}))
        with written_as(way, model):
            assert layer.unroll == (way == "unroll") and ("inner_loop" in vars(layer)) == (way == "while")
        assert not layer.unroll and "inner_loop" not in vars(layer)
