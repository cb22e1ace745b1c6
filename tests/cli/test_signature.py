"""`ask` and `describe` of signatures other than serving_default."""

import json

import numpy as np
import pytest
import tensorflow as tf

from mmkeras.cli import main


def test_prepared_arrays_are_asked_as_npy_files(exported, mmkeras, tmp_path):
    raw = {"review": ["good day"], "photo": [(exported.folder / "0.png").read_bytes()], "price": [1.5],
           "city": ["Oslo"], "face": [[0.5, 1.0]]}  # fmt: skip
    ready = exported.predictor.preprocess({name: tf.constant(value) for name, value in raw.items()})
    words = []
    for name, value in ready.items():
        np.save(tmp_path / f"{name}.npy", value.numpy()[0])
        words.append(f"{name}=@{tmp_path / f'{name}.npy'}")
    status, shown, error = mmkeras("ask", exported.folder / "scenes", "--signature", "ready", *words, "--json")
    assert status == 0, error
    wanted = exported.answers.iloc[0][["mood.good", "mood.bad", "mood.grün"]].tolist()
    np.testing.assert_allclose(json.loads(shown)["mood_scores"], wanted, atol=1e-4)
    for word, message in [
        ("face=1,2,3", "face: 2 numbers are needed. Received: 3 numbers in '1,2,3'."),
        ("photo=1,2", "photo: numbers of shape (8, 8, 3) are needed. Received: 2 numbers"),
        (f"review=@{tmp_path / 'photo.npy'}", "review: numbers of shape (any number) are needed. Received: numbers of"),
        ("review=1,2.5", "review: numbers that fit into int32 are needed. Received: '1,2.5'."),
        ("review=", "Missing: ['review']"),
    ]:
        changed = [each for each in words if not each.startswith(word.partition("=")[0] + "=")]
        status, _, error = mmkeras("ask", exported.folder / "scenes", "--signature", "ready", *changed, word)
        assert status == 1 and message in error


def test_a_signature_is_described(exported, mmkeras):
    status, shown, _ = mmkeras("describe", exported.folder / "scenes")
    assert status == 0 and "Signature serving_default; --signature shows one of examples, ready." in shown
    status, shown, _ = mmkeras("describe", exported.folder / "scenes", "--signature", "ready")
    assert status == 0 and "photo_mask" in shown and "(B, 8, 8, 3)" in shown and "uint8" in shown
    assert "good, bad, grün" in shown and "yes" not in shown and "city" not in shown


@pytest.mark.parametrize(("name", "message"), [
    ("scenes", "has the signatures ['serving_default', 'examples', 'ready']. Received: 'raedy'. Did you mean 'ready'?"),
    ("scenes.tflite", "Only a SavedModel has signatures. Received: 'raedy' of "),
])  # fmt: skip
def test_an_unknown_signature_is_refused(exported, capsys, name, message):
    assert main(["describe", str(exported.folder / name), "--signature", "raedy"]) == 1
    assert message in capsys.readouterr().err
