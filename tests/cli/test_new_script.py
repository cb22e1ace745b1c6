"""The script of `mmkeras new`: it is formatted, reads what was found, trains and exports."""

import json
import re
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import mmkeras as mm
from mmkeras.cli import main
from mmkeras.cli.new import files, places

CONFIG = Path(__file__).parents[2] / "pyproject.toml"


def ruff(*paths):
    for command in (["check"], ["format", "--check", "--diff"]):
        words = [sys.executable, "-m", "ruff", *command, "--no-cache", "--config", CONFIG, *paths]
        done = subprocess.run(list(map(str, words)), capture_output=True, text=True, cwd=CONFIG.parent, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def written(table, *options):
    """The script for a table, beside it."""
    out = table.parent / "train.py"
    words = ["new", str(table), "-o", str(out), "--overwrite", "--traceback", *options]
    assert main(words) == 0
    return out


def test_text_pictures_and_numbers_are_trained_and_exported(tmp_path, monkeypatch, one_process):
    table = mm.data.generate.scenes(tmp_path / "scenes", n=120, size=24, seconds=0.25)
    out = written(table, "--label", "answer", "--drop", "voice", "--drop", "objects")
    ruff(out)
    script = out.read_text()
    assert 'mm.Text("question"' in script and 'mm.Image("photo", size=(24, 24))' in script
    assert 'numeric=["area", "loudness", "hour"]' in script and 'categorical=["tone", "room"]' in script
    assert 'group="photo"' in script  # two questions share one
    assert "# - caption: gives 'answer' away" in script and "# - scene: tells where a row is from" in script
    monkeypatch.chdir(tmp_path)
    out.write_text(re.sub("epochs, batch_size = .*", "epochs, batch_size = 1, 32", script))
    found = runpy.run_path(str(out))
    assert {"model", "majority"} == set(found["report"]["models"])
    assert (Path(found["export"]["path"]) / "saved_model.pb").is_file()
    photos = [set(found[part].frame["photo"]) for part in ("raw_train", "raw_valid", "raw_test")]
    assert all(photos) and not photos[0] & photos[1] | photos[0] & photos[2] | photos[1] & photos[2]


def read_only(script, path):
    """What the script knows before it trains."""
    path.write_text(script.partition("# Strings and files become tensors")[0])
    return runpy.run_path(str(path))


@pytest.mark.filterwarnings("ignore:Classes of head")
def test_what_a_script_reads(tmp_path):
    """Names that are no identifiers, missing labels and values, words for none, folds, two labels, many classes."""
    rows = 90
    rng = np.random.default_rng(0)
    kinds = [f"a rather long name of class {i}" for i in range(15)]
    table = pd.DataFrame({
        "class": [kinds[i % 15] if i else "" for i in range(rows)],
        "Price (EUR)": rng.normal(size=rows).round(3),
        "fold": np.arange(rows) % 3,
        "my text": [f"number {i} is a fine thing to have" if i % 2 else "" for i in range(rows)],
        "age": ["n/a" if i % 9 == 1 else i for i in rng.integers(1, 60, rows)],
        "sold": [f"2024-01-{1 + i % 28:02d} 10:00" for i in range(rows)],
        "face": [f"{i}|0.5|{i % 7}" for i in range(rows)],
    })  # fmt: skip
    table.to_csv(tmp_path / "t.csv", index=False)
    out = written(tmp_path / "t.csv", "--label", "class")
    ruff(out)
    found = read_only(out.read_text(), tmp_path / "read.py")
    assert [each.name for each in found["specs"]] == ["my_text", "face", "facts"]
    assert found["specs"][0].optional and found["specs"][2].numeric == ("price_eur", "age")
    assert found["specs"][2].dates == ("sold",) and found["heads"][0].classes == tuple(sorted(kinds))
    assert 'monitor="val_class__accuracy", patience=None' in out.read_text()  # six rows of a class
    assert "is kept to validate" in out.read_text()
    assert (len(found["raw"].frame), found["heads"][0].name) == (rows - 1, "class_")  # one row has no label
    assert set(found["raw_test"].frame["fold"]) == {"2"} and len(found["raw_valid"].frame) == 6
    assert np.isnan(found["raw"].table["age"]).sum() == table["age"].eq("n/a").sum()

    out = written(tmp_path / "t.csv", "--label", "class", "--label", "Price (EUR)")
    found = read_only(out.read_text(), tmp_path / "read.py")
    assert [each.kind for each in found["heads"]] == ["classification", "regression"]
    assert "mm.heads.adapt(heads, raw_train)" in out.read_text()


@pytest.mark.parametrize("kind", ["jsonl", "json", "csv"])
def test_spellings_of_a_label_and_words_for_no_text(tmp_path, kind):
    rows = [{"text": f"a story told {i} times" if i % 4 else "NULL", "n": i % 5, "answer": ["Yes", "yes", "no "][i % 3]}
            for i in range(60)]  # fmt: skip
    table, path = pd.DataFrame(rows), tmp_path / f"t.{kind}"
    if kind == "csv":
        table.to_csv(path, index=False)
    else:
        table.to_json(path, orient="records", lines=kind == "jsonl")
    out = written(path, "--label", "answer")
    ruff(out)
    found = read_only(out.read_text(), tmp_path / "read.py")
    assert found["heads"][0].classes == ("no", "yes") and found["specs"][0].optional
    assert found["raw"].table["answer"].tolist() == [int(i % 3 < 2) for i in range(60)]
    assert [value == b"" for value in found["raw"].table["text"]] == [i % 4 == 0 for i in range(60)]


@pytest.mark.parametrize("kind", ["jsonl", "json"])
def test_tables_of_json(tmp_path, kind):
    rows = [{"text": f"a story told {i} times", "n": i % 5, "fold": 1 + i // 10, "answer": "yes" if i % 3 else "no"}
            for i in range(40)]  # fmt: skip
    if kind == "jsonl":
        (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, rows)))
        out = written(tmp_path / "t.jsonl", "--label", "answer")
    else:
        (tmp_path / "t.json").write_text(json.dumps([list(row.values()) for row in rows]))
        out = written(tmp_path / "t.json", "--label", "answer", "--columns", *rows[0])
    ruff(out)
    found = read_only(out.read_text(), tmp_path / "read.py")
    assert found["raw"].table["n"].tolist() == [row["n"] for row in rows]
    assert [len(found[f"raw_{part}"].frame) for part in ("train", "valid", "test")] == [27, 3, 10]


