"""Every number against scikit-learn called by hand, or against a sum on paper."""

import math

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics

from mmkeras import heads
from mmkeras.evaluate import scores
from mmkeras.evaluate.intervals import wilson

MOOD = heads.classification("mood", classes=["bad", "fair", "good"])


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 60)
    logits = rng.normal(size=(60, 3)) + np.eye(3)[labels]
    return labels, np.exp(logits) / np.exp(logits).sum(1, keepdims=True)


def test_single_label_equals_scikit_learn(data):
    labels, p = data
    found, answers = scores(MOOD, labels.astype("int32"), p.astype("float32")), p.argmax(1)
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(labels, answers))
    for average in ("macro", "micro"):
        expected = metrics.precision_recall_fscore_support(labels, answers, average=average)[:3]
        assert [found[f"{key}_{average}"] for key in ("precision", "recall", "f1")] == pytest.approx(expected)
    assert found["roc_auc_macro"] == pytest.approx(metrics.roc_auc_score(labels, p, multi_class="ovr"), abs=1e-6)
    assert found["pr_auc_macro"] == pytest.approx(metrics.average_precision_score(np.eye(3)[labels], p), abs=1e-6)
    assert found["log_loss"] == pytest.approx(metrics.log_loss(labels, p), abs=1e-5)
    assert found["confusion"] == metrics.confusion_matrix(labels, answers).tolist()
    assert [row["support"] for row in found["per_class"].values()] == np.bincount(labels).tolist()


def test_a_class_that_is_answered_but_never_true_counts_as_in_scikit_learn():
    labels, answers = np.array([0, 0, 2, 2]), np.array([0, 1, 2, 2])
    found = scores(MOOD, labels, np.eye(3)[answers])
    assert found["per_class"]["fair"] | {"roc_auc": 0, "pr_auc": 0} == dict.fromkeys(
        ("precision", "recall", "f1", "support", "roc_auc", "pr_auc"), 0
    )
    assert found["f1_macro"] == pytest.approx((2 / 3 + 0 + 1) / 3)  # it would be 0.83 without the class in the middle
    assert found["f1_macro"] == pytest.approx(metrics.f1_score(labels, answers, average="macro"))
    assert found["recall_macro"] == pytest.approx((1 / 2 + 0 + 1) / 3)
    assert found["precision_micro"] == pytest.approx(3 / 4)
    assert found["roc_auc_macro"] == pytest.approx((0.75 + 1) / 2)
    assert math.isnan(scores(MOOD, [0, 0], np.eye(3)[[0, 1]])["roc_auc_macro"])


def test_a_class_that_is_neither_true_nor_answered_is_left_out():
    found = scores(MOOD, [0, 0, 2], np.eye(3)[[0, 0, 2]])
    assert math.isnan(found["per_class"]["fair"]["f1"]) and found["f1_macro"] == 1.0
    tags = heads.classification("tags", classes=["a", "b"], multi_label=True)
    some, none = scores(tags, [[1, 0], [0, 0]], [[0.9, 0.1], [0.9, 0.1]]), scores(tags, [[0, 0]], [[0.1, 0.1]])
    assert some["f1_macro"] == pytest.approx(2 / 3) and math.isnan(none["f1_macro"]) and none["accuracy"] == 1.0


AVERAGES = [(key, average) for key in ("precision", "recall", "f1") for average in ("macro", "micro", "weighted")]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
@pytest.mark.parametrize("seed", range(20))
def test_averages_equal_scikit_learn_where_classes_are_missing(seed):
    """Few examples of ten classes, so that some are never true, some never answered, and some neither."""
    rng = np.random.default_rng(seed)
    head = heads.classification("kind", classes=range(10))
    labels, answers = rng.integers(0, 8, 12), rng.integers(2, 10, 12)
    tags, p = (rng.random((12, 10)) < 0.1).astype(int), rng.random((12, 10)) ** 4
    found = scores(head, labels, np.eye(10)[answers])
    several = scores(heads.classification("tags", classes=range(10), multi_label=True), tags, p)
    there = np.flatnonzero((tags.sum(0) + (p >= 0.5).sum(0)) > 0)
    for key, average in AVERAGES:
        function = getattr(metrics, f"{key}_score")
        assert found[f"{key}_{average}"] == pytest.approx(function(labels, answers, average=average))
        assert several[f"{key}_{average}"] == pytest.approx(function(tags, p >= 0.5, average=average, labels=there))


def test_multi_label_equals_scikit_learn():
    rng = np.random.default_rng(1)
    head = heads.classification("tags", classes=["a", "b", "c"], multi_label=True)
    y = (rng.random((50, 3)) < 0.4).astype("float32")
    p = np.clip(0.4 * y + 0.6 * rng.random((50, 3)), 0.01, 0.99)
    found, answers = scores(head, y, p), p >= 0.5
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(y, answers))
    for average in ("macro", "micro"):
        assert found[f"f1_{average}"] == pytest.approx(metrics.f1_score(y, answers, average=average))
    assert found["roc_auc_macro"] == pytest.approx(metrics.roc_auc_score(y, p))
    assert found["log_loss"] == pytest.approx(-np.mean(y * np.log(p) + (1 - y) * np.log(1 - p)))
    assert found["confusion"] == metrics.multilabel_confusion_matrix(y, answers).tolist()


