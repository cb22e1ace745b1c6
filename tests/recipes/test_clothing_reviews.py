"""Made-up reviews through the whole recipe; and its floor on the real ones."""

import json
import math
import os
from pathlib import Path

import keras_nlp
import pytest
import tensorflow as tf
import tensorflow_text  # noqa: F401  the export holds its ops

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("MMKERAS_DATA", ROOT.parent / "shared" / "data")) / "womens-clothing"
STRINGS = {"review", "title", "division", "department", "kind"}


def inputs(run):
    """Name -> dtype of what the export takes."""
    signature = tf.saved_model.load(str(run.folder / run.report["export"])).signatures["serving_default"]
    return {name: spec.dtype for name, spec in signature.structured_input_signature[1].items()}


@pytest.fixture(scope="module")
def run(start_here, tmp_path_factory):
    """The recipe on tiny data, whose test part stands in for another folder, too."""
    folder = tmp_path_factory.mktemp("clothing_reviews")
    return start_here("clothing_reviews", folder, "--smoke", "--seed", 3, "--test", "runs/tiny/data")


def test_report_has_both_answers_and_every_baseline(run):
    assert set(run.report["baselines"]) == {"review only", "facts only", "majority"}
    for head in ("rating", "recommended"):
        low, high = run.report["interval"][head]
        assert low <= run.report["accuracy"][head] <= high
    right = run.report["accuracy"]["rating"] * run.report["n"]
    assert math.isclose(right, round(right), abs_tol=1e-6)
    assert run.report["n"] == 100 and run.report["n_train"] == 270
    assert run.report["skipped"] == 0 and run.report["seed"] == 3


def test_f1_and_pr_auc_are_those_of_the_recommended_ones(run):
    evaluation = json.loads((run.folder / "runs/tiny/evaluation/report.json").read_text())
    recommended = evaluation["models"]["all"]["recommended"]["per_class"]["1"]
    assert run.report["recommended"]["all"] == recommended
    assert f"all: recommended with F1 {recommended['f1']:.3f}, PR-AUC {recommended['pr_auc']:.3f}" in run.printed
    # The PR-AUC of a constant answer is the share of the positive class.
    share = recommended["support"] / run.report["n"]
    assert math.isclose(run.report["recommended"]["majority"]["pr_auc"], share)


def test_published_figures_stand_beside(run):
    assert "BERT, text and stars: recommended with F1 0.957" in run.printed


def test_another_folder_is_scored_as_the_test_part_is(run):
    other = run.report["other_test"]
    assert other.pop("recommended") == {"all": run.report["recommended"]["all"]}
    assert other == {key: run.report[key] for key in ("accuracy", "interval", "n")}


def test_export_answers_as_python_does_and_is_not_told_the_stars(run):
    assert 0 <= run.report["parity_max_abs"] <= 1e-5
    expected = dict.fromkeys(STRINGS, tf.string) | {"age": tf.float32, "feedback": tf.float32}
    assert inputs(run) == expected


def test_no_warning_distracts_the_reader(run):
    assert "Warning" not in run.said and "WARNING" not in run.said


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    """Folder of a tiny BERT that knows the words of the made-up reviews."""
    folder = tmp_path_factory.mktemp("encoder") / "bert"
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "this", "dress", "is", "awful", "poor", "nice", "lovely"]
    keras_nlp.models.BertBackbone(len(words), 3, 2, 8, 16, max_sequence_length=128).save_to_preset(str(folder))
    keras_nlp.models.BertTokenizer(words, lowercase=True).save_to_preset(str(folder))
    return folder


def test_stars_are_an_input_on_request_and_reviews_are_read_by_a_pretrained_encoder(start_here, tmp_path, encoder):
    run = start_here("clothing_reviews", tmp_path, "--smoke", "--with-rating", "--text-weights", encoder)
    assert 0 <= run.report["accuracy"] <= 1  # a single number, because the stars are no answer then
    assert inputs(run)["stars"] == tf.float32 and run.report["parity_max_abs"] <= 1e-5
    assert set(run.report["baselines"]) == {"facts only", "majority"}


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason="the reviews are not there")
def test_scores_on_the_real_set(start, tmp_path):
    report = start("clothing_reviews", tmp_path, "--data", DATA).report
    assert report["n"] == 2347
    assert report["accuracy"]["rating"] >= 0.65
    assert report["recommended"]["all"]["f1"] >= 0.94 and report["recommended"]["all"]["pr_auc"] >= 0.985
