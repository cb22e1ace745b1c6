"""`mmkeras new`: what it finds out of a table, what it leaves out, and what it refuses."""

import zipfile

import numpy as np
import pandas as pd
import pytest

from mmkeras.cli import main
from mmkeras.cli.new import kinds, labels, looks, tables
from mmkeras.data.generate.files import image, wav

ROWS = 200
rng = np.random.default_rng(0)
WORDS = np.array(["lovely", "awful", "the", "dress", "fits", "runs", "small", "soft", "blue", "at", "last", "buy"])
SENTENCES = [" ".join(rng.choice(WORDS, 7)) for _ in range(ROWS)]

# values of a column -> (kind, what is told)
COLUMNS = {
    "review": (SENTENCES, "text", "7 words on average"),
    "title": ([f"{a} {b} {i}" for i, (a, b) in enumerate(rng.choice(WORDS, (ROWS, 2)))], "text", "3 words"),
    "hidden": ([f"w{i:02d}_" for i in rng.integers(0, 90, ROWS)], "text", "letter by letter"),
    "frame": ([text if i % 3 else "NULL" for i, text in enumerate(SENTENCES)], "text", "; NULL for none"),
    "size": ([f"{x:.3f}" for x in rng.normal(size=ROWS)], "number", "numbers, -"),
    "gaps": (["1.5", "n/a", "3", "?"] * (ROWS // 4), "number", "?, n/a for none"),
    "city": (["Paris", "Rome", "New York", None] * (ROWS // 4), "category", "3 categories"),
    "plan_id": (["1", "2", "3", "4"] * (ROWS // 4), "category", "numbers that name 4 things"),
    "zip": (["01234", "09999"] * (ROWS // 2), "category", "'01234'"),
    "sold": ([f"2024-03-{1 + i % 28:02d}" for i in range(ROWS)], "date", "2024-03-01 to 2024-03-28"),
    "bought": ([f"{1 + i % 28}/03/2024" for i in range(ROWS)], "out", "not in ISO 8601"),
    "embedding": (["[0.5, 1, 2e-3]"] * ROWS, "out", "constant"),
    "vector": ([f"{i}|2|3.5" for i in range(ROWS)], "vector", "3 numbers"),
    "row": ([str(i) for i in range(ROWS)], "out", "a different number in each row"),
    "serial": ([str(7 * i) for i in range(ROWS)], "number", "numbers, 0 to 1,393"),
    "code": ([f"ab-{i}" for i in range(ROWS)], "out", "few values come again"),
    "paid": ([str(i * i % 97) for i in range(ROWS)], "number", "numbers, 0 to"),
    "item_id": ([str(i % 90) for i in range(ROWS)], "out", "an id: 90 values, 2.2 rows each"),
    "speaker": (["ann", "bob", "eve", "kim"] * (ROWS // 4), "out", "tells where a row is from: 4 values"),
    "page": ([f"https://example.org/{i}" for i in range(ROWS)], "out", "addresses of the web"),
    "empty": ([None] * ROWS, "out", "nearly empty"),
    "stamp": ([str(1_700_000_000 + i % 7) for i in range(ROWS)], "out", "32 bits"),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_what_a_column_holds(name):
    values, kind, told = COLUMNS[name]
    found = kinds.look(name, pd.Series(values, dtype=object))
    assert (found.kind, told in found.why) == (kind, True), found


def test_dots_stand_for_further_categories_only():
    look = lambda *values: kinds.look("city", pd.Series(values * 50, dtype=object)).why  # noqa: E731
    assert look("Paris", "Rome", "Oslo") == "3 categories: 'Paris', 'Rome', 'Oslo'"
    assert look("Paris", "Rome", "Oslo", "Bonn") == "4 categories: 'Paris', 'Rome', 'Oslo', ..."


def test_lists_are_vectors_and_other_objects_are_left_out():
    found = kinds.look("face", pd.Series([[0.5, 1, 2, 3]] * 30, dtype=object))
    assert (found.kind, found.facts["size"]) == ("vector", 4)
    assert kinds.look("boxes", pd.Series([{"x": 1}] * 30, dtype=object)).kind == "out"


@pytest.mark.parametrize(("values", "task", "classes"), [
    (["yes", "no"] * 50, "classification", ["no", "yes"]),
    (["10", "9", "2"] * 50, "classification", ["2", "9", "10"]),
    ([str(i % 60) for i in range(300)], "regression", []),
    (["0.5", "1.5"] * 50, "classification", ["0.5", "1.5"]),
    ([f"{x:.2f}" for x in rng.normal(size=100)], "regression", []),
    (["a|b", "b", "a|c", "c|a|b", None] * 20, "multi-label", ["a", "b", "c"]),
])  # fmt: skip
def test_what_a_label_asks_for(values, task, classes):
    found = labels.look("answer", pd.Series(values, dtype=object), None)
    assert (found.task, found.classes) == (task, classes)


def test_spellings_of_a_class_are_one_and_letters_are_not():
    column = pd.Series(["Yes", "yes", " NO ", "no", "perhaps"] * 20, dtype=object)
    found = labels.look("answer", column, None)
    assert (found.classes, found.lower, found.constant) == (["no", "perhaps", "yes"], True, 0.4)
    assert "3 classes; " in found.why and "; 2 further spellings differ in upper and lower case only" in found.why
    assert found.as_class(column).tolist()[:4] == ["yes", "yes", "no", "no"]
    letters = labels.look("letter", pd.Series(["A", "a", "b"] * 20, dtype=object), None)
    assert (letters.classes, letters.lower) == (["A", "a", "b"], False)


def test_labels_may_be_lists():
    found = labels.look("tags", pd.Series([["a", "b"], ["b"], [], ["c"]] * 20, dtype=object), None)
    assert (found.task, found.classes, found.lists) == ("multi-label", ["a", "b", "c"], True)


@pytest.mark.parametrize(("values", "task", "told"), [
    (SENTENCES, None, "Each class needs several rows"),
    (["a", "b"] * 20, "regression", "Regression needs numbers.*'a'"),
    (["a"] * 20, None, "two different values"),
])  # fmt: skip
def test_labels_that_cannot_be_predicted(values, task, told):
    with pytest.raises(ValueError, match=told):
        labels.look("answer", pd.Series(values, dtype=object), task)


def test_the_gain_of_a_column_is_that_of_rows_not_seen():
    truth = pd.Series(list("aaab") * 50)
    assert labels.gain(truth, truth) == 1
    assert labels.gain(pd.Series([str(i) for i in range(200)]), truth) < 0  # each value is there once: it tells nothing
    coin = pd.Series(rng.choice(["x", "y"], 200))
    assert labels.gain(coin, truth) == 0
    near = truth.where(pd.Series(np.arange(200) % 20 > 0), "b")
    assert 0.7 < labels.gain(near, truth) < 0.9


def frame(rows=120):
    """A table whose columns give the label away in every way that is told."""
    label = np.array(["cat", "dog", "cow"])[np.arange(rows) % 3]
    stars = np.where(np.arange(rows) % 11, np.arange(rows) % 3, 2)
    return pd.DataFrame({
        "kind": label,
        "kind_id": np.arange(rows) % 3,
        "stars": stars,
        "story": [f"once upon a time a {each} met {a}" for each, a in zip(label, SENTENCES, strict=False)],
        "size": rng.normal(size=rows).round(3),
        "part": ["train", "train", "test", "train"] * (rows // 4),
    })  # fmt: skip


def looked(folder, table, label, **options):
    table.to_csv(folder / "table.csv", index=False)
    read = tables.read(folder / "table.csv", labels=[label])
    return {each.name: each for each in looks.look(read, [label], **options).columns}


def test_columns_that_give_the_label_away_are_left_out(tmp_path):
    found = looked(tmp_path, frame(), "kind")
    assert {name: each.kind for name, each in found.items()} == {
        "kind_id": "out", "stars": "out", "story": "out", "size": "number", "part": "split"}  # fmt: skip
    assert found["kind_id"].why == "gives 'kind' away: each of its 3 values goes with one label"
    assert "nearly gives 'kind' away: its 3 values alone tell 9" in found["stars"].why
    assert "its text holds the label in 100% of the rows" in found["story"].why
    doubled = frame().assign(price=lambda table: 3 * table["size"] + 1)
    assert "the same number on another scale" in looked(tmp_path, doubled, "size")["price"].why


def test_a_blank_is_no_value_and_given_parts_need_no_group(tmp_path):
    table = frame().assign(note=["a fine day it is", " "] * 60, part=["train", "valid", "test"] * 40)
    assert looked(tmp_path, table, "kind")["note"].missing == 60
    read = tables.read(tmp_path / "table.csv", labels=["kind"])
    notes = looks.look(read, ["kind"], group="size").notes
    assert notes == ["--group 'size' is not needed: the parts to learn from, to validate and to test are all given."]


def test_dropped_and_grouped_columns(tmp_path):
    found = looked(tmp_path, frame(), "kind", drop=["stars"], group="story")
    assert found["stars"].why == "dropped by --drop"
    for option in ({"drop": ["sise"]}, {"group": "sise"}):
        with pytest.raises(ValueError, match="names a column. Received: 'sise'. Did you mean 'size'"):
            looked(tmp_path, frame(), "kind", **option)
    with pytest.raises(ValueError, match=r"Every row needs a group. Received: 1 row\(s\)"):
        looked(tmp_path, frame().assign(by=[None, *"ab" * 59, "c"]), "kind", group="by")


def test_a_table_without_quotes_is_read_as_it_stands(tmp_path):
    lines = ["text\tname", *[f'"{word} is open\t{word}' for word in WORDS for _ in range(3)]]
    (tmp_path / "t.tsv").write_text("\n".join(lines))
    read = tables.read(tmp_path / "t.tsv", labels=["name"])
    assert read.options == {"sep": "\t", "quoting": 3} and read.frame["text"][0] == '"lovely is open'
    quoted = 'text\tname\n"a\tb"\tc\n' + "d\te\n" * 20
    (tmp_path / "t.tsv").write_text(quoted)
    assert tables.read(tmp_path / "t.tsv", labels=["name"]).frame["text"][0] == "a\tb"
    (tmp_path / "t.csv").write_text("text;name\n" + "a,b;c\n" * 20)
    assert tables.read(tmp_path / "t.csv", labels=["name"]).options == {"sep": ";"}


@pytest.mark.parametrize(("name", "content", "told"), [
    ("t.csv", "a,b\n1,2\n" + "1,2,3\n" * 20, r"has 3 field\(s\), the header has 2"),
    ("t.csv", b"a,b\n" + "é,1\n".encode("latin-1") * 30, "give encoding="),
    ("t.csv", "a,b\n1,2\n", "needs 20 rows or more"),
    ("t.csv", "a,c\n" + "1,2\n" * 30, "--label names a column. Received: 'b'"),
    ("t.xlsx", "", "must end in .csv"),
    ("t.json", "[[1, 2]]", "Give --columns with 2 names"),
    ("t.json", '{"a": 1}', "must be a list of rows"),
])  # fmt: skip
def test_tables_that_are_not_read(tmp_path, name, content, told):
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=told):
        tables.read(tmp_path / name, labels=["b"])


@pytest.fixture
def zipped(tmp_path):
    """train.tsv and test.tsv of names, whose files are in an archive each, and a label; returns their folder."""
    for part, rows in {"train": 60, "test": 30}.items():
        first = 100 * (part == "test")
        table = pd.DataFrame(
            {"no": [f"{first + i:02x}" for i in range(rows)], "place": [f"{i}.png" for i in range(rows)]}
        )
        table["shape"] = np.where(np.arange(rows) % 2, "round", "square")
        table.to_csv(tmp_path / f"{part}.tsv", sep="\t", index=False)
        with zipfile.ZipFile(tmp_path / f"{part}_pictures.zip", "w") as files:
            for name in table["place"]:
                files.writestr(name, image(np.zeros((40, 30, 1), "uint8"), "png"))
        with zipfile.ZipFile(tmp_path / f"{part}_sounds.zip", "w") as files:
            for name in table["no"]:
                files.writestr(f"{name}.wav", wav(np.zeros(4000)))
    return tmp_path


def test_files_in_archives_of_two_tables(zipped, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    out = zipped / "train.py"
    assert main(["new", str(zipped / "train.tsv"), "--label", "shape", "-o", str(out)]) == 0
    told, script = capsys.readouterr().out, out.read_text()
    assert "pictures in train_pictures.zip: 30 x 40 pixels" in told
    assert '--files "sound=train_sounds.zip/{no}.wav"' in told
    assert 'root=data / "train_pictures.zip"' in script and 'root=data / "test_pictures.zip"' in script
    assert 'mm.Image("place", size=(28, 28), channels=1)' in script and "0.9, 0.1" in script
    sound, out = ["--files", "sound=train_sounds.zip/{no}.wav"], zipped / "shapes.py"
    assert main(["new", str(zipped / "train.tsv"), "--label", "shape", "-o", str(out), *sound]) == 0
    script = out.read_text()
    assert 'frame["sound"] = frame["no"] + ".wav"' in script and '"runs/shapes"' in script
    assert 'mm.Audio("sound", seconds=0.5, sample_rate=8000)' in script
    assert '"place": data / "test_pictures.zip", "sound": data / "test_sounds.zip"' in script


@pytest.mark.parametrize(("option", "told"), [
    ("photo", "--files says how names of files are made of columns"),
    ("photo=a.zip/{noo}.png", "'noo' Did you mean 'no'"),
    ("place=train_pictures.zip/{no}.png", "--files makes an input of a new name"),
    ("photo=none.zip/{no}.png", "no file there such as none.zip/00.png"),
    ("photo=train_sounds.zip/{no}.xyz", "its names end like no file that is read"),
    ("photo=train_sounds.zip/{no:3}.wav", "--files says how names"),
])  # fmt: skip
def test_patterns_that_name_no_files(zipped, capsys, option, told):
    assert main(["new", str(zipped / "train.tsv"), "--label", "shape", "--files", option, "-o", "unwritten.py"]) == 1
    assert told in capsys.readouterr().err


def test_nothing_to_learn_from_and_a_script_that_is_there(tmp_path, capsys):
    table = pd.DataFrame({"no": [f"n{i}" for i in range(40)], "kind": ["a", "b"] * 20})
    table.to_csv(tmp_path / "t.csv", index=False)
    (tmp_path / "clips.zip").write_bytes(b"")
    with zipfile.ZipFile(tmp_path / "clips.zip", "w") as files:
        for name in table["no"]:
            files.writestr(f"{name}.wav", wav(np.zeros(2000)))
    words = ["new", str(tmp_path / "t.csv"), "--label", "kind", "-o", str(tmp_path / "train.py")]
    assert main(words) == 1
    told = capsys.readouterr().err
    assert "No column is left to learn from" in told and '--files "sound=clips.zip/{no}.wav"' in told
    (tmp_path / "train.py").write_text("mine")
    assert main(words) == 1
    assert (
        "An existing script is not overwritten" in capsys.readouterr().err
        and (tmp_path / "train.py").read_text() == "mine"
    )


def test_files_that_are_broken_or_in_several_places(tmp_path):
    table = pd.DataFrame({"photo": [f"{i}.png" for i in range(40)], "kind": ["a", "b"] * 20, "n": range(1, 80, 2)})
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        for name in table["photo"]:
            (tmp_path / folder / name).write_bytes(b"no picture")
    assert "in several places: one, two" in looked(tmp_path, table, "kind")["photo"].why
    options = {"patterns": ["photo=one/{photo}"]}
    with pytest.raises(ValueError, match=r"Files of column 'photo' must be pictures. Received: \d+.png: cannot ident"):
        looked(tmp_path, table, "kind", **options)
    for i in range(1, 40):
        (tmp_path / "one" / f"{i}.png").write_bytes(image(np.zeros((20, 20, 3), "uint8"), "png"))
    found = looked(tmp_path, table, "kind", **options)["photo"]
    assert found.kind == "image" and "1 of 40 opened ones are broken, such as 0.png" in found.why


def test_a_test_table_without_labels_is_not_used(tmp_path):
    frame().to_csv(tmp_path / "train.csv", index=False)
    frame().assign(kind="").to_csv(tmp_path / "test.csv", index=False)
    assert list(tables.read(tmp_path / "train.csv", labels=["kind"]).frames) == ["train"]
    frame().to_csv(tmp_path / "other.csv", index=False)
    read = tables.read(tmp_path / "train.csv", labels=["kind"], test=tmp_path / "other.csv")
    assert read.names == {"train": "train.csv", "test": "other.csv"} and not read.words
    with pytest.raises(ValueError, match="--label names a column"):
        (tmp_path / "none.csv").write_text("a,b\n1,2\n")
        tables.read(tmp_path / "train.csv", labels=["kind"], test=tmp_path / "none.csv")


@pytest.mark.parametrize("split", ["a column", "tables"])
def test_a_category_that_is_new_in_the_test_part_is_left_out(tmp_path, split):
    parts = ["train"] * 150 + ["test"] * 50
    frame = pd.DataFrame({"review": SENTENCES, "split": parts, "city": ["Rome", "Oslo"] * 100,
                          "mood": list("aabb") * 50,
                          "form": [f"{'test_' * (part == 'test')}{'free' if i % 3 else 'para'}"
                                   for i, part in enumerate(parts)]})  # fmt: skip
    if split == "tables":
        for part, own in frame.groupby("split"):
            own.drop(columns="split").to_csv(tmp_path / f"{part}.csv", index=False)
    else:
        frame.to_csv(tmp_path / "train.csv", index=False)
    table = tables.read(tmp_path / "train.csv", test=None, names=None, sep=None, encoding=None, labels=["mood"])
    found = {each.name: each for each in looks.look(table, ["mood"]).columns}
    assert found["city"].kind == "category" and found["form"].kind == "out"
    assert "its values in the test part, such as 'test_" in found["form"].why
