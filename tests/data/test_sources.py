import json

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import mmkeras as mm

SPECS = [mm.Text("title", optional=True), mm.Image("photo", size=(4, 4), optional=True)]
HEADS = [mm.heads.classification("kind", ["a", "b"])]


@pytest.fixture
def folder(tmp_path):
    for name in ("one", "two"):
        (tmp_path / f"{name}.png").write_bytes(tf.io.encode_png(np.zeros((4, 4, 3), "uint8")).numpy())
    return tmp_path


def rows(raw):
    return list(raw.as_numpy_iterator())


def test_csv_paths_are_relative_to_the_file(folder):
    (folder / "t.csv").write_text("title,photo,kind\nNone,one.png,a\n,,b\n")
    raw = mm.data.from_csv(folder / "t.csv", SPECS, HEADS)
    first, second = rows(raw)
    assert first["title"] == b"None"  # a text, not an absent value
    assert first["photo"] == (folder / "one.png").read_bytes()
    assert first["kind"] == 0
    assert (second["title"], second["photo"], second["kind"]) == (b"", b"", 1)
    assert len(raw) == 2
    assert isinstance(raw, tf.data.Dataset)


def test_jsonl_and_column_names(folder):
    lines = [{"headline": "x", "photo": "one.png", "label": "b"}, {"headline": None, "photo": None, "label": "a"}]
    (folder / "t.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    raw = mm.data.from_jsonl(folder / "t.jsonl", SPECS, HEADS, columns={"title": "headline", "kind": "label"})
    assert [row["title"] for row in rows(raw)] == [b"x", b""]
    assert [row["kind"] for row in rows(raw)] == [1, 0]


def test_bytes_and_paths_in_one_column(folder):
    content = (folder / "one.png").read_bytes()
    frame = pd.DataFrame({"title": ["x", "y", None], "photo": [content, "two.png", np.nan], "kind": ["a", "b", "a"]})
    raw = mm.data.from_dataframe(frame, SPECS, HEADS, root=folder)
    assert [row["photo"] for row in rows(raw)] == [content, (folder / "two.png").read_bytes(), b""]


def test_numbers_and_categories():
    frame = pd.DataFrame({"age": ["3", None, "4.5"], "city": ["Rome", None, 7]})
    raw = mm.data.from_dataframe(frame, [mm.Table("t", numeric=["age"], categorical=["city"])])
    np.testing.assert_array_equal([row["age"] for row in rows(raw)], np.array([3, np.nan, 4.5], "float32"))
    assert [row["city"] for row in rows(raw)] == [b"Rome", b"", b"7"]


def test_select_does_not_read_files(folder):
    frame = pd.DataFrame({"title": ["x"], "photo": ["one.png"], "kind": ["a"]})
    raw = mm.data.from_dataframe(frame, SPECS, HEADS, root=folder).select(["title"])
    (folder / "one.png").unlink()
    assert rows(raw) == [{"title": b"x"}]


def test_all_missing_files_are_named_at_once(folder):
    frame = pd.DataFrame({"title": list("xyz"), "photo": ["no.png", "one.png", "nor.png"], "kind": list("aab")})
    with pytest.raises(ValueError, match=r"(?s)2 example.*row 0, 'photo', .*no\.png: there is no such file.*row 2"):
        mm.data.from_dataframe(frame, SPECS, HEADS, root=folder)
    raw = mm.data.from_dataframe(frame, SPECS, HEADS, root=folder, on_error="skip")
    assert [row["title"] for row in rows(raw)] == [b"y"]
    assert [fault.row for fault in raw.skipped] == [0, 2]


def test_required_values():
    specs = [mm.Text("title"), mm.Audio("voice")]
    frame = pd.DataFrame({"title": ["x", " "], "voice": [None, b"RIFF"]}, index=[10, 11])
    with pytest.raises(ValueError, match=r"(?s)row 11, 'title': a required text is empty.*row 10, 'voice': a required"):
        mm.data.from_dataframe(frame, specs)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ({"titel": ["x"], "photo": [b""], "kind": ["a"]}, r"'title' \(for 'title'\) Did you mean 'titel'"),
        ({"title": ["x"], "photo": [b""], "kind": ["c"]}, r"Head 'kind': .*'c' in row 0"),
        ({"title": [], "photo": [], "kind": []}, "needs rows"),
    ],
)
def test_bad_tables(frame, message):
    with pytest.raises(ValueError, match=message):
        mm.data.from_dataframe(pd.DataFrame(frame), SPECS, HEADS)


def test_bad_numbers_and_names():
    with pytest.raises(ValueError, match=r"row 1, 'age': 'old' is not a finite number"):
        mm.data.from_dataframe(pd.DataFrame({"age": [1, "old"]}), [mm.Table("t", numeric=["age"])])
    with pytest.raises(ValueError, match=r"head must not be called like an input. Received: \['title'\]"):
        mm.data.from_dataframe(pd.DataFrame({"title": ["x"]}), [SPECS[0]], [mm.heads.regression("title")])
    with pytest.raises(ValueError, match="on_error is 'raise' or 'skip'. Received: 'ignore'"):
        mm.data.from_dataframe(pd.DataFrame({"title": ["x"]}), [SPECS[0]], on_error="ignore")