def test_multi_label_of_one_class():
    head = heads.classification("tags", classes=["a"], multi_label=True)
    found = scores(head, np.array([[1.0], [0.0], [1.0]]), np.array([[0.9], [0.2], [0.3]]))
    assert found["confusion"] == [[[1, 0], [1, 1]]] and found["recall_macro"] == 0.5


def test_regression_by_hand():
    head = heads.regression("place", size=2)
    found = scores(head, [[0.0, 1.0], [2.0, 1.0]], [[0.0, 2.0], [1.0, 2.0]])
    assert found["per_value"]["mae"] == [0.5, 1.0]
    assert found["per_value"]["rmse"] == pytest.approx([math.sqrt(0.5), 1.0])
    assert found["per_value"]["r2"][0] == pytest.approx(0.5)
    assert math.isnan(found["per_value"]["r2"][1]) and found["mae"] == 0.75
    assert math.isnan(scores(heads.regression("price"), [[1.0]], [[2.0]])["r2"])


@pytest.mark.parametrize(("right", "n"), [(8, 10), (0, 5), (5, 5), (400, 1000)])
def test_wilson_ends_are_shares_that_the_sample_just_does_not_reject(right, n):
    for end in wilson(right, n):
        # The score test: |share - end| = z * its deviation under `end`; ends at 0 and 1 are the sample itself.
        assert abs(right / n - end) == pytest.approx(1.959964 * math.sqrt(end * (1 - end) / n), abs=1e-7)


def test_outputs_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match=r"'mood' must be finite.*in 1 of 2 examples.*diverged"):
        scores(MOOD, [0, 1], [[np.nan, 0, 1], [0, 1, 0]])


def test_weights_are_those_of_scikit_learn(data):
    labels, p = data
    w = np.random.default_rng(3).integers(0, 4, len(labels)).astype("float32")
    found, answers = scores(MOOD, labels, p, weights=w), p.argmax(1)
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(labels, answers, sample_weight=w))
    expected = metrics.precision_recall_fscore_support(labels, answers, average="macro", sample_weight=w)[:3]
    assert [found[f"{key}_macro"] for key in ("precision", "recall", "f1")] == pytest.approx(expected)
    assert found["log_loss"] == pytest.approx(metrics.log_loss(labels, p, sample_weight=w))
    auc = [metrics.roc_auc_score(labels == i, p[:, i], sample_weight=w) for i in range(3)]
    assert found["roc_auc_macro"] == pytest.approx(np.mean(auc))
    assert found["confusion"] == metrics.confusion_matrix(labels, answers, sample_weight=w).tolist()
    # A weight of 2 equals repeating the example, except for the effective number of examples.
    twice = scores(MOOD, np.repeat(labels, w.astype(int)), np.repeat(p, w.astype(int), axis=0))
    for key in ("accuracy", "f1_micro", "f1_macro", "pr_auc_macro", "log_loss", "confusion"):
        np.testing.assert_allclose(found[key], twice[key])
    assert found["weighted"] and found["examples"] == np.count_nonzero(w)
    assert found["effective_examples"] == pytest.approx(w.sum() ** 2 / (w**2).sum())
    assert np.diff(found["accuracy_interval"]) > np.diff(twice["accuracy_interval"])
    alike = scores(MOOD, labels, p, weights=np.full(len(labels), 0.1))
    assert alike["accuracy_interval"] == pytest.approx(scores(MOOD, labels, p)["accuracy_interval"])


def test_weights_of_several_labels_and_of_numbers():
    w = [2, 1, 0]
    head = heads.classification("tags", classes=["a", "b"], multi_label=True)
    y, p = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), np.array([[0.9, 0.6], [0.2, 0.7], [0.3, 0.1]])
    rows = [0, 0, 1]
    one, two = scores(head, y, p, weights=w), scores(head, y[rows], p[rows])
    for key in ("accuracy", "f1_macro", "log_loss", "confusion"):
        np.testing.assert_allclose(one[key], two[key])
    price, v = heads.regression("price"), np.array([[1.0], [4.0], [9.0]])
    one, two = scores(price, v, v * [[1.5], [1], [3]], weights=w), scores(price, v[rows], v[rows] * [[1.5], [1.5], [1]])
    for key in ("mae", "rmse", "r2"):
        assert one[key] == pytest.approx(two[key])


@pytest.mark.parametrize("w", [[1.0], [1.0, -1.0], [0.0, 0.0], [1.0, np.nan]])
def test_wrong_weights(w):
    with pytest.raises(
        ValueError, match="Weights of head 'mood' must be 2 finite numbers of 0 or more, .*Received: shape"
    ):
        scores(MOOD, [0, 1], np.eye(3)[:2], weights=w)


def test_wilson_is_that_of_scipy():
    for right, n in ((0, 3), (8, 10), (10, 10), (431, 977)):
        assert wilson(right, n) == pytest.approx(list(stats.binomtest(right, n).proportion_ci(0.95, "wilson")))
