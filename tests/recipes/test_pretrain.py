"""Coloured squares through the whole recipe; and that pretraining helps on the real emojis where labels are few."""

import os
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("MMKERAS_DATA", ROOT.parent / "shared" / "data")) / "emoji"


def test_a_curve_from_scratch_and_fine_tuned(start_here, tmp_path):
    run = start_here("pretrain", tmp_path, "--smoke", "--seed", 3)
    assert list(run.report["curve"]) == ["6", "12"] and (run.report["n_train"], run.report["n"]) == (12, 12)
    for each in run.report["curve"].values():
        assert set(each) == {"from scratch", "fine-tuned"} and all(0 <= x <= 1 for s in each.values() for x in s)
    assert 0 <= run.report["parity_max_abs"] <= 1e-5 and run.report["seed"] == 3
    assert "Taken over from 'dual_encoder': name_branch, picture_branch." in run.printed
    assert "Starts anew: group_logits." in run.printed
    assert (tmp_path / "runs/tiny/pretrain.png").stat().st_size > 10_000
    assert "Warning" not in run.said and "WARNING" not in run.said


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason="the emojis are not there")
def test_pretraining_helps_where_labels_are_few(start, tmp_path):
    curve = start("pretrain", tmp_path, "--data", DATA).report["curve"]
    few = list(curve.values())[1]
    assert np.mean(few["fine-tuned"]) > np.mean(few["from scratch"])
