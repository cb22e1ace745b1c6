"""Generated scenes through the whole recipe; and that pretraining helps on the real digits where labels are few."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("MMKERAS_DATA", ROOT.parent / "shared" / "data")) / "digits3"


def test_a_curve_from_scratch_and_fine_tuned(start_here, tmp_path):
    run = start_here("pretrain", tmp_path, "--smoke", "--seed", 3)
    assert list(run.report["curve"]) == ["48", "96"] and (run.report["n_train"], run.report["n"]) == (96, 32)
    for each in run.report["curve"].values():
        assert set(each) == {"from scratch", "fine-tuned"} and all(0 <= x <= 1 for s in each.values() for x in s)
    assert 0 <= run.report["parity_max_abs"] <= 1e-5 and run.report["seed"] == 3
    assert "Taken over from 'dual_encoder': image_branch, audio_branch, text_branch." in run.printed
    assert "Starts anew: concatenate" in run.printed
    assert (tmp_path / "runs/tiny/pretrain.png").stat().st_size > 10_000
    assert "Warning" not in run.said and "WARNING" not in run.said


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason="the digits3 set is not there")
def test_pretraining_helps_where_labels_are_few(start, tmp_path):
    make = [sys.executable, str(DATA / "make.py"), "--files", str(tmp_path / "files"), "--split"]
    for part in ("train", "test"):
        subprocess.run([*make, part], check=True)
    curve = start("pretrain", tmp_path, "--data", tmp_path / "files", "--seeds", 1).report["curve"]
    assert curve["120"]["fine-tuned"][0] > curve["120"]["from scratch"][0] + 0.05
