import json
import types

import numpy as np
import pytest
import tensorflow as tf

from mmkeras.cli import main
from mmkeras.export import litert
from mmkeras.export._litert.verify.check import cut
from mmkeras.export.process.litert import run_files


@pytest.fixture(scope="module")
def lite(parts, raw, tmp_path_factory):
    path = tmp_path_factory.mktemp("litert") / "new" / "scenes.tflite"
    samples = tf.data.Dataset.from_tensor_slices(raw)
    report = litert(parts.preprocess, parts.model, path, heads=parts.heads, samples=samples, verbose=False)
    return types.SimpleNamespace(path=path, report=report)


@pytest.fixture(scope="module")
def ready(parts, raw):
    """The raw rows as feeds of one example, cut to their own length and not."""
    names = parts.preprocess.input
    tensors = {key: tf.constant(value, names[key].dtype) for key, value in raw.items() if key in names}
    ready = {key: value.numpy() for key, value in parts.preprocess(tensors).items()}
    rows = [{key: value[i : i + 1] for key, value in ready.items()} for i in range(4)]
    free = {key: {"shape": [1, None] if key.startswith(("review", "note")) else [1, 1]} for key in ready}
    return rows + [cut(row, free) for row in rows]


def test_report(lite, parts):
    report = lite.report
    assert report["path"] == str(lite.path) and report["bytes"] == lite.path.stat().st_size
    assert report["samples"] == "5 given" and report["quantize"] is None
    assert set(report["max_difference"]) == {"mood", "topics", "stars"}
    assert max(report["max_difference"].values()) < 1e-5
    assert {"WHILE", "RFFT2D", "CONV_2D", "GATHER"} <= set(report["ops"])
    json.dumps(report)
    files = {file.name for file in lite.path.parent.iterdir()}
    own = ("preprocess.json", "parity.json", "MODEL_CARD.md", "answers.json", "SHA256SUMS")
    assert files == {"scenes.tflite", *(f"scenes.{name}" for name in own)}


def test_names_shapes_and_dtypes_are_those_of_the_specs_and_heads(lite, parts):
    inputs, outputs = lite.report["inputs"], lite.report["outputs"]
    assert {name: tensor["dtype"] for name, tensor in inputs.items()} == {
        name: tensor.dtype for name, tensor in parts.model.input.items()
    }
    assert inputs["review"] == {"shape": [1, None], "dtype": "int32"}
    assert inputs["note_mask"] == {"shape": [1, None], "dtype": "bool"}
    assert inputs["photo"] == {"shape": [1, 8, 8, 3], "dtype": "uint8"}
    assert inputs["photo_mask"] == {"shape": [1, 1], "dtype": "bool"}
    assert inputs["voice"] == {"shape": [1, 400], "dtype": "float32"}
    assert outputs == {
        "mood": {"shape": [1, 3], "dtype": "float32"},
        "topics": {"shape": [1, 2], "dtype": "float32"},
        "stars": {"shape": [1, 2], "dtype": "float32"},
    }


def test_no_state_survives_a_call(lite, ready, forgets):
    forgets(lite.path, ready)


def test_it_answers_as_keras_does_for_every_length_and_absence(lite, ready, parts):
    (answers,) = run_files([(lite.path, ready)])
    for feed, answer in zip(ready, answers, strict=True):
        expected = parts.model({name: tf.constant(value) for name, value in feed.items()}, training=False)
        for name, value in expected.items():
            np.testing.assert_allclose(answer[name], value, rtol=1e-5, atol=1e-6)


def test_it_loads_in_compiled_model(lite, ready, parts):
    from ai_edge_litert.compiled_model import CompiledModel

    (expected,) = run_files([(lite.path, ready[:2])])
    model = CompiledModel.from_file(str(lite.path))
    for feed, answer in zip(ready[:2], expected, strict=True):
        for name, value in feed.items():
            model.resize_input_tensor_by_name(model.get_signature_by_index(0)["key"], name, value.shape)
        key = model.get_signature_by_index(0)["key"]
        inputs = {name: model.create_input_buffer_by_name(key, name) for name in feed}
        outputs = {name: model.create_output_buffer_by_name(key, name) for name in answer}
        for name, value in feed.items():
            inputs[name].write(np.ascontiguousarray(value))
        model.run_by_name(key, inputs, outputs)
        for name, value in answer.items():
            np.testing.assert_array_equal(outputs[name].read(value.size, np.float32).reshape(value.shape), value)


def test_options_in_one_export(parts, raw, tmp_path, capsys):
    path = tmp_path / "scenes.tflite"
    path.write_text("older")
    options = {"quantize": "dynamic", "batch_size": 2, "fixed_length": True, "waveform": "int16", "overwrite": True}
    samples = tf.data.Dataset.from_tensor_slices(raw)
    report = litert(parts.preprocess, parts.model, path, heads=parts.heads, samples=samples, **options)
    assert report["inputs"]["review"] == {"shape": [2, 5], "dtype": "int32"}
    assert report["inputs"]["voice"] == {"shape": [2, 400], "dtype": "int16"}
    assert report["outputs"]["mood"]["shape"] == [2, 3]
    assert report["quantize"] == "dynamic" and report["batch_size"] == 2 and report["tolerance"] == 0.1
    assert len(list(tmp_path.iterdir())) == 6 and path.stat().st_size == report["bytes"]
    assert "KiB, dynamic; largest difference from Keras" in capsys.readouterr().out
    assert main(["verify", str(path)]) == 0 and "as at the export" in capsys.readouterr().out
