"""`fit` says where validation is no better than a constant answer, and what to look at."""

import keras
import numpy as np
import pandas as pd
import pytest

import mmkeras as mm
from mmkeras.train.baseline import constant_loss

SPEC = mm.Table("row", numeric=["a"])


def fitted(tmp_path, a, kind, epochs=2, rate=0.1):
    """Trained on the first half of the rows, validated on the second; head `kind` of the examples' numbers `a`."""
    head = mm.heads.classification("kind", ["no", "yes"])
    raw = mm.data.from_dataframe(pd.DataFrame({"a": a, "kind": np.where(kind, "yes", "no")}), [SPEC], [head])
    parts = [raw.subset(range(i * len(a) // 2, (i + 1) * len(a) // 2)) for i in range(2)]
    preprocess = mm.adapt(mm.preprocessor([SPEC]), raw, verbose=False)
    batches = mm.data.train_batches(parts[0], preprocess, batch_size=16, cache="memory", verbose=False)
    valid = mm.data.eval_batches(parts[1], preprocess, cache="memory", verbose=False)
    branch = mm.branches.table.mlp(SPEC, units=(16,))
    model = mm.fusion_model([SPEC], {"row": branch}, mm.fusion.Concatenate(16), [head])
    model.compile(keras.optimizers.Adam(rate), **mm.heads.compile_for([head]))
    callbacks = mm.train.callbacks(tmp_path, mm.data.select_inputs(batches, model))
    model.fit(batches, validation_data=valid, epochs=epochs, callbacks=callbacks, verbose=0, shuffle=False)


def test_a_model_that_learned_is_not_mentioned(tmp_path, capsys):
    a = np.random.default_rng(0).normal(size=64)
    fitted(tmp_path, a, a > 0)
    assert "no better" not in capsys.readouterr().out


def test_noise_is_no_better_than_the_frequencies(tmp_path, capsys):
    rng = np.random.default_rng(0)
    fitted(tmp_path, rng.normal(size=64), rng.random(64) > 0.5, rate=1e-4)
    said = capsys.readouterr().out
    assert "Head 'kind': the best val_loss, 0." in said and "always giving the class frequencies" in said
    assert "The training loss hardly fell, too. Look at whether labels belong to their inputs" in said


def test_what_is_learned_by_heart_is_told_apart(tmp_path, capsys):
    a = np.random.default_rng(0).normal(size=64)
    fitted(tmp_path, a, (a > 0) ^ (np.arange(64) >= 32))  # the validation labels are inverted
    assert "The training loss is much lower, so that the model learns its examples by heart" in capsys.readouterr().out


def test_the_baseline_is_the_entropy_or_the_deviation_of_the_labels_that_are_there():
    one = mm.heads.classification("m", ["a", "b"])
    assert constant_loss(one, np.array([0, 0, 0, 1, -1])) == pytest.approx(-0.75 * np.log(0.75) - 0.25 * np.log(0.25))
    many = mm.heads.classification("m", ["a", "b"], multi_label=True)
    assert constant_loss(many, np.array([[1.0, 0.0], [0.0, 0.0]])) == pytest.approx(np.log(2) / 2, abs=1e-5)
    number = mm.heads.regression("p", mean=0.0, std=2.0)
    assert constant_loss(number, np.array([[0.0], [4.0], [np.nan]])) == pytest.approx(1.0)
    assert constant_loss(one, np.array([1, 1])) is None and constant_loss(one, np.array([-1])) is None


def test_training_without_validation_or_labels_is_not_judged(tmp_path, capsys):
    x = keras.Input((1,), name="x")
    model = keras.Model({"x": x}, {"y": keras.layers.Dense(1, name="y")(x)})
    model.compile("adam", "mse")
    model.fit({"x": np.ones((4, 1))}, {"y": np.ones((4, 1))}, verbose=0, callbacks=[mm.train.Baseline(tmp_path)])
    assert capsys.readouterr().out == ""


def test_a_log_without_an_epoch_says_nothing(tmp_path):
    (tmp_path / "log.csv").write_text("")
    callback = mm.train.Baseline(tmp_path)
    head = mm.heads.classification("kind", ["no", "yes"])
    callback.labels = {"kind": np.array([0, 1])}
    callback.set_model(mm.fusion_model([SPEC], {"row": mm.branches.table.mlp(SPEC)}, mm.fusion.MLP(2), [head]))
    callback.on_train_end()
