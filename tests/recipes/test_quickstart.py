"""The main job of the README, on tiny data: everything happens but the learning."""

import csv
import json
import math
from pathlib import Path

import pytest
import tensorflow as tf
import tensorflow_text  # noqa: F401  the export holds its ops

from mmkeras import edge

OUT = Path("runs/tiny")


@pytest.fixture(scope="module")
def run(start, tmp_path_factory):
    """The recipe, run once in an empty folder where version 1 of the export is there already."""
    folder = tmp_path_factory.mktemp("quickstart")
    served = folder / "saved_models" / "tiny" / "1"
    served.mkdir(parents=True)
    (served / "saved_model.pb").write_text("loaded by a server")
    found = start("quickstart", folder, "--smoke", "--seed", 3)
    found.served = served
    return found


def test_report_counts_the_examples_and_names_every_baseline(run):
    assert set(run.report["baselines"]) == {"question only", "photo only", "voice only", "majority"}
    scores = [run.report["accuracy"], *run.report["baselines"].values()]
    low, high = run.report["interval"]
    assert all(0 <= score <= 1 for score in scores) and low <= run.report["accuracy"] <= high
    assert 150 <= run.report["n_train"] <= 200 and 20 <= run.report["n"] <= 60
    assert run.report["skipped"] == 0 and run.report["seed"] == 3 and run.report["seconds"] > 0


def test_accuracy_is_a_share_of_the_test_part(run):
    right = run.report["accuracy"] * run.report["n"]
    assert math.isclose(right, round(right), abs_tol=1e-6)


def test_export_answers_as_python_does(run):
    assert 0 <= run.report["parity_max_abs"] <= 1e-5


def test_the_litert_file_answers_as_python_does_and_has_a_row_of_its_own(run):
    found = run.report["litert"]
    assert found["path"] == "saved_models/tiny-2.tflite" and found["max_difference"]["answer"] <= 1e-4
    assert found["bytes"] == (run.folder / found["path"]).stat().st_size and 0 < found["latency_ratio"] < 1
    assert "all three, LiteRT" in run.printed and "of predict_on_batch" in run.printed
    parity = json.loads((run.folder / "saved_models" / "tiny-2.parity.json").read_text())
    assert parity["metrics"]["saved_model"]["answer"]["examples"] == run.report["n"]
    assert parity["metrics"]["litert"]["answer"]["accuracy"] == run.report["accuracy"]
    assert all(each["max_difference"] <= each["allowed"] for each in parity["edge"].values())


def test_the_litert_file_answers_raw_values_on_its_own(run):
    data = run.folder / OUT / "data"
    row = next(csv.DictReader((data / "examples.csv").open(encoding="utf-8")))
    files = {name: (data / row[name]).read_bytes() for name in ("photo", "voice")}
    answers = edge.Model(run.folder / "saved_models" / "tiny-2.tflite")({"question": row["question"], **files})
    assert answers["answer"] in answers["answer_classes"] and sum(answers["answer_scores"]) == pytest.approx(1)


def test_export_is_a_version_more_and_leaves_the_one_that_is_served(run):
    assert run.report["export"] == "saved_models/tiny/2"
    assert [file.name for file in run.served.iterdir()] == ["saved_model.pb"]
    assert (run.served / "saved_model.pb").read_text() == "loaded by a server"


def test_export_takes_raw_files_under_the_names_of_the_table(run):
    signatures = tf.saved_model.load(str(run.folder / run.report["export"])).signatures
    assert set(signatures) == {"serving_default", "ready", "examples"}
    _, inputs = signatures["serving_default"].structured_input_signature
    assert {name: spec.dtype for name, spec in inputs.items()} == dict.fromkeys(
        ("question", "photo", "voice"), tf.string
    )


def test_printed_command_and_answer_are_there(run):
    assert "majority" in run.printed and "mmkeras ask saved_models/tiny/2" in run.printed
    assert "the label is" in run.printed and "Written: runs/tiny/report.json" in run.printed


def test_nothing_is_written_elsewhere(run):
    assert {path.name for path in run.folder.iterdir()} == {"runs", "saved_models"}
    assert {path.name for path in (run.folder / OUT).iterdir()} == {"data", "training", "evaluation", "report.json"}


def test_no_warning_distracts_the_reader(run):
    assert "Warning" not in run.said and "WARNING" not in run.said
