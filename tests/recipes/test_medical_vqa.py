"""Bright spots and questions about them through the whole recipe: a head for closed and one for open answers."""

import json
import os
from pathlib import Path

import pytest
import tensorflow as tf
import tensorflow_text  # noqa: F401  the export holds its ops

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("MMKERAS_DATA", ROOT.parent / "shared" / "data")) / "vqa-rad"


@pytest.fixture(scope="module")
def run(start_here, tmp_path_factory):
    """The recipe on tiny data, all of which stands in for another folder, too."""
    folder = tmp_path_factory.mktemp("medical_vqa")
    return start_here("medical_vqa", folder, "--smoke", "--seed", 3, "--test", "runs/tiny/data")


def test_closed_and_open_questions_are_counted_apart(run):
    report = run.report
    assert set(report["baselines"]) == {"question only", "majority"}
    assert (report["n"], report["n_closed"], report["n_train"]) == (16, 8, 96)
    assert set(report["accuracy"]) == {"closed", "open", "all"} and report["skipped"] == 0 and report["seed"] == 3
    for part, (low, high) in report["interval"].items():
        assert low <= report["accuracy"][part] <= high
    kinds = report["by_kind_of_question"]
    assert (kinds["PRES"]["both"], kinds["POS"]["both"]) == (report["accuracy"]["closed"], report["accuracy"]["open"])
    assert report["accuracy"]["all"] == (report["accuracy"]["closed"] + report["accuracy"]["open"]) / 2
    assert "MEVF + BAN: closed 0.751, open 0.439" in run.printed


def test_all_rows_of_another_folder_are_answered(run):
    assert (run.report["other_test"]["n"], run.report["other_test"]["n_closed"]) == (64, 32)


def test_export_gives_both_answers_as_python_does(run):
    assert 0 <= run.report["parity_max_abs"] <= 1e-5
    signature = tf.saved_model.load(str(run.folder / run.report["export"])).signatures["serving_default"]
    assert {"closed", "open"} <= set(signature.structured_outputs)
    assert set(signature.structured_input_signature[1]) == {"question", "picture"}


def test_no_warning_distracts_the_reader(run):
    assert "Warning" not in run.said and "WARNING" not in run.said


def test_lookalike_rows_have_the_fields_of_the_set(run):
    row = json.loads((run.folder / "runs/tiny/data/questions.jsonl").read_text().splitlines()[1])
    assert {"image_name", "answer_type", "question_rephrase", "official_split"} <= set(row)


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason="the radiology pictures are not there")
def test_accuracy_on_the_real_set(start, tmp_path):
    report = start("medical_vqa", tmp_path, "--data", DATA).report
    assert report["n"] == 390 and report["n_closed"] == 240
    assert report["accuracy"]["closed"] > 0.5
