"""A tiny set through the whole recipe, and the files it leaves; and its floors on the real set."""

import json
import os
import zipfile
from pathlib import Path

import pytest

from mmkeras import edge

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("MMKERAS_DATA", ROOT.parent / "shared" / "data")) / "easy-vqa"
NAMES = ("float32", "float16", "dynamic", "int8")


@pytest.fixture(scope="module")
def run(start_here, tmp_path_factory):
    return start_here("edge_deploy", tmp_path_factory.mktemp("edge_deploy"), "--smoke", "--seed", 3)


def test_each_quantisation_has_a_file_that_was_measured(run):
    assert run.report["n"] == 40 and set(run.report["files"]) == set(NAMES)
    for name, file in run.report["files"].items():
        assert file["bytes"] == (run.folder / file["path"]).stat().st_size
        assert 0 <= file["accuracy"] <= 1 and file["milliseconds"] > 0 and file["latency_ratio"] > 0
        parity = json.loads((run.folder / file["path"]).with_suffix(".parity.json").read_text())
        assert parity["metrics"]["litert"]["answer"]["examples"] == 40
        assert all(each["max_difference"] <= each["allowed"] for each in parity["edge"].values())
        assert name in run.printed
    assert run.report["files"]["float32"]["max_difference"] < 1e-5
    assert run.report["files"]["float32"]["accuracy"] == run.report["accuracy"]
    assert run.report["files"]["float16"]["size_ratio"] < 0.6 and run.report["files"]["int8"]["size_ratio"] < 0.4


@pytest.mark.parametrize("name", NAMES)
def test_a_file_answers_on_its_own(run, name):
    data = run.folder / "runs/tiny/data"
    question, _, number = json.loads((data / "test_questions.json").read_text())[0]
    with zipfile.ZipFile(data / "test_images.zip") as archive:
        photo = archive.read(f"{number}.png")
    model = edge.Model(run.folder / run.report["files"][name]["path"])
    answers = model({"question": question, "photo": photo})
    assert answers["answer"] in (data / "answers.txt").read_text().split()
    assert sum(answers["answer_scores"]) == pytest.approx(1, abs=0.05)


def test_no_warning_distracts_the_reader(run):
    assert "Warning" not in run.said and "WARNING" not in run.said


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason="the easy-VQA set is not there")
def test_quantisation_keeps_the_accuracy_of_the_real_set(start, tmp_path):
    report = start("edge_deploy", tmp_path, "--data", DATA).report
    assert report["n"] == 4868 and report["accuracy"] >= 0.985
    for name, file in report["files"].items():
        assert file["accuracy"] >= report["accuracy"] - (0.005 if name in ("dynamic", "int8") else 0.001)
    assert report["files"]["int8"]["size_ratio"] <= 0.35
    assert report["files"]["float32"]["latency_ratio"] <= 1 / 8
