"""Text and video end to end: generated clips, training, the SavedModel, the LiteRT file, and the edge runner."""

import json

import numpy as np
import pytest
import tensorflow as tf

import mmkeras as mm
from mmkeras import edge

SPECS = [mm.Text("note", max_tokens=6, vocabulary_size=30),
         mm.Video("clip", frames=4, size=(16, 16), optional=True)]  # fmt: skip
HEADS = [mm.heads.classification("direction", list(mm.data.generate.DIRECTIONS))]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    table = mm.data.generate.motions(tmp_path_factory.mktemp("motions"), n=8, size=20, frames=6, missing=0.2)
    raw = mm.data.from_csv(table, SPECS, HEADS)
    preprocess = mm.adapt(mm.preprocessor(SPECS), raw, verbose=False)
    branches = {"note": mm.branches.text.lstm(SPECS[0], units=4, embed_dim=4),
                "clip": mm.branches.video.frames(SPECS[1], filters=(4, 4), units=8)}  # fmt: skip
    model = mm.fusion_model(SPECS, branches, mm.fusion.Concatenate(8), HEADS)
    model.compile("adam", **mm.heads.compile_for(HEADS), run_eagerly=True)
    model.fit(mm.data.train_batches(raw, preprocess, HEADS, batch_size=8), epochs=1, verbose=0)
    return raw, preprocess, model


def test_the_saved_model_takes_files(trained, one_process, tmp_path):
    _, preprocess, model = trained
    report = mm.export.saved_model(preprocess, model, tmp_path / "motions" / "1", heads=HEADS)  # samples are generated
    assert max(value for run in report["max_difference"].values() for value in run.values()) < 1e-5
    assert "DecodeGif" in str(tf.saved_model.load(report["path"]).signatures["serving_default"].graph.as_graph_def())
    request = json.loads((tmp_path / "motions" / "1" / "assets.extra" / "request.json").read_text())
    assert set(request["instances"][0]) == {"note", "clip"} and "b64" in request["instances"][0]["clip"]
    assert json.loads((tmp_path / "motions/1/assets.extra/signature.json").read_text())["may_be_absent"] == ["clip"]


def test_the_edge_runner_answers_as_keras_does(trained, one_process, tmp_path):
    raw, preprocess, model = trained
    report = mm.export.litert(preprocess, model, tmp_path / "motions.tflite", heads=HEADS, samples=raw, n_samples=4,
                              verbose=False)  # fmt: skip
    assert report["edge"]["clip"]["allowed"] == 1.0 >= report["edge"]["clip"]["max_difference"]  # of 255 levels
    assert report["inputs"]["clip"]["shape"] == [1, 4, 16, 16, 3]
    runner = edge.Model(tmp_path / "motions.tflite")
    rows = list(raw.take(6).as_numpy_iterator())
    batch = {name: tf.constant([row[name] for row in rows]) for name in ("note", "clip")}
    expected = model(preprocess(batch), training=False)["direction"].numpy()
    for row, scores in zip(rows, expected, strict=True):
        answer = runner({"note": row["note"].decode(), "clip": row["clip"]})
        np.testing.assert_allclose(answer["direction_scores"], scores, atol=1e-3)
    assert {bool(row["clip"]) for row in rows} == {True, False}
