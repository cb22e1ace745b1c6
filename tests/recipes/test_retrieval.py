"""Coloured squares and their names through the whole recipe; and its floor on the real emojis."""

import os
from pathlib import Path

import pytest
import tensorflow as tf
import tensorflow_text  # noqa: F401  the export holds its ops

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("MMKERAS_DATA", ROOT.parent / "shared" / "data")) / "emoji"
WAYS = {"name -> picture", "picture -> name"}


@pytest.fixture(scope="module")
def run(start_here, tmp_path_factory):
    """The recipe on tiny data, whose test part stands in for another folder, too."""
    return start_here(
        "retrieval", tmp_path_factory.mktemp("retrieval"), "--smoke", "--seed", 3, "--test", "runs/tiny/data"
    )


def test_report_has_both_ways_and_every_baseline(run):
    assert set(run.report["models"]) == {"model", "CCA of words and pixels", "random"}
    assert set(run.report["recall_at_10"]) == set(run.report["models"]["model"]) == WAYS
    assert run.report["n"] == 12 and run.report["seed"] == 3 and run.report["skipped"] == 0
    assert len(run.report["languages"]) == 16 and run.report["other_test"] == run.report["languages"]
    assert run.report["languages"]["en"] == run.report["recall_at_10"]
    for file in run.report["files"]:
        assert (run.folder / "runs/tiny/evaluation" / file).stat().st_size > 10_000


def test_export_finds_as_python_does(run):
    assert 0 <= run.report["parity_max_abs"] <= 1e-5
    loaded = tf.saved_model.load(str(run.folder / run.report["export"]))
    found = loaded.signatures["name_to_picture"](name=tf.constant(["red 0"]))
    assert found["identifiers"].shape == (1, 10)
    assert all((run.folder / tower).exists() for tower in run.report["towers"].values())


def test_no_warning_distracts_the_reader(run):
    assert "Warning" not in run.said and "WARNING" not in run.said


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason="the emojis are not there")
def test_recall_on_the_real_set(start, tmp_path):
    report = start("retrieval", tmp_path, "--data", DATA).report
    assert report["n"] == 280
    linear = report["models"]["CCA of words and pixels"]
    assert all(report["recall_at_10"][way] > linear[way]["R@10"] for way in WAYS)
