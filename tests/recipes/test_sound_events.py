"""Sounds of the surroundings: on tiny data everything but the learning, on the real clips the accuracy."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("MMKERAS_DATA", ROOT.parent / "shared" / "data"), "esc10")


def run(folder, *flags):
    command = [sys.executable, str(ROOT / "recipes" / "sound_events.py"), "--out", "runs/tiny", *flags]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return done, json.loads((folder / "runs" / "tiny" / "report.json").read_text())


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sound_events")
    return folder, *run(folder, "--smoke", "--seed", "3")


def test_each_fold_is_tested_once_and_never_learned_from(smoke):
    assert set(smoke[2]["cross_validation"]["folds"]) == {"3", "4"}
    assert smoke[2]["n_train"] == 24 and smoke[2]["n_test"] == 24 and smoke[2]["skipped"] == 0


def test_mean_of_the_folds_lies_within_its_interval(smoke):
    crossed = smoke[2]["cross_validation"]
    accuracies = list(crossed["folds"].values())
    assert crossed["accuracy"] == pytest.approx(sum(accuracies) / len(accuracies))
    assert crossed["interval"][0] <= crossed["accuracy"] <= crossed["interval"][1]
    assert smoke[2]["accuracy"] == crossed["folds"]["4"]


def test_export_answers_as_python_does(smoke):
    assert 0 <= smoke[2]["parity_max_abs"] <= 1e-5
    assert (smoke[0] / smoke[2]["export"] / "saved_model.pb").is_file()


def test_table_names_the_published_figures_and_no_warning_distracts(smoke):
    assert "random forest" in smoke[1].stdout and "0.727" in smoke[1].stdout
    assert "Warning" not in smoke[1].stderr and "WARNING" not in smoke[1].stderr


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason="ESC-10 is not there")
def test_real_clips_are_told_apart(tmp_path):
    report = run(tmp_path, "--data", str(DATA), "--test", str(DATA))[1]
    assert report["cross_validation"]["accuracy"] >= 0.727  # the random forest on clips of 44.1 kHz
    assert report["other_test"]["examples"] == 80  # fold 4 alone: the training folds of --test are left out
    assert report["other_test"]["accuracy"] == pytest.approx(report["accuracy"])
