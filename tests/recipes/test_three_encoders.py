"""BERT, a residual network and Conv-TasNet on a tiny table whose columns have other names."""

import pandas as pd
import pytest

import mmkeras as mm


@pytest.fixture(scope="module")
def run(start_here, tmp_path_factory):
    folder = tmp_path_factory.mktemp("three_encoders")
    data = mm.data.generate.lookalikes.digits(folder / "data", seed=3)
    frame = pd.read_csv(data / "train.csv").rename(columns={"text": "words", "digit": "topic"})
    frame.to_csv(data / "all.csv", index=False)
    columns = "--text", "words", "--label", "topic"
    return start_here("three_encoders", folder, "--smoke", "--table", data / "all.csv", *columns)


def test_each_encoder_alone_is_a_baseline(run):
    assert set(run.report["baselines"]) == {"text", "image", "audio", "majority"}
    assert (run.report["n_train"], run.report["n"], run.report["skipped"]) == (77, 10, 0)
    best = max(run.report["baselines"][name] for name in ("text", "image", "audio"))
    assert run.report["gain"] == pytest.approx(run.report["accuracy"] - best)


def test_both_exports_answer_as_python_does(run):
    assert 0 <= run.report["parity_max_abs"] <= 1e-5
    assert set(run.report["litert"]["parts"]) == {"text", "image", "audio", "fusion"}
    assert (run.folder / run.report["export"] / "saved_model.pb").is_file()
