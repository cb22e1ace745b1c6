"""Voice and lips to sentences: on tiny data everything but the learning, on the real clips the error rates."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("MMKERAS_DATA", ROOT.parent / "shared" / "data"), "grid-s1")


@pytest.fixture(scope="module")
def run(start_here, tmp_path_factory):
    return start_here("lip_speech", tmp_path_factory.mktemp("lip_speech"), "--smoke", "--seed", 3)


def test_every_noise_and_every_input_is_scored(run):
    noises = {f"{kind}, {ratio} dB" for kind in ("white", "babble") for ratio in (0, -6)}
    assert set(run.report["noise"]) == noises
    for found in (run.report, *run.report["noise"].values()):
        assert set(found["subsets"]) == {"voice", "lips"}
        assert found["wer"] >= 0 and found["n"] == 8
    assert run.report["n_train"] == 43 and run.report["skipped"] == 0


def test_exports_answer_as_python_does(run):
    assert 0 <= run.report["parity_max_abs"] <= 1e-3 and run.report["litert"]["agreement"] == 1
    assert (run.folder / run.report["export"] / "saved_model.pb").is_file()
    assert (run.folder / "saved_models" / "tiny.tflite").is_file()
    texts = (run.folder / "runs/tiny/evaluation/sentence_texts.csv").read_text().splitlines()
    assert len(texts) == 9


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason="GRID's talker 1 is not there")
def test_real_clips(start, tmp_path):
    report = start("lip_speech", tmp_path, "--data", DATA, "--test", DATA).report
    assert report["wer"] <= 0.05
    loud = report["noise"]["white, 0 dB"]
    assert loud["wer"] <= 0.6 * loud["subsets"]["voice"]
    assert report["other_test"]["wer"] == pytest.approx(report["wer"])
