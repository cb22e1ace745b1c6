"""Intervals, calibration, thresholds and prediction intervals against known values."""

import keras
import numpy as np
import pytest

import mmkeras as mm
from mmkeras import edge, evaluate
from mmkeras.edge import classification

MOOD = mm.heads.classification("mood", classes=["bad", "fair", "good"])
RARE = mm.heads.classification("rare", classes=["no", "yes"])
TAGS = mm.heads.classification("tags", classes=["a", "b"], multi_label=True)
SPEC = mm.Table("row", numeric=["x", "y"])


def test_bootstrap_covers_and_groups_widen_it():
    rng = np.random.default_rng(0)
    person = np.repeat(np.arange(20), 30)
    right = rng.random(20)[person] > rng.random(600)  # some people are hard to recognise
    outputs = np.where(right[:, None], [0.9, 0.05, 0.05], [0.05, 0.9, 0.05])
    alone = evaluate.bootstrap(MOOD, np.zeros(600, int), outputs, samples=80)
    grouped = evaluate.bootstrap(MOOD, np.zeros(600, int), outputs, samples=80, group=person)
    low, high = alone["accuracy"]
    spread = 1.96 * np.sqrt(right.mean() * (1 - right.mean()) / 600)
    assert [low, high] == pytest.approx([right.mean() - spread, right.mean() + spread], abs=0.02)
    assert np.diff(grouped["accuracy"]) > 2 * np.diff(alone["accuracy"])
    assert set(alone["per_class"]["bad"]) == {"precision", "recall", "f1", "roc_auc", "pr_auc"}
    assert alone["roc_auc_macro"] == [None, None]  # undefined with only one class
    with pytest.raises(ValueError, match=r"group= holds one value for each of the 600.*Received: shape \(3,\)"):
        evaluate.bootstrap(MOOD, np.zeros(600, int), outputs, group=[1, 2, 3])


def test_top_k():
    head = mm.heads.classification("kind", classes=list("abcdef"))
    found = evaluate.scores(head, [0, 1, 2, 5], np.tile([0.3, 0.25, 0.2, 0.1, 0.08, 0.07], (4, 1)))
    assert (found["accuracy"], found["top_3_accuracy"], found["top_5_accuracy"]) == (0.25, 0.75, 0.75)


def build(heads, late=False):
    keras.utils.set_random_seed(0)
    branches = {"row": mm.branches.table.mlp(SPEC, units=(8,))}
    if late:
        return mm.late_fusion_model([SPEC], branches, heads)
    return mm.fusion_model([SPEC], branches, mm.fusion.Concatenate(8), heads)


def batches(n=400):
    rng = np.random.default_rng(1)
    x = {"row": rng.normal(size=(n, 2)).astype("float32"), "row_mask": np.ones((n, 2), bool)}
    labels = {"mood": rng.integers(0, 3, n), "rare": (rng.random(n) < 0.2) * 1}
    labels = {name: value.astype("int32") for name, value in labels.items()}
    return [(x, labels | {"tags": (rng.random((n, 2)) < [0.3, 0.6]).astype("float32")})]


@pytest.mark.parametrize("late", [False, True])
def test_a_calibrated_model_is_the_same_at_another_temperature_and_is_saved(late, tmp_path):
    heads = [MOOD, TAGS]
    model, (x, _) = build(heads, late), batches(2000)[0]
    p, rng = model(x), np.random.default_rng(0)
    mood = p["mood"].numpy().astype("float64")
    labels = {"mood": np.array([rng.choice(3, p=row / row.sum()) for row in mood], "int32")}
    labels["tags"] = (rng.random((2000, 2)) < p["tags"].numpy()).astype("float32")
    for layer in model.layers:
        if layer.name.endswith("_logits"):
            layer.set_weights([4 * weight for weight in layer.get_weights()])  # makes the model overconfident
    data = [(x, labels)]
    _, before = evaluate.predict(model, data, heads)
    better = evaluate.calibrated(model, data)
    _, after = evaluate.predict(better, data, heads)
    for head in heads:
        t = evaluate.temperature(head, labels[head.name], before[head.name])
        p = np.clip(before[head.name].astype("float64"), 1e-7, 1 - 1e-7)
        logits = (np.log(p) - np.log1p(-p) if head.multi_label else np.log(p)) / t
        expected = 1 / (1 + np.exp(-logits)) if head.multi_label else np.exp(logits) / np.exp(logits).sum(-1)[:, None]
        np.testing.assert_allclose(after[head.name], expected, atol=2e-4)
        old, new = (evaluate.calibration(head, labels[head.name], each[head.name])["ece"] for each in (before, after))
        assert t == pytest.approx(4, rel=0.3) and new < 0.5 * old
        assert evaluate.temperature(head, labels[head.name], after[head.name]) == pytest.approx(1.0, abs=0.01)
    better.save(tmp_path / "better.keras")
    again = mm.load_model(tmp_path / "better.keras")
    np.testing.assert_allclose(again(data[0][0])["mood"], after["mood"], atol=1e-6)
    np.testing.assert_array_equal(evaluate.predict(model, data, heads)[1]["mood"], before["mood"])
    with pytest.raises(ValueError, match="Only probabilities can be calibrated"):
        evaluate.calibrated(build([mm.heads.regression("z", mean=0.0, std=1.0)]), data)


