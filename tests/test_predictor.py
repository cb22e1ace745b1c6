"""Rows in, a table of answers out: the SavedModel's answers, in the order and under the index of the rows."""

import subprocess
import sys
import zipfile

import keras
import numpy as np
import pandas as pd
import pytest

import mmkeras as mm
from tests.test_new_kinds import Colour, ColourColumn, ColourRow, Count, colour_branch


@pytest.fixture(scope="module")
def predictor(preprocess, model):
    return mm.Predictor(preprocess, model)


@pytest.fixture
def frame(scenes):
    table = pd.read_csv(scenes, keep_default_na=False).head(6)
    return table.set_axis([f"scene {i}" for i in range(6)])


def test_answers_are_those_of_the_heads(predictor, preprocess, model, heads, raw, frame, scenes):
    found = predictor.predict(frame, root=scenes.parent, batch_size=4)
    batch = next(iter(raw.subset(range(6)).batch(6)))
    ready = preprocess({name: batch[name] for name in preprocess.input})
    outputs = {name: values.numpy() for name, values in model(ready, training=False).items()}
    assert found.index.tolist() == frame.index.tolist()
    classes = [f"answer.{name}" for name in heads[0].classes]
    np.testing.assert_allclose(found[classes], outputs["answer"], atol=1e-6)
    assert found["answer"].tolist() == [heads[0].classes[i] for i in outputs["answer"].argmax(-1)]
    np.testing.assert_allclose(found[[f"objects.{name}" for name in heads[1].classes]], outputs["objects"], atol=1e-6)
    np.testing.assert_allclose(found["loudness"], outputs["loudness"][:, 0], rtol=1e-5)
    assert len(found.columns) == 1 + len(classes) + len(heads[1].classes) + 1
    pd.testing.assert_frame_equal(found, predictor.predict(raw.subset(range(6))).set_axis(frame.index))


def test_dicts_may_leave_out_what_is_optional(predictor, scenes, frame):
    photo = (scenes.parent / next(filter(None, frame["photo"]))).read_bytes()
    row = {"question": frame["question"].iloc[0], "photo": photo, "hour": 3}
    one = predictor.predict(row)
    assert one.index.tolist() == [0]
    filled = row | {"voice": None, "hour": "3.0", "room": ""}
    pd.testing.assert_frame_equal(predictor.predict([row, filled]), pd.concat([one, one], ignore_index=True))


def test_what_is_skipped_keeps_its_place_and_has_a_reason(predictor, frame, scenes, capsys):
    frame["photo"] = frame["photo"].astype(object)
    frame.loc["scene 1", "photo"] = "nowhere.png"
    frame.at["scene 2", "photo"] = b"no picture"
    frame.loc["scene 4", "question"] = ""
    found = predictor.predict(frame, root=scenes.parent, on_error="skip", batch_size=2)
    assert found.index.tolist() == frame.index.tolist()
    assert found["answer"].isna().tolist() == [False, True, True, False, True, False]
    assert (found["status"] == "").tolist() == [True, False, False, True, False, True]
    assert all(each.startswith("refused: ") for each in found["status"] if each)
    assert "nowhere.png" in found["status"].iloc[1] and "photo" in found["status"].iloc[2]
    assert "a required text is empty" in found["status"].iloc[4]
    assert "3 of 6 rows have no answer; the column 'status' says why." in capsys.readouterr().out
    nothing = predictor.predict(frame.iloc[[1, 4]], root=scenes.parent, on_error="skip", verbose=False)
    assert nothing.columns.tolist() == found.columns.tolist() and nothing["loudness"].isna().all()
    with pytest.raises(ValueError, match=r"(?s)2 example\(s\) cannot be used: .*row scene 1, 'photo', .*nowhere.png"):
        predictor.predict(frame, root=scenes.parent)
    with pytest.raises(ValueError, match=r"1 example\(s\) cannot be used: row scene 2, 'photo', 10 bytes given"):
        predictor.predict(frame.iloc[[0, 2]], root=scenes.parent)


def test_what_is_broken_and_optional_may_count_as_absent(predictor, frame, scenes, raw):
    frame["photo"] = frame["photo"].astype(object)
    frame.loc["scene 1", ["photo", "voice"]] = "nowhere.png", "nowhere.wav"
    frame.at["scene 2", "photo"], frame.loc["scene 3", ["photo", "question"]] = b"no picture", ["nowhere.png", ""]
    found = predictor.predict(frame, root=scenes.parent, on_error="absent", verbose=False)
    kinds = [status.partition(": ")[0] for status in found["status"]]
    assert kinds == ["", "absent", "absent", "refused", "", ""]
    first = found["status"].iloc[1]
    assert first.startswith("absent: photo: ") and "nowhere.png: " in first and "; voice: " in first
    assert "photo: 10 bytes given in the table: " in found["status"].iloc[2]
    frame.loc["scene 1", ["photo", "voice"]], frame.loc["scene 2", "photo"] = None, None
    expected = predictor.predict(frame.drop("scene 3"), root=scenes.parent)
    pd.testing.assert_frame_equal(found.drop("scene 3").drop(columns="status"), expected, check_dtype=False)
    assert found.loc["scene 3"].drop("status").isna().all()
    with pytest.raises(TypeError, match="on_error='absent' reads rows again, without their broken values.* Examples"):
        predictor.predict(raw, on_error="absent")


