"""Captions, translations and told clips, from tiny data to checked files; what they learn, the real sets show."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("MMKERAS_DATA", ROOT.parent / "shared" / "data"))
BASELINES = {
    "captions": {"beam search", "majority"},
    "translate": {"name alone", "copying", "majority"},
    "describe_clips": {"without order", "majority"},
}


@pytest.mark.parametrize("recipe", BASELINES)
def test_recipe_writes_texts_and_exports_them(start_here, tmp_path, recipe):
    run = start_here(recipe, tmp_path, "--smoke", "--seed", 3, "--test", "runs/tiny/data")
    assert set(run.report["baselines"]) == BASELINES[recipe]
    low, high = run.report["exact_interval"]
    assert low <= run.report["exact"] <= high and run.report["n"] > 10
    assert run.report["skipped"] == 0 and run.report["seed"] == 3
    assert run.report["parity_max_abs"] == 0 and (run.folder / run.report["export"] / "saved_model.pb").is_file()
    assert list((run.folder / "runs/tiny/evaluation").glob("*_texts.csv"))
    assert "exact" in run.report["other_test"]
    assert "Warning" not in run.said and "WARNING" not in run.said


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason="the sets are not there")
def test_captions_of_easy_vqa_are_right(start, tmp_path):
    assert start("captions", tmp_path, "--data", DATA / "easy-vqa").report["exact"] >= 0.99


@pytest.mark.slow
def test_clips_are_told_in_their_order(start, tmp_path):
    report = start("describe_clips", tmp_path).report
    assert report["exact"] >= 0.95 and report["baselines"]["without order"] < 0.5
