"""`mmkeras predict`: a table with its answers, of which no row is lost."""

import numpy as np
import pandas as pd
import pytest

from mmkeras.cli import _tables

SCORES = ["mood.good", "mood.bad", "mood.grün"]


@pytest.mark.parametrize("name", ["scenes", "scenes.tflite", "scenes.zip"])
def test_each_format_answers_the_table_as_python_does(exported, mmkeras, tmp_path, name):
    out = tmp_path / "out.csv"
    status, shown, error = mmkeras("predict", exported.folder / name, exported.folder / "table.csv", "-o", out)
    assert status == 0, error
    assert f"Written: {out}, 3 rows\n" in shown
    found, table = pd.read_csv(out), pd.read_csv(exported.folder / "table.csv")
    pd.testing.assert_frame_equal(found[table.columns], table)
    assert list(found)[len(table.columns) :] == ["mood", *SCORES, "cost"]
    assert found["mood"].tolist() == exported.answers["mood"].tolist()
    np.testing.assert_allclose(found[SCORES], exported.answers[SCORES], atol=1e-3)
    np.testing.assert_allclose(found["cost"], exported.answers["cost"], rtol=1e-3)


@pytest.fixture
def broken(copied):
    """A table beside files, of whose seven rows one can be used."""
    (copied / "text.png").write_text("no picture")
    lines = ["review,photo,price,city,face,mood", "good day,0.png,1.5,Oslo,0.5|1,bad", "good,none.png,1,,,", ",,1,,,",
             "good,text.png,1,,,", "good,,,,,bad", "good,,1", "good,,1,,1|2|3,"]  # fmt: skip
    (copied / "broken.csv").write_text("\n".join(lines) + "\n")
    return copied


@pytest.mark.parametrize("name", ["scenes", "scenes.tflite"])
def test_refused_rows_stay_with_the_reason(exported, mmkeras, broken, name):
    words = ("predict", exported.folder / name, broken / "broken.csv", "-o", broken / "out.csv", "--on-error", "skip")
    status, shown, error = mmkeras(*words)
    assert status == 0, error
    found = pd.read_csv(broken / "out.csv")
    assert len(found) == 7 and found["status"].isna().tolist() == [True] + [False] * 6
    assert found["mood"].tolist()[:1] == ["bad"] and found["mood.predicted"].isna().tolist() == [False] + [True] * 6
    assert found["review"].isna().tolist() == [False, False, True, False, False, True, False]
    for row, said in enumerate(["none.png", "review", "photo: ", "row: ", "line 7 has 3 field(s)", "face"], 1):
        assert said in found["status"][row]
    assert "text.png" in found["status"][3]
    assert "The table has a column 'mood': the answer is in 'mood.predicted'." in shown
    assert "Refused: row 5, " in shown and "7 rows, 6 of them refused, see the column 'status'" in shown


@pytest.mark.parametrize("name", ["scenes", "scenes.tflite"])
def test_a_broken_photo_may_count_as_absent(exported, mmkeras, broken, name):
    words = ("predict", exported.folder / name, broken / "broken.csv", "-o", broken / "out.csv")
    status, shown, error = mmkeras(*words, "--on-error", "absent")
    assert status == 0, error
    found = pd.read_csv(broken / "out.csv").fillna({"status": ""})
    kinds = [told.partition(": ")[0] for told in found["status"]]
    assert kinds == ["", "absent", "refused", "absent", "refused", "refused", "absent"]
    assert found["mood.predicted"].isna().tolist() == [kind == "refused" for kind in kinds]
    assert "none.png" in found["status"][1] and "text.png" in found["status"][3] and "face: " in found["status"][6]
    assert "7 rows, 3 of them refused, see the column 'status'" in shown


def test_refused_rows_are_an_error_otherwise(exported, mmkeras, broken):
    words = ("predict", exported.folder / "scenes.tflite", broken / "broken.csv", "-o", broken / "out.csv")
    status, _, error = mmkeras(*words)
    assert status == 1 and "line 7 has 3 field(s)" in error and "with --on-error skip." in error
    lines = (broken / "broken.csv").read_text().splitlines()
    (broken / "broken.csv").write_text("\n".join([lines[0], lines[4]]) + "\n")
    for choice in ("raise", "skip"):
        status, _, error = mmkeras(*words, "--on-error", choice)
        assert status == 1 and "row 0, 'photo', " in error and "text.png: a whole JPEG" in error
    assert not (broken / "out.csv").exists()