def test_what_is_no_row_is_refused(predictor):
    with pytest.raises(TypeError, match=r"takes a pandas.DataFrame, a dict for one row.*Received: str. Write"):
        predictor.predict("red?")
    with pytest.raises(ValueError, match=r"A dict holds values by raw name.*'foto' Did you mean 'photo'\? in row 1"):
        predictor.predict([{"question": "red?"}, {"question": "red?", "foto": b""}])
    with pytest.raises(ValueError, match=r"The table needs a column for each raw name.*'question'"):
        predictor.predict({"photo": None})
    with pytest.raises(ValueError, match="The table needs rows. Received: none"):
        predictor.predict([])
    with pytest.raises(ValueError, match="batch_size of 'Predictor.predict' must be positive. Received: batch_size=0"):
        predictor.predict({"question": "red?"}, batch_size=0)
    with pytest.raises(ValueError, match="on_error is 'raise', 'skip' or 'absent'. Received: 'ignore'"):
        predictor.predict({"question": "red?"}, on_error="ignore")


def test_a_head_called_status_cannot_be_skipped():
    spec, head = mm.Table("row", numeric=["a"]), mm.heads.regression("status", mean=0.0, std=1.0)
    model = mm.fusion_model([spec], {"row": mm.branches.table.mlp(spec, units=(2,))}, mm.fusion.MLP(2), [head])
    predictor = mm.Predictor(mm.preprocessor([mm.Table("row", numeric=["a"])]), model)
    with pytest.raises(ValueError, match="adds an answer 'status'. Received: an answer of that name. Rename the head"):
        predictor.predict({"a": 1.0}, on_error="skip")


FRESH = """
import sys, mmkeras as mm
predictor = mm.Predictor.load(sys.argv[1])
found = predictor.predict([{"question": "Is it red?", "hour": 3}, {"question": "What?", "room": "hall"}])
found.to_json(sys.argv[2], double_precision=15)
"""


def test_one_file_is_enough_for_a_fresh_process(predictor, tmp_path):
    path = tmp_path / "new" / "scenes.zip"
    predictor.save(path)
    subprocess.run([sys.executable, "-c", FRESH, str(path), str(tmp_path / "answers.json")], check=True)
    again = pd.read_json(tmp_path / "answers.json")
    rows = [{"question": "Is it red?", "hour": 3}, {"question": "What?", "room": "hall"}]
    pd.testing.assert_frame_equal(again, predictor.predict(rows), check_dtype=False, atol=1e-6)


def test_a_file_of_another_kind_is_told(predictor, tmp_path, preprocess):
    with pytest.raises(FileNotFoundError, match=r"no such file. Received: '.*none.zip'. Give one that Predictor.save"):
        mm.Predictor.load(tmp_path / "none.zip")
    (tmp_path / "text.zip").write_text("hello")
    with pytest.raises(ValueError, match="Predictor.load takes a file that Predictor.save wrote.*is damaged, or of an"):
        mm.Predictor.load(tmp_path / "text.zip")
    preprocess.save(tmp_path / "preprocess.keras")
    with pytest.raises(ValueError, match=r"is a ZIP archive without \['preprocess.keras', 'model.keras'\]: it holds"):
        mm.Predictor.load(tmp_path / "preprocess.keras")
    with zipfile.ZipFile(tmp_path / "half.zip", "w") as archive:
        archive.write(tmp_path / "preprocess.keras", "preprocess.keras")
    with pytest.raises(ValueError, match=r"without \['model.keras'\]: it holds \['preprocess.keras'\]"):
        mm.Predictor.load(tmp_path / "half.zip")


def test_parts_must_belong_together(preprocess, model):
    with pytest.raises(TypeError, match=r"Received: NamedModel as the first. Write mm.Predictor\(preprocess, model\)"):
        mm.Predictor(model, preprocess)
    spec, head = mm.Table("row", numeric=["a"]), mm.heads.regression("y", mean=0.0, std=1.0)
    model = mm.fusion_model([spec], {"row": mm.branches.table.mlp(spec, units=(2,))}, mm.fusion.MLP(2), [head])
    with pytest.raises(ValueError, match="model must take what preprocess gives"):
        mm.Predictor(preprocess, model)


def test_other_kinds_of_heads_and_modalities(monkeypatch, tmp_path):
    monkeypatch.setitem(mm.preprocess.KINDS, "colour", lambda spec, name: ColourRow(spec.optional, name=name))
    monkeypatch.setitem(mm.data.modalities.KINDS, "colour", ColourColumn())
    spec, heads = Colour("paint"), [Count("dots"), mm.heads.regression("size", size=2, mean=(0.0, 0.0), std=(1.0, 1.0))]
    keras.utils.set_random_seed(0)
    model = mm.fusion_model([spec], {"paint": colour_branch(spec)}, mm.fusion.MLP(4), heads)
    mm.Predictor(mm.preprocessor([spec]), model).save(tmp_path / "paint.zip")
    found = mm.Predictor.load(tmp_path / "paint.zip").predict([{"paint": "red"}, {"paint": "blue"}])
    assert found.columns.tolist() == ["dots_rate", "dots", "size.0", "size.1"]
    assert (found["dots"] == found["dots_rate"].round()).all()
    skipped = mm.Predictor(mm.preprocessor([spec]), model).predict(
        [{"paint": "red"}, {"paint": "mauve"}], on_error="skip", verbose=False
    )
    assert (skipped["status"] == "").tolist() == [True, False] and "paint: unknown" in skipped["status"][1]
