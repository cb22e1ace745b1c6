"""Sounds of the surroundings: on tiny data everything but the learning, on the real clips the accuracy."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("MMKERAS_DATA", ROOT.parent / "shared" / "data"), "esc10")


@pytest.fixture(scope="module")
def run(start_here, tmp_path_factory):
    return start_here("sound_events", tmp_path_factory.mktemp("sound_events"), "--smoke", "--seed", 3)


def test_each_fold_is_tested_once_and_never_learned_from(run):
    assert set(run.report["cross_validation"]["folds"]) == {"3", "4"}
    assert run.report["n_train"] == 24 and run.report["n"] == 24 and run.report["skipped"] == 0


def test_mean_of_the_folds_lies_within_its_interval(run):
    crossed = run.report["cross_validation"]
    accuracies = list(crossed["folds"].values())
    assert crossed["accuracy"] == pytest.approx(sum(accuracies) / len(accuracies))
    assert crossed["interval"][0] <= crossed["accuracy"] <= crossed["interval"][1]
    assert run.report["accuracy"] == crossed["folds"]["4"]


def test_export_answers_as_python_does(run):
    assert 0 <= run.report["parity_max_abs"] <= 1e-5
    assert (run.folder / run.report["export"] / "saved_model.pb").is_file()


def test_table_names_the_published_figures_and_no_warning_distracts(run):
    assert "random forest" in run.printed and "0.727" in run.printed
    assert "Warning" not in run.said and "WARNING" not in run.said


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason="ESC-10 is not there")
def test_real_clips_are_told_apart(start, tmp_path):
    report = start("sound_events", tmp_path, "--data", DATA, "--test", DATA).report
    assert report["cross_validation"]["accuracy"] >= 0.727  # the published random forest on clips of 44.1 kHz
    assert report["other_test"]["n"] == 80  # fold 4 only, because the training folds of --test are left out
    assert report["other_test"]["accuracy"] == pytest.approx(report["accuracy"])
