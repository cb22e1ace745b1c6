import io
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
    with pytest.raises(ValueError, match=r"head must not have the name of an input. Received: \['title'\]"):
        mm.data.from_dataframe(pd.DataFrame({"title": ["x"]}), [SPECS[0]], [mm.heads.regression("title")])
    with pytest.raises(ValueError, match="on_error must be 'raise' or 'skip'. Received: 'ignore'"):
        mm.data.from_dataframe(pd.DataFrame({"title": ["x"]}), [SPECS[0]], on_error="ignore")


TABLE = [mm.Text("title"), mm.Table("t", numeric="age", categorical="zip")]


def test_a_csv_file_is_read_as_it_is_written(tmp_path):
    kinds = [mm.heads.classification("kind", ["01", "true"]), mm.heads.regression("price", size=2)]
    (tmp_path / "t.csv").write_text("title,age,zip,kind,price\n007,3,01234,01,1|2.5\ntrue,,,true,3|4\n")
    first, second = rows(mm.data.from_csv(tmp_path / "t.csv", TABLE, kinds))
    assert (first["title"], first["age"], first["zip"], first["kind"]) == (b"007", 3, b"01234", 0)
    assert (second["title"], second["zip"], second["kind"]) == (b"true", b"", 1)
    assert np.isnan(second["age"]) and first["price"].tolist() == [1, 2.5]


def test_numbers_in_text_columns_are_written_as_they_were(tmp_path):
    tags = [mm.heads.classification("kind", [1, 2]), mm.heads.classification("tags", [1, 2], multi_label=True)]
    lines = [{"title": 3, "zip": 9007199254740993, "age": 1, "kind": 1, "tags": 2, "date": 5},
             {"title": "2020-01-01", "age": None, "zip": None, "kind": 2.0, "tags": None}]  # fmt: skip
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, lines)))
    raw = mm.data.from_jsonl(tmp_path / "t.jsonl", TABLE, tags)
    assert [(row["title"], row["zip"]) for row in rows(raw)] == [(b"3", b"9007199254740993"), (b"2020-01-01", b"")]
    assert [row["kind"] for row in rows(raw)] == [0, 1]
    assert [row["tags"].tolist() for row in rows(raw)] == [[0, 1], [0, 0]]
    frame = pd.DataFrame({"title": ["a", b"\xff", True], "zip": [7, None, 1.5], "age": pd.array([1, None, 2])})
    raw = mm.data.from_dataframe(frame, TABLE)
    assert raw.table["title"].tolist() == [b"a", b"\xff", b"True"]
    assert raw.table["zip"].tolist() == [b"7", b"", b"1.5"]
    np.testing.assert_array_equal(raw.table["age"], [1, np.nan, 2])


def test_rows_are_left_out_by_position_and_their_labels_do_not_count():
    frame = pd.DataFrame({"title": ["x", "", "z", "\u3000"], "kind": ["a", "wrong", "b", "b"]}, index=[5, 5, 5, 6])
    raw = mm.data.from_dataframe(frame, [mm.Text("title")], HEADS, on_error="skip")
    assert [(row["title"], row["kind"]) for row in rows(raw)] == [(b"x", 0), (b"z", 1)]
    assert [fault.row for fault in raw.skipped] == [5, 6]
    with pytest.raises(ValueError, match="2 example.*row 5, 'title': a required text is empty"):
        mm.data.from_dataframe(frame[frame.title.str.strip() == ""], [mm.Text("title")], on_error="skip")


@pytest.mark.parametrize("label", [None, np.nan, pd.NA, " "])
def test_a_missing_label_is_named_by_its_row(label):
    frame = pd.DataFrame({"title": ["x", "y"], "kind": ["a", label]}, index=["first", "second"])
    with pytest.raises(ValueError, match="Head 'kind': .*row second has no label"):
        mm.data.from_dataframe(frame, [mm.Text("title")], HEADS, on_error="skip")


def test_bytes_that_look_like_a_path_are_bytes(folder):
    content = b"@" + str(folder / "one.png").encode()
    frame = pd.DataFrame({"title": ["x"], "photo": [content], "kind": ["a"]})
    assert rows(mm.data.from_dataframe(frame, SPECS, HEADS))[0]["photo"] == content


def test_decoded_files_repeated_columns_and_single_specs_are_refused():
    frame = pd.DataFrame({"title": ["x"], "photo": [np.zeros((4, 4, 3))], "kind": ["a"]})
    told = "path, as the bytes.*pixels.*Received: float64 of shape .4, 4, 3. as .photo. in row 0"
    with pytest.raises(ValueError, match=told):
        mm.data.from_dataframe(frame, SPECS, HEADS)
    with pytest.raises(ValueError, match=r"Column names must be unique. Received: \['title'\]"):
        mm.data.from_dataframe(pd.DataFrame([["x", "y"]], columns=["title", "title"]), SPECS[:1])
    with pytest.raises(TypeError, match="specs must be a list. Received: Text"):
        mm.data.from_dataframe(frame, SPECS[0])
    with pytest.raises(TypeError, match="heads must be a list. Received: Classification"):
        mm.data.from_dataframe(frame, SPECS, HEADS[0])


def test_a_csv_needs_no_path_where_root_is_given(tmp_path):
    file = io.StringIO("note,mood\nhello,good\n")
    raw = mm.data.from_csv(file, [mm.Text("note")], [mm.heads.classification("mood", ["good", "bad"])], root=tmp_path)
    assert raw.table["note"].tolist() == [b"hello"]
