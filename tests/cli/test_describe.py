"""`mmkeras describe`: what it shows of each format, and what it says of other paths."""

import json
import subprocess
import sys
import zipfile

import pytest


def test_a_saved_model_is_shown_with_its_inputs_answers_and_parity(exported, mmkeras):
    status, shown, _ = mmkeras("describe", exported.folder / "scenes")
    assert status == 0 and "Version 10 of 'scenes', the highest of 2." in shown and "Exported with mmkeras" in shown
    for word in ("up to 5 tokens", "scaled to 8 × 8", "table 'row'", "category", "(B, 2)", "good, bad, grün", "given"):
        assert word in shown
    row = next(line for line in shown.splitlines() if "review" in line)
    assert "no" in row.split() and "yes" in next(line for line in shown.splitlines() if "photo" in line).split()
    assert "At least one column of row must have a value." in shown


@pytest.mark.parametrize("name", ["scenes.tflite", "scenes.zip"])
def test_files_are_shown_alike(exported, mmkeras, name):
    status, shown, _ = mmkeras("describe", exported.folder / name)
    assert status == 0 and ("largest difference" in shown) == (name == "scenes.tflite")
    for word in ("review", "up to 5 tokens", "price", "city", "(B, 2)", "classification, 3 classes", "regression"):
        assert word in shown


def test_a_keras_file_is_shown(exported, mmkeras, tmp_path):
    exported.model.save(tmp_path / "model.keras")
    status, shown, _ = mmkeras("describe", tmp_path / "model.keras")
    assert status == 0 and "Keras model" in shown and "good, bad, grün" in shown and "photo" in shown


def test_tensorflow_is_not_imported(exported):
    code = "import sys; from mmkeras.cli import main; main(sys.argv[1:]); print('tensorflow' in sys.modules)"
    for name in ("scenes", "scenes.tflite", "scenes.zip"):
        words = [sys.executable, "-c", code, "describe", str(exported.folder / name)]
        assert subprocess.run(words, capture_output=True, text=True).stdout.endswith("False\n")


def test_other_paths_are_refused_with_what_they_may_be(exported, mmkeras, copied):
    def said(path):
        status, _, error = mmkeras("describe", path)
        assert status == 1 and error.startswith("mmkeras describe: ")
        return error

    assert "PATH must exist. Received:" in said(copied / "scene") and "'scenes.tflite'" in said(copied / "scene")
    assert f"Give one of ['{copied / 'scenes'}', '{copied / 'scenes.tflite'}'" in said(copied)
    assert f"Give its folder, '{copied / 'scenes' / '2'}'." in said(copied / "scenes" / "2" / "saved_model.pb")
    assert "which begins with b'review,p'" in said(copied / "table.csv")
    (copied / "empty").mkdir()
    assert "which holds nothing. Give the path that the export reported." in said(copied / "empty")
    (copied / "scenes.zip").write_bytes((copied / "scenes.zip").read_bytes()[:-200])
    assert "a damaged ZIP archive" in said(copied / "scenes.zip")
    with zipfile.ZipFile(copied / "other.zip", "w") as archive:
        archive.writestr("a.txt", "a")
    assert "a ZIP archive that holds ['a.txt']" in said(copied / "other.zip")
    with zipfile.ZipFile(copied / "other.keras", "w") as archive:
        archive.writestr("config.json", json.dumps({"config": {"name": "sequential"}}))
    assert "must be one of a builder of mmkeras" in said(copied / "other.keras")
    extra = copied / "scenes" / "2" / "assets.extra" / "signature.json"
    extra.write_text("{")
    assert "are JSON. Received" in said(copied / "scenes" / "2")
    extra.unlink()
    assert "there is no such file. Export the model again." in said(copied / "scenes" / "2")
