import json

import keras
import numpy as np
import pytest
import tensorflow as tf

import mmkeras as mm
from mmkeras.export import saved_model
from mmkeras.export.graph import portable

ANSWERS = {"mood", "mood_scores", "mood_classes", "topics_scores", "topics_classes", "stars"}


def tensors(arrays):
    return {key: tf.constant(value) for key, value in arrays.items()}


def test_report(exported):
    report = exported.report
    assert report["path"] == str(exported.path) and report["samples"] == "5 given"
    assert set(report["max_difference"]) == {"serving_default", "serving_default, one example", "ready", "examples"}
    for answers in report["max_difference"].values():
        assert set(answers) == ANSWERS and max(answers.values()) < 1e-5
    assert report["largest_difference"] == max(max(each.values()) for each in report["max_difference"].values())
    assert {"CaseFoldUTF8", "FastWordpieceTokenizeWithOffsets"} <= set(report["ops"]["tensorflow-text"])
    assert exported.path.parent.joinpath("1").is_dir() and len(list(exported.path.parent.iterdir())) == 1


def test_signatures_bear_the_names_and_leave_the_batch_free(exported, parts):
    signatures = exported.loaded.signatures
    assert set(signatures) == {"serving_default", "ready", "examples"}
    specs = {name: signature.structured_input_signature[1] for name, signature in signatures.items()}
    assert set(specs["serving_default"]) == {"review", "note", "photo", "voice", "price", "city"}
    assert set(specs["ready"]) == set(parts.model.input)
    assert set(specs["examples"]) == {"examples"}
    assert all(spec.shape[0] is None for of in specs.values() for spec in of.values())
    assert specs["ready"]["review"].shape.as_list() == [None, None]
    assert all(set(signature.structured_outputs) == ANSWERS for signature in signatures.values())


def test_no_example_gives_no_answer(exported, parts):
    none = {
        "serving_default": {name: tf.zeros([0, *t.shape[1:]], t.dtype) for name, t in parts.preprocess.input.items()},
        "ready": {
            name: tf.zeros([0, *(n or 5 for n in t.shape[1:])], t.dtype) for name, t in parts.model.input.items()
        },
        "examples": {"examples": tf.constant([], tf.string)},
    }
    for name, inputs in none.items():
        answers = exported.loaded.signatures[name](**inputs)
        assert set(answers) == ANSWERS and all(answer.shape[0] == 0 for answer in answers.values()), name


def test_absent_features_of_an_example_are_absent_modalities(exported, parts):
    serialized = tf.train.Example()
    serialized.features.feature["review"].bytes_list.value.append(b"good day")
    serialized.features.feature["city"].bytes_list.value.append(b"Oslo")
    answers = exported.loaded.signatures["examples"](examples=tf.constant([serialized.SerializeToString()]))
    raw = {
        "review": [b"good day"],
        "note": [b""],
        "photo": [b""],
        "voice": [b""],
        "city": [b"Oslo"],
        "price": [float("nan")],
    }
    expected = exported.loaded.signatures["serving_default"](**tensors(raw))
    np.testing.assert_array_equal(answers["mood_scores"], expected["mood_scores"])


def test_an_example_without_a_required_feature_is_refused(exported):
    empty = tf.constant([tf.train.Example().SerializeToString()])
    with pytest.raises(tf.errors.InvalidArgumentError, match="review"):
        exported.loaded.signatures["examples"](examples=empty)


def test_signature_json_and_parity_json(exported):
    extra = exported.path / "assets.extra"
    signature = json.loads((extra / "signature.json").read_text())
    assert signature["signatures"]["serving_default"]["inputs"]["photo"] == {"shape": [None], "dtype": "string"}
    assert signature["signatures"]["ready"]["inputs"]["photo"] == {"shape": [None, 8, 8, 3], "dtype": "uint8"}
    assert signature["classes"] == {"mood": ["good", "bad", "grün"], "topics": ["a", "b"]}
    assert signature["may_be_absent"] == ["note", "photo", "voice"]
    parity = json.loads((extra / "parity.json").read_text())
    assert parity["max_difference"] == exported.report["max_difference"]
    assert str(exported.path.parent) not in "".join(file.read_text() for file in extra.glob("*.json"))


def test_an_existing_version_is_refused_with_the_next_free_one(exported, parts):
    with pytest.raises(FileExistsError, match=r"next free one is '.*scenes/2'"):
        saved_model(parts.preprocess, parts.model, exported.path, heads=parts.heads)


class Python(keras.layers.Layer):
    def call(self, x):
        return tf.ensure_shape(tf.numpy_function(lambda value: value, [x], tf.float32), (None, 1))

    def compute_output_spec(self, x):
        return keras.KerasTensor(x.shape, x.dtype)


def test_python_in_the_graph_is_refused_and_nothing_left_behind(tmp_path):
    number = keras.Input((), name="number")
    preprocess = keras.Model({"number": number}, {"row": keras.layers.Reshape((1,))(number)})
    row, head = keras.Input((1,), name="row"), mm.heads.regression("price", mean=0.0, std=1.0)
    model = keras.Model({"row": row}, {"price": head.output(Python(name="custom")(row))})
    with pytest.raises(ValueError, match=r"(?s)PyFunc: it calls Python.*Found at .*custom"):
        saved_model(preprocess, model, tmp_path / "new" / "prices" / "1", heads=[head], samples={"number": [1.0, 2.0]})
    assert not list(tmp_path.iterdir())


def test_recurrent_layers_are_traced_without_cudnn_and_restored(parts):
    layers = [layer for layer in parts.model._flatten_layers() if isinstance(layer, keras.layers.LSTM)]
    with portable(parts.model):
        assert layers and not any(layer.use_cudnn for layer in layers)
    assert all(layer.use_cudnn == "auto" for layer in layers)


def test_the_artefact_holds_the_weights_and_no_optimizer(exported, parts):
    shapes = [shape for name, shape in tf.train.list_variables(str(exported.path / "variables" / "variables"))]
    weights = sum(np.prod(shape, dtype=int) for shape in shapes if shape)
    held = sum(np.prod(weight.shape, dtype=int) for weight in parts.model.trainable_weights)
    assert held <= weights < 1.1 * held + 10


def test_the_served_graph_names_wrong_inputs(exported, raw):
    serve = exported.loaded.signatures["serving_default"]
    given = tensors({key: value[:1] for key, value in raw.items() if key in serve.structured_input_signature[1]})
    swaps = {
        "photo: .*Received: .*RIFF": given | {"photo": given["voice"]},
        "voice: ": given | {"voice": given["photo"]},
        "review: text must be UTF-8": given | {"review": given["photo"]},
    }
    for message, swapped in swaps.items():
        with pytest.raises(tf.errors.InvalidArgumentError, match=f"(?s){message}"):
            serve(**swapped)
    with pytest.raises(TypeError, match="photo"):
        serve(**{key: value for key, value in given.items() if key != "photo"})
    with pytest.raises(TypeError, match="video"):
        serve(**given, video=given["photo"])