def test_thresholds_are_those_of_an_exhaustive_search():
    rng = np.random.default_rng(0)
    truth = (rng.random(200) < 0.15).astype(int)
    p = np.clip(0.2 * truth + 0.3 * rng.random(200), 0, 1)
    for best, score in (
        ("f1", _f1),
        ("balanced_accuracy", lambda y, a: (np.mean(a[y == 1]) + np.mean(~a[y == 0])) / 2),
    ):
        (found,) = evaluate.thresholds(RARE, truth, np.stack([1 - p, p], -1), best=best)
        assert score(truth, p >= found) == pytest.approx(max(score(truth, p >= at) for at in p))
    assert evaluate.thresholds(TAGS, np.ones((3, 2)), np.full((3, 2), 0.1)) == (0.5, 0.5)
    with pytest.raises(ValueError, match="Thresholds are for heads of two classes.*'mood' with 3 classes"):
        evaluate.thresholds(MOOD, [0], [[1, 0, 0]])


def _f1(truth, answers):
    return 2 * (truth * answers).sum() / (truth.sum() + answers.sum())


def test_thresholds_are_kept_by_head_report_file_and_exports(one_process, tmp_path):
    heads = [RARE, TAGS]
    model, data = build(heads), batches()
    chosen = evaluate.with_thresholds(model, data)
    rare, tags = chosen.heads
    assert model.heads == heads and len(rare.thresholds) == 1 and len(tags.thresholds) == 2
    labels, outputs = evaluate.predict(chosen, data, chosen.heads)
    found = evaluate.scores(rare, labels["rare"], outputs["rare"])
    answers = outputs["rare"][:, 1] >= np.float32(rare.thresholds[0])
    assert found["accuracy"] == np.mean(answers == labels["rare"])
    assert found["per_class"]["yes"]["recall"] == np.mean(answers[labels["rare"] == 1])
    chosen.save(tmp_path / "chosen.keras")
    assert mm.load_model(tmp_path / "chosen.keras").heads == [rare, tags]

    raw = {name: data[0][0]["row"][:8, i] for i, name in enumerate("xy")}
    preprocess = mm.adapt(mm.preprocessor([SPEC]), mm.data.from_dataframe(_frame(raw), [SPEC]), verbose=False)
    mm.export.saved_model(preprocess, chosen, tmp_path / "served" / "1", samples=raw)
    import tensorflow as tf

    served = tf.saved_model.load(str(tmp_path / "served" / "1")).signatures["serving_default"]
    answer = served(**{name: tf.constant(value) for name, value in raw.items()})
    mm.export.litert(preprocess, chosen, tmp_path / "chosen.tflite", samples=raw, verbose=False)
    device = edge.Model(tmp_path / "chosen.tflite")
    for i in range(8):
        own = device({name: float(value[i]) for name, value in raw.items()})
        assert own["rare"].encode() == answer["rare"].numpy()[i]
        assert own["tags_holds"] == answer["tags_holds"].numpy()[i].tolist()
        assert (answer["rare_scores"].numpy()[i, 1] >= rare.thresholds[0]) == (own["rare"] == "yes")


def _frame(raw):
    import pandas as pd

    return pd.DataFrame(raw)


def test_wrong_thresholds_are_refused():
    with pytest.raises(ValueError, match="thresholds of head 'mood' are probabilities.*3 classes"):
        mm.heads.classification("mood", classes=["a", "b", "c"], thresholds=0.5)
    with pytest.raises(ValueError, match=r"Received: \(0.5, 1.5\)"):
        mm.heads.classification("tags", classes=["a", "b"], multi_label=True, thresholds=(0.5, 1.5))
    described = RARE.describe()
    assert classification.is_described(described | {"thresholds": [0.3]})
    assert not classification.is_described(described | {"thresholds": [0.3, 0.4]})
    assert not classification.is_described(described | {"thresholds": ["x"]})


def test_conformal_intervals_hold():
    rng = np.random.default_rng(0)
    outputs, wide = rng.normal(size=(4000, 1)), rng.standard_t(3, size=(4000, 1))
    half = evaluate.conformal((outputs + wide)[:2000], outputs[:2000], coverage=0.9)
    assert np.mean(np.abs(wide[2000:]) <= half) == pytest.approx(0.9, abs=0.02)
    assert evaluate.conformal([[1.0]], [[0.0]]).tolist() == [np.inf]
    with pytest.raises(ValueError, match="coverage must be between 0 and 1"):
        evaluate.conformal([[1.0]], [[0.0]], coverage=90)
