"""`mmkeras ask`: the same answers of each format, and what it says of values that it cannot use."""

import json

import numpy as np
import pytest

FORMATS = ["scenes", "scenes.tflite", "scenes.zip"]


@pytest.fixture
def asked(exported, mmkeras):
    """Function (format, words) -> the answers."""

    def asked(name, *words):
        status, shown, error = mmkeras("ask", exported.folder / name, *words, "--json")
        assert status == 0, error
        return json.loads(shown)

    return asked


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_answers_as_python_does(exported, asked, name):
    photo = f"photo={exported.folder / '0.png'}"
    found = asked(name, "review=good day", photo, "price=1.5", "city=Oslo", "face=0.5,1")
    row = exported.answers.iloc[0]
    assert found["mood"] == row["mood"] and found["mood_classes"] == ["good", "bad", "grün"]
    np.testing.assert_allclose(found["mood_scores"], row[["mood.good", "mood.bad", "mood.grün"]].tolist(), atol=1e-4)
    np.testing.assert_allclose(np.ravel(found["cost"]), row["cost"], rtol=1e-3)
    less = asked(name, "review=a bad day", "city=Rome", "price=2", "photo=")
    np.testing.assert_allclose(less["mood_scores"][0], exported.answers["mood.good"][1], atol=1e-4)


def test_values_may_stand_in_files(exported, asked, tmp_path):
    (tmp_path / "review.txt").write_text("good day")
    np.save(tmp_path / "face.npy", np.array([[0.5, 1.0]]))
    (tmp_path / "face.txt").write_text("0.5 1")
    plain = asked(
        "scenes.tflite", "review=good day", f"photo=@{exported.folder / '0.png'}", "price=1.5", "face=[0.5, 1]"
    )
    for face in ("face.npy", "face.txt"):
        words = [f"review=@{tmp_path / 'review.txt'}", f"photo={exported.folder / '0.png'}", f"face=@{tmp_path / face}"]
        assert asked("scenes.tflite", *words, "price=1.5") == plain
    assert asked("scenes.tflite", "review=@@good", "price=1") != asked("scenes.tflite", "review=good", "price=1")


def test_scores_are_shown_as_bars(exported, mmkeras):
    status, shown, _ = mmkeras("ask", exported.folder / "scenes.tflite", "review=good day", "price=1.5")
    assert status == 0 and "mood: " in shown and "━" in shown and "grün" in shown and "cost: " in shown
    assert "mood_scores" not in shown
    scores = [float(line.split()[1]) for line in shown.splitlines() if "━" in line]
    assert scores == sorted(scores, reverse=True) and len(scores) == 3


@pytest.mark.parametrize(("words", "message"), [
    (["revew=good"], "The inputs of this model are ['review', 'photo', 'price', 'city', 'face']. Received: 'revew'. "
     "Did you mean 'review'?"),
    (["price=1"], "Missing: ['review']. Received: ['price']. Write review=VALUE, or review=@FILE. "
     "These may be left out"),
    (["review=", "price=1"], "Missing: ['review']"),
    (["review"], "Values are given as NAME=VALUE or NAME=@FILE. Received: 'review'."),
    (["review=a", "review=b"], "Each input is given once. Received: 'review' twice."),
    (["review=a", "price=dear"], "price: numbers are needed. Received: 'dear'. Write digits, such as 1.5."),
    (["review=a", "price=1,2"], "price: one number is needed. Received: 2 numbers in '1,2'."),
    (["review=a", "face=1,2,3"], "face: 2 numbers are needed. Received: 3 numbers in '1,2,3'."),
    (["review=a", "face=x"], "Write 2 of them, 0.5,1, or @FILE.npy."),
    (["review=a", "photo=none.png"], "photo: the path of a file is needed. Received: 'none.png', which is no file."),
    (["review=a", "photo=."], "which is a folder. Relative paths begin at"),
    (["review=a", "photo=pyproject.toml", "price=1"], "photo: a whole JPEG, PNG, GIF or BMP file is needed."),
])  # fmt: skip
def test_what_cannot_be_used_is_refused(exported, mmkeras, words, message):
    status, _, error = mmkeras("ask", exported.folder / "scenes.tflite", *words)
    assert status == 1 and error.startswith("mmkeras ask: ") and message in error


@pytest.mark.parametrize("name", FORMATS[:2])
def test_a_row_without_any_value_is_refused_by_the_model(exported, mmkeras, name):
    status, _, error = mmkeras("ask", exported.folder / name, "review=good")
    assert status == 1 and error.startswith("mmkeras ask: row: ")


def test_a_model_is_no_export(exported, mmkeras, tmp_path):
    exported.model.save(tmp_path / "model.keras")
    status, _, error = mmkeras("ask", tmp_path / "model.keras", "review=a")
    assert status == 1 and "PATH must be a SavedModel or LiteRT file or Predictor" in error
