"""Files of the layout of digits3 through the whole recipe: a model for every subset; and its floors on the real set."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf
import tensorflow_text  # noqa: F401  the export holds its ops

import mmkeras as mm

ROOT = Path(__file__).parents[2]
SETS = Path(os.environ.get("MMKERAS_DATA", ROOT.parent / "shared" / "data"))
OWN = {"image + audio", "image + text", "audio + text", "image", "audio", "text"}


@pytest.fixture(scope="module")
def run(start_here, tmp_path_factory):
    """The recipe on tiny data, and on the same once more as another folder, whose table has another name."""
    folder = tmp_path_factory.mktemp("digits")
    other = mm.data.generate.lookalikes.digits(folder / "other", seed=3)
    (other / "test.csv").rename(other / "heldout.csv")
    return start_here("digits", folder, "--smoke", "--seed", 3, "--test", other)


def test_report_has_every_subset_of_the_modalities(run):
    assert set(run.report["baselines"]) == {*OWN, "majority"} and set(run.report["subsets"]) == OWN
    low, high = run.report["interval"]
    assert low <= run.report["accuracy"] <= high
    assert (run.report["n_train"], run.report["n"], run.report["skipped"]) == (96, 32, 0)
    assert all(name in run.printed for name in OWN) and run.report["seed"] == 3


def test_another_folder_is_scored_as_the_test_part_is(run):
    other = run.report["other_test"]
    assert (other["accuracy"], other["n"]) == (run.report["accuracy"], run.report["n"])
    majority = run.report["baselines"].pop("majority")
    assert other["baselines"] == run.report["baselines"] and majority > 0
    assert other["subsets"] == run.report["subsets"]


def test_export_answers_as_python_does(run):
    assert 0 <= run.report["parity_max_abs"] <= 1e-5
    signature = tf.saved_model.load(str(run.folder / run.report["export"])).signatures["serving_default"]
    _, inputs = signature.structured_input_signature
    assert {name: spec.dtype for name, spec in inputs.items()} == dict.fromkeys(("image", "audio", "text"), tf.string)


def test_no_warning_distracts_the_reader(run):
    assert "Warning" not in run.said and "WARNING" not in run.said


@pytest.mark.slow
@pytest.mark.skipif(not (SETS / "digits3").is_dir(), reason="the digits3 set is not there")
def test_accuracy_on_the_real_set(start, tmp_path):
    make = [sys.executable, str(SETS / "digits3" / "make.py"), "--files", str(tmp_path / "files"), "--split"]
    for part in ("train", "valid", "test"):
        subprocess.run([*make, part], check=True)
    report = start("digits", tmp_path, "--data", tmp_path / "files").report
    assert report["n"] == 5000 and report["accuracy"] >= 0.975
    floors = {"image": 0.49, "audio": 0.69, "text": 0.71, "image + audio": 0.83}
    rows = report["baselines"]
    assert {name: rows[name] > floor for name, floor in floors.items()} == dict.fromkeys(floors, True)
    for pair in (
        "image + audio",
        "image + text",
        "audio + text",
    ):  # if an input is absent, compared with a model of the other inputs
        assert report["subsets"][pair] > rows[pair] - 0.02
