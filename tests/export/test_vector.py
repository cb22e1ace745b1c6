"""Text and a precomputed vector end to end: training, the SavedModel, the LiteRT file, and the edge runner."""

import json

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import mmkeras as mm
from mmkeras import edge
from mmkeras.export._litert.convert.int8 import check_representative, feeds_of
from mmkeras.export._litert.convert.trace import Form
from mmkeras.export._saved_model.serving import rest_request
from mmkeras.export.samples import raw_samples

SPECS = [mm.Text("note", max_tokens=6, vocabulary_size=30), mm.Vector("face", size=5, optional=True)]
HEADS = [mm.heads.classification("mood", ["bad", "good"])]


@pytest.fixture(scope="module")
def trained():
    vectors = np.random.default_rng(0).normal(size=(8, 5)).astype("float32")
    table = {"note": ["a good day", "bad"] * 4, "mood": ["good", "bad"] * 4, "face": [*vectors[:6], None, None]}
    raw = mm.data.from_dataframe(pd.DataFrame(table), SPECS, HEADS)
    preprocess = mm.adapt(mm.preprocessor(SPECS), raw, verbose=False)
    branches = {"note": mm.branches.text.gru(SPECS[0], units=4, embed_dim=4),
                "face": mm.branches.vector.linear(SPECS[1], dim=4, dropout=0.1)}  # fmt: skip
    model = mm.fusion_model(SPECS, branches, mm.fusion.Concatenate(4), HEADS)
    model.compile("adam", **mm.heads.compile_for(HEADS), run_eagerly=True)
    before = model.get_layer("face_branch").get_weights()
    model.fit(mm.data.train_batches(raw, preprocess, HEADS, batch_size=8), epochs=1, verbose=0)
    after = model.get_layer("face_branch").get_weights()
    assert any(not np.array_equal(*pair) for pair in zip(before, after, strict=True))
    return raw, preprocess, model


def test_the_saved_model_takes_lists_of_numbers(trained, one_process, tmp_path):
    raw, preprocess, model = trained
    path = tmp_path / "moods" / "1"
    report = mm.export.saved_model(preprocess, model, path, heads=HEADS, samples=raw)
    assert max(value for run in report["max_difference"].values() for value in run.values()) < 1e-5
    request = json.loads((path / "assets.extra" / "request.json").read_text())["instances"][0]
    face = next(raw.as_numpy_iterator())["face"]
    assert np.array(request["face"], "float32").tobytes() == face.tobytes()
    signature = json.loads((path / "assets.extra" / "signature.json").read_text())
    assert signature["may_be_absent"] == ["face"]
    assert signature["signatures"]["serving_default"]["inputs"]["face"] == {"shape": [None, 5], "dtype": "float32"}
    signatures = tf.saved_model.load(str(path)).signatures
    left_out = tf.train.Example()
    left_out.features.feature["note"].bytes_list.value.append(b"a good day")
    answers = signatures["examples"](examples=tf.constant([left_out.SerializeToString()]))
    absent = signatures["serving_default"](note=tf.constant(["a good day"]), face=tf.fill([1, 5], float("nan")))
    given = signatures["serving_default"](note=tf.constant(["a good day"]), face=tf.ones([1, 5]) * face)
    np.testing.assert_array_equal(answers["mood_scores"], absent["mood_scores"])
    assert np.abs(given["mood_scores"] - absent["mood_scores"]).max() > 1e-4
    ready = {name: tf.constant(values) for name, values in preprocess(
        {"note": tf.constant(["a good day"]), "face": tf.ones([1, 5])}).items()}  # fmt: skip
    for wrong in (float("nan"), float("inf"), 3e38):
        with pytest.raises(tf.errors.InvalidArgumentError, match="face: ready numbers must be finite, within -1e12"):
            signatures["ready"](**ready | {"face": tf.fill([1, 5], wrong)})
    with pytest.raises(tf.errors.InvalidArgumentError, match="face: ready numbers must be finite, within -1e12"):
        signatures["serving_default"](note=tf.constant(["a good day"]), face=tf.fill([1, 5], 3e38))
    masked = signatures["ready"](**ready | {"face": tf.fill([1, 5], np.nan), "face_mask": tf.constant([[False]])})
    np.testing.assert_array_equal(masked["mood_scores"], absent["mood_scores"])


def test_the_edge_runner_answers_as_keras_does(trained, one_process, tmp_path):
    raw, preprocess, model = trained
    report = mm.export.litert(
        preprocess, model, tmp_path / "moods.tflite", heads=HEADS, verbose=False
    )  # generated samples
    assert report["edge"]["face"] == {"max_difference": 0.0, "allowed": 0.0}
    assert report["inputs"]["face"] == {"shape": [1, 5], "dtype": "float32"}
    runner = edge.Model(tmp_path / "moods.tflite")
    rows = list(raw.as_numpy_iterator())
    batch = {name: tf.constant([row[name] for row in rows]) for name in ("note", "face")}
    expected = model(preprocess(batch), training=False)["mood"].numpy()
    for row, scores in zip(rows, expected, strict=True):
        face = {} if np.isnan(row["face"]).all() else {"face": row["face"].tolist()}
        answer = runner({"note": row["note"].decode(), **face})
        np.testing.assert_allclose(answer["mood_scores"], scores, atol=1e-5)


def test_examples_to_measure_int8_with(trained):
    """Raw vectors have a dimension of their own, by which they must not be taken for ready ones."""
    raw, preprocess, model = trained
    columns = {"note": [b"a good day", b"bad"], "face": np.ones((2, 5), "float32")}
    ready = preprocess({name: tf.constant(values) for name, values in columns.items()})
    for given in (columns, raw, {k: v.numpy() for k, v in ready.items()}, mm.data.eval_batches(raw, preprocess)):
        check_representative(given, preprocess, model)
    inputs = {name: {"shape": [1, *(n or -1 for n in t.shape[1:])]} for name, t in model.input.items()}
    feeds = feeds_of(columns, preprocess, model, Form(), inputs)
    assert feeds[0]["face"].tolist() == [[1] * 5] and [bool(feed["face_mask"]) for feed in feeds] == [True, True, False]
    with pytest.raises(ValueError, match="raw examples one by one"):
        check_representative(raw.batch(2), preprocess, model)


def test_samples_keep_their_numbers(trained):
    raw, preprocess, _ = trained
    samples = raw_samples(preprocess, raw)
    assert samples["face"].shape == (9, 5) and np.isnan(samples["face"][-1]).all()
    assert raw_samples(preprocess)["face"][:2].std() > 0.3
    with pytest.raises(ValueError, match=r"batches of \['note', 'face'\]"):
        raw_samples(preprocess, raw.batch(2))
    instance = rest_request({"face": samples["face"][:1]})["instances"][0]["face"]
    assert np.array(instance, "float32").tobytes() == samples["face"][0].tobytes() and type(instance[0]) is float
