"""Spoken digits: on tiny data everything but the learning, on the real recordings the accuracy."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("MMKERAS_DATA", ROOT.parent / "shared" / "data"), "fsdd")


@pytest.fixture(scope="module")
def run(start_here, tmp_path_factory):
    return start_here("spoken_digits", tmp_path_factory.mktemp("spoken_digits"), "--smoke", "--seed", 3)


def test_each_speaker_is_a_stranger_once(run):
    strangers = run.report["strangers"]
    assert set(strangers["speakers"]) == {"ann, a stranger", "bob, a stranger"}
    assert strangers["accuracy"] == pytest.approx(sum(strangers["speakers"].values()) / 2)


def test_takes_that_validate_are_not_learned_from(run):
    assert run.report["n_train"] == 80 and run.report["n"] == 40 and run.report["skipped"] == 0


def test_export_answers_as_python_does(run):
    assert 0 <= run.report["parity_max_abs"] <= 1e-5
    assert (run.folder / run.report["export"] / "saved_model.pb").is_file()


def test_table_names_the_published_figures_and_no_warning_distracts(run):
    assert "ResNet18" in run.printed and "ann, a stranger" in run.printed
    assert "Warning" not in run.said and "WARNING" not in run.said


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason="the Free Spoken Digit Dataset is not there")
def test_real_digits_are_heard(start, tmp_path):
    report = start("spoken_digits", tmp_path, "--data", DATA, "--test", DATA).report
    assert report["accuracy"] >= 0.97
    assert report["strangers"]["accuracy"] >= 0.7
    assert report["other_test"]["n"] == report["n"] == 300
    assert report["other_test"]["accuracy"] == pytest.approx(report["accuracy"])