def test_clips_vectors_and_files_that_are_lost(tmp_path):
    table = pd.read_csv(mm.data.generate.motions(tmp_path / "clips", n=40))
    (tmp_path / "clips" / table["clip"][3]).unlink()
    for i in range(40):
        np.save(tmp_path / "clips" / f"{i}.npy", np.arange(5.0) + i)
    table["face"] = [f"{i}.npy" for i in range(40)]
    table.to_csv(tmp_path / "clips" / "t.csv", index=False)
    out = written(tmp_path / "clips" / "t.csv", "--label", "direction", "--drop", "note")
    ruff(out)
    found = read_only(out.read_text(), tmp_path / "read.py")
    assert [each.kind for each in found["specs"]] == ["video", "vector"] and found["specs"][1].size == 5
    assert len(found["raw"].frame) == 39 and len(found["raw"].skipped) == 1


def test_folders_of_frames_are_clips_and_those_of_classes_are_not(tmp_path):
    rows = []
    for i in range(40):
        folder = tmp_path / "clips" / f"c{i}"
        folder.mkdir(parents=True)
        for frame in range(3):
            Image.new("RGB", (24, 24), (6 * i, 0, 0)).save(folder / f"{frame}.png")
        rows.append({"clip": f"clips/c{i}", "shelf": "clips/c0" if i % 2 else "clips/c1", "way": "lr"[i % 2]})
    pd.DataFrame(rows).to_csv(tmp_path / "t.csv", index=False)
    out = written(tmp_path / "t.csv", "--label", "way", "--drop", "shelf")
    ruff(out)
    found = read_only(out.read_text(), tmp_path / "read.py")
    assert [(each.kind, each.frames) for each in found["specs"]] == [("video", 3)]
    assert not files._are_frames(pd.Series([row["shelf"] for row in rows]), places.places(tmp_path))
    (tmp_path / "a.zip").write_bytes(b"PK\5\6" + bytes(18))
    assert not places.place(tmp_path, "a.zip").holds_files_in("clips", (".png",))