def test_columns_that_may_be_absent_may_be_missing(exported, mmkeras, tmp_path):
    (tmp_path / "table.csv").write_text("review,price,note\na bad day,2,x\n")
    words = ("predict", exported.folder / "scenes.tflite", tmp_path / "table.csv", "-o", tmp_path / "out.csv")
    status, shown, error = mmkeras(*words)
    assert status == 0, error
    assert "No column 'photo': it is absent in every row." in shown
    assert list(pd.read_csv(tmp_path / "out.csv"))[:4] == ["review", "price", "note", "mood"]
    for header, said in {"revew,price,note": "'review' Did you mean 'revew'?",
                         "review,price,photos": "'photo' Did you mean 'photos'?"}.items():  # fmt: skip
        (tmp_path / "table.csv").write_text(f"{header}\na bad day,2,x\n")
        status, _, error = mmkeras(*words, "--overwrite")
        assert status == 1 and f"Missing: {said}" in error


def test_columns_of_other_names(exported, mmkeras, tmp_path):
    (tmp_path / "table.csv").write_text("The Review,price,city\na bad day,2,Oslo\n")
    words = ("predict", exported.folder / "scenes.tflite", tmp_path / "table.csv", "-o", tmp_path / "out.csv")
    status, _, error = mmkeras(*words, "--column", "review=The Review")
    assert status == 0, error
    assert list(pd.read_csv(tmp_path / "out.csv"))[:4] == ["The Review", "price", "city", "mood"]
    for wrong, said in {"review=The Revew": "'The Review'?", "revew=city": "'review'?", "review": "once."}.items():
        status, _, error = mmkeras(*words, "--column", wrong, "--overwrite")
        assert status == 1 and f"NAME=COLUMN, each NAME once. Received: {wrong!r}." in error and said in error


def test_what_is_no_table_or_no_place_is_refused(exported, mmkeras, copied, monkeypatch):
    def said(table, out, *words):
        status, _, error = mmkeras("predict", exported.folder / "scenes.tflite", table, "-o", out, *words)
        assert status == 1
        return error

    table, out = copied / "table.csv", copied / "out.csv"
    assert "TABLE must be a CSV file. Received:" in said(copied / "none.csv", out)
    assert "OUT must end in .csv. Received:" in said(table, copied / "out.txt")
    assert "OUT must be another file than TABLE." in said(table, table, "--overwrite")
    assert "--batch-size must be a whole number above 0. Received: 0." in said(table, out, "--batch-size", 0)
    (copied / "header.csv").write_text("review,price\n")
    assert "The table needs rows. Received:" in said(copied / "header.csv", out)
    out.write_text("mine")
    assert "Give another name, or --overwrite." in said(table, out)
    assert out.read_text() == "mine"
    before = sorted(copied.iterdir())
    monkeypatch.setattr(pd.DataFrame, "to_csv", _fails)
    assert "No space left" in said(table, out, "--overwrite")
    assert out.read_text() == "mine" and sorted(copied.iterdir()) == before


def _fails(self, path, **_):
    path.write_text("half a tab")
    raise OSError("No space left")


def test_answers_of_every_kind_become_columns():
    classes = {"topics": ["a", "b"]}
    answers = {
        "topics_scores": np.array([[0.75, 0.5]], "float32"),
        "topics_holds": np.array([[True, True]]),
        "topics_classes": np.array([[b"a", b"b"]], object),
        "sizes": np.array([[1.5, 2.5]], "float32"),
        "said": np.array([b"gr\xc3\xbcn"], object),
        "identifiers": np.array([[b"x", b"y"]], object),
    }
    assert {name: list(values) for name, values in _tables.columns_of(answers, classes).items()} == {
        "topics.a": [0.75], "topics.b": [0.5], "topics_holds": ["a|b"], "sizes.0": [1.5], "sizes.1": [2.5],
        "said": ["grün"], "identifiers": ['["x", "y"]'],
    }  # fmt: skip
