"""Coloured squares with names in 16 languages through the whole recipe; and its floor on the real emojis."""

import math
import os
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
import tensorflow_text  # noqa: F401  the export holds its ops

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("MMKERAS_DATA", ROOT.parent / "shared" / "data")) / "emoji"
LANGUAGES = {"en", "de", "fr", "es", "it", "pt", "nl", "sv", "pl", "tr", "fi", "cs", "ru", "ja", "zh", "hi"}


@pytest.fixture(scope="module")
def run(start_here, tmp_path_factory):
    """The recipe on tiny data, whose test part stands in for another folder, too."""
    return start_here("emoji", tmp_path_factory.mktemp("emoji"), "--smoke", "--seed", 3, "--test", "runs/tiny/data")


@pytest.fixture(scope="module")
def answers(run):
    """Function: name -> scores of the subgroups that the export gives to one picture under that name."""
    answer = tf.saved_model.load(str(run.folder / run.report["export"])).signatures["serving_default"]
    with zipfile.ZipFile(run.folder / "runs/tiny/data/noto72.zip") as pictures:
        picture = pictures.read("0000.png")
    return lambda name: answer(name=tf.constant([name]), picture=tf.constant([picture]))["subgroup_scores"].numpy()


def test_report_has_both_answers_of_every_row(run):
    assert set(run.report["baselines"]) == {"name only", "picture only", "majority"}
    for head in ("group", "subgroup"):
        low, high = run.report["interval"][head]
        assert low <= run.report["accuracy"][head] <= high
        right = run.report["accuracy"][head] * run.report["n"]
        assert math.isclose(right, round(right), abs_tol=1e-6)
    # English names and keywords are counted two more times.
    assert run.report["n"] == 12 and run.report["n_train"] == 24 * (16 + 4)
    assert run.report["skipped"] == 0 and run.report["seed"] == 3


def test_every_language_is_scored(run):
    assert set(run.report["languages"]) == LANGUAGES
    assert run.report["languages"]["en"] == pytest.approx(run.report["accuracy"])
    assert "name in hi" in run.printed


def test_another_folder_is_scored_as_the_test_part_is(run):
    assert run.report["other_test"] == run.report["languages"]


@pytest.mark.parametrize("names", [("赤 7", "青 7"), ("红 7", "蓝 7"), ("लाल 7", "नीला 7")])
def test_export_reads_japanese_chinese_and_hindi_names(answers, names):
    one, other = map(answers, names)
    assert np.abs(one - other).max() > 1e-6  # words missing in the vocabulary would all be the same unknown token
    np.testing.assert_allclose(one, answers(names[0]))


def test_export_answers_as_python_does(run):
    assert 0 <= run.report["parity_max_abs"] <= 1e-5


def test_no_warning_distracts_the_reader(run):
    assert "Warning" not in run.said and "WARNING" not in run.said


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason="the emojis are not there")
def test_accuracy_on_the_real_set(start, tmp_path):
    report = start("emoji", tmp_path, "--data", DATA).report
    table = pd.read_csv(DATA / "emoji.tsv", sep="\t", quoting=3, dtype=str, keep_default_na=False)
    assert report["n"] == (table["split"] == "test").sum()
    assert report["accuracy"]["group"] > 0.76 and report["accuracy"]["subgroup"] > 0.56
    for language in ("zh", "ja", "hi"):  # above a linear model of the picture alone
        assert report["languages"][language]["group"] > 0.70
