import json

import numpy as np
import pytest
import tensorflow as tf

import mmkeras as mm
import mmkeras.cli
from mmkeras import edge


def test_one_saved_model_finds_and_embeds(index, squares, tmp_path, capsys):
    report = mm.retrieval.saved_model(index, tmp_path / "search", k=3, samples=squares, version="next")
    assert report["path"] == str(tmp_path / "search" / "1") and report["examples"] == 48
    assert report["largest_difference"] <= 1e-5
    loaded = tf.saved_model.load(report["path"])
    names = {"serving_default", "photo_to_caption", "caption_to_photo", "embed_photo", "embed_caption"}
    assert set(loaded.signatures) == set(report["signatures"]) == names
    found = loaded.signatures["caption_to_photo"](caption=tf.constant(["a red square", "a blue square"]))
    expected = index.search({"caption": ["a red square", "a blue square"]}, find="photo", k=3)
    np.testing.assert_allclose(found["scores"], expected.scores, atol=1e-5)
    assert {each.decode() for each in found["identifiers"].numpy().ravel()} <= set(index.identifiers)
    vector = loaded.signatures["embed_photo"](photo=tf.constant([squares.frame.photo[0]]))["embedding"]
    np.testing.assert_allclose(vector, index.embed({"photo": [squares.frame.photo[0]]}), atol=1e-5)
    request = json.loads((tmp_path / "search/1/assets.extra/request.json").read_text())
    assert request["signature_name"] == "serving_default" and "photo" in request["instances"][0]
    assert mmkeras.cli.main(["verify", str(tmp_path / "search")]) == 0
    shown = capsys.readouterr().out
    assert "are right" in shown and "as at the export, on 2 examples" in shown
    (tmp_path / "photo.png").write_bytes(squares.frame.photo[0])
    assert mmkeras.cli.main(["ask", report["path"], f"photo={tmp_path / 'photo.png'}", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["identifiers"]) == 3
    asked = ["ask", report["path"], "--signature", "embed_caption", "caption=a red square", "--json"]
    assert mmkeras.cli.main(asked) == 0
    vector = index.embed({"caption": ["a red square"]})[0]
    np.testing.assert_allclose(json.loads(capsys.readouterr().out)["embedding"], vector, atol=1e-5)


def test_an_empty_index_is_not_exported(trained, tmp_path):
    preprocess, model = trained
    with pytest.raises(ValueError, match=r"must hold examples to be exported. Received: an empty one. Call index.add"):
        mm.retrieval.saved_model(mm.retrieval.Index(model, preprocess), tmp_path / "1")


def test_a_litert_file_for_each_tower(index, squares, tmp_path, convert_here):
    reports = mm.retrieval.litert(index.model, index.preprocess, folder=tmp_path, samples=squares, verbose=False)
    assert set(reports) == {"photo", "caption"}
    for name, value in {"photo": squares.frame.photo[0], "caption": "a red square"}.items():
        answer = edge.Model(tmp_path / f"{name}.tflite")({name: value})[f"{name}_embedding"]
        np.testing.assert_allclose(answer, index.embed({name: [value]})[0], atol=1e-4)
