"""Spoken digits: on tiny data everything but the learning, on the real recordings the accuracy."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("MMKERAS_DATA", ROOT.parent / "shared" / "data"), "fsdd")


def run(folder, *flags):
    command = [sys.executable, str(ROOT / "recipes" / "spoken_digits.py"), "--out", "runs/tiny", *flags]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return done, json.loads((folder / "runs" / "tiny" / "report.json").read_text())


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    folder = tmp_path_factory.mktemp("spoken_digits")
    return folder, *run(folder, "--smoke", "--seed", "3")


def test_each_speaker_is_a_stranger_once(smoke):
    strangers = smoke[2]["strangers"]
    assert set(strangers["speakers"]) == {"ann, a stranger", "bob, a stranger"}
    assert strangers["accuracy"] == pytest.approx(sum(strangers["speakers"].values()) / 2)


def test_takes_that_validate_are_not_learned_from(smoke):
    assert smoke[2]["n_train"] == 80 and smoke[2]["n_test"] == 40 and smoke[2]["skipped"] == 0


def test_export_answers_as_python_does(smoke):
    assert 0 <= smoke[2]["parity_max_abs"] <= 1e-5
    assert (smoke[0] / smoke[2]["export"] / "saved_model.pb").is_file()


def test_table_names_the_published_figures_and_no_warning_distracts(smoke):
    assert "ResNet18" in smoke[1].stdout and "ann, a stranger" in smoke[1].stdout
    assert "Warning" not in smoke[1].stderr and "WARNING" not in smoke[1].stderr


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason="the Free Spoken Digit Dataset is not there")
def test_real_digits_are_heard(tmp_path):
    report = run(tmp_path, "--data", str(DATA), "--test", str(DATA))[1]
    assert report["accuracy"] >= 0.97
    assert report["strangers"]["accuracy"] >= 0.7
    assert report["other_test"]["examples"] == report["n_test"] == 300
    assert report["other_test"]["accuracy"] == pytest.approx(report["accuracy"])
