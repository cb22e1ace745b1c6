"""Pictures and questions of the layout of easy-VQA, zipped, through the whole recipe; and its floor on the real set."""

import math
import os
from pathlib import Path

import pytest
import tensorflow as tf
import tensorflow_text  # noqa: F401  the export holds its ops

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("MMKERAS_DATA", ROOT.parent / "shared" / "data")) / "easy-vqa"


@pytest.fixture(scope="module")
def run(start, tmp_path_factory):
    """The recipe on tiny data, whose test part stands in for another folder, too."""
    folder = tmp_path_factory.mktemp("easy_vqa")
    return start("easy_vqa", folder, "--smoke", "--seed", 3, "--test", "runs/tiny/data")


def test_report_counts_the_questions_and_names_every_baseline(run):
    assert set(run.report["baselines"]) == {"question only", "photo only", "majority"}
    low, high = run.report["interval"]
    assert low <= run.report["accuracy"] <= high
    assert 160 <= run.report["n_train"] < 200 and run.report["n"] == 40
    assert run.report["skipped"] == 0 and run.report["seed"] == 3
    right = run.report["accuracy"] * run.report["n"]
    assert math.isclose(right, round(right), abs_tol=1e-6)


def test_another_folder_is_scored_as_the_test_part_is(run):
    other = run.report["other_test"]
    assert (other["accuracy"], other["n"]) == (run.report["accuracy"], run.report["n"])
    assert other["interval"] == run.report["interval"]


def test_export_answers_as_python_does(run):
    assert 0 <= run.report["parity_max_abs"] <= 1e-5
    signature = tf.saved_model.load(str(run.folder / run.report["export"])).signatures["serving_default"]
    _, inputs = signature.structured_input_signature
    assert {name: spec.dtype for name, spec in inputs.items()} == {"question": tf.string, "photo": tf.string}


def test_no_warning_distracts_the_reader(run):
    assert "Warning" not in run.said and "WARNING" not in run.said


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason="the easy-VQA set is not there")
def test_accuracy_on_the_real_set(start, tmp_path):
    report = start("easy_vqa", tmp_path, "--data", DATA).report
    assert report["n"] == 4868 and report["accuracy"] >= 0.985
    # Accuracies of answering from the question alone and from the picture alone, counted on the upstream test part.
    assert report["baselines"]["question only"] <= 0.70 and report["baselines"]["photo only"] <= 0.50
