"""The best epoch is the best by what the monitored metric means."""

import keras
import numpy as np
import pytest

import mmkeras as mm
from mmkeras import train

DATA = {"x": np.linspace(0, 1, 8, dtype="float32").reshape(8, 1)}
LABELS = {"kind": np.array([0, 1] * 4), "size": np.ones((8, 1), "float32")}


def mine(y_true, y_pred):
    return keras.ops.mean(y_pred, axis=-1)


@pytest.fixture(scope="module")
def models():
    """A trained model of two heads with many metrics, and one of a single head."""
    x = keras.Input((1,), name="x")
    outputs = {"kind": keras.layers.Dense(2, activation="softmax", name="kind")(x),
               "size": keras.layers.Dense(1, activation="sigmoid", name="size")(x)}  # fmt: skip
    two, one = keras.Model({"x": x}, outputs), keras.Model({"x": x}, {"size": outputs["size"]})
    metrics = {
        "kind": ["acc", keras.metrics.SparseTopKCategoricalAccuracy(1, name="top5")],
        "size": [keras.metrics.AUC(name="auc_1"), keras.metrics.MeanIoU(2, sparse_y_pred=True, name="mean_io_u"),
                 keras.metrics.FBetaScore(threshold=0.5, average="macro", name="f1_macro"), "mae", mine],
    }  # fmt: skip
    losses = {"kind": "sparse_categorical_crossentropy", "size": "mse"}
    two.compile("sgd", loss=losses, metrics=metrics, run_eagerly=True)
    two.train_on_batch(DATA, LABELS)
    one.compile("sgd", loss={"size": "mse"}, metrics={"size": ["accuracy", "accuracy"]}, run_eagerly=True)
    one.train_on_batch(DATA, {"size": LABELS["size"]})
    return {"two": two, "one": one}


@pytest.mark.parametrize(
    ("which", "monitor", "mode"),
    [
        ("two", "val_loss", "min"), ("two", "kind_loss", "min"), ("two", "val_size_loss", "min"),
        ("two", "val_kind_acc", "max"), ("two", "val_kind_top5", "max"), ("two", "val_size_auc_1", "max"),
        ("two", "size_mean_io_u", "max"), ("two", "val_size_f1_macro", "max"), ("two", "val_size_mae", "min"),
        ("one", "val_accuracy", "max"), ("one", "val_accuracy_1", "max"), ("one", "loss", "min"),
    ],
)  # fmt: skip
def test_metrics_know_their_direction(models, which, monitor, mode):
    assert train.direction(models[which], monitor) == mode


@pytest.mark.parametrize(
    ("monitor", "message"),
    [
        ("val_size_mine", r"MeanMetricWrapper, which does not define one. Give mode=\"min\" or mode=\"max\""),
        ("val_kind_ac", r"'val_kind_ac', which is no metric of the model.*Did you mean 'val_kind_acc'"),
        ("learning_rate", "is no metric of the model"),
    ],
)
def test_what_tells_no_direction_is_refused(models, monitor, message):
    with pytest.raises(ValueError, match=message):
        train.direction(models["two"], monitor)


def test_callbacks_keep_the_epoch_of_the_highest_score(tmp_path):
    """The score falls from epoch to epoch: the first one is the best."""
    falling = iter([0.9, 0.5, 0.2, 0.1])
    x = keras.Input((1,), name="x")
    model = keras.Model({"x": x}, {"size": keras.layers.Dense(1, name="size")(x)})
    score = keras.metrics.BinaryAccuracy(name="score_1")
    model.compile("sgd", loss="mse", metrics=[score], run_eagerly=True)
    fall = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(score_1=next(falling)))
    callbacks = train.callbacks(tmp_path, monitor="score_1", patience=2)
    model.fit(DATA, {"size": LABELS["size"]}, epochs=4, verbose=0, callbacks=[fall, *callbacks])
    named = {type(callback).__name__: callback for callback in callbacks}
    assert {named[name].mode for name in ("BestCheckpoint", "EarlyStopping", "Curves")} == {"max"}
    assert named["EarlyStopping"].best_epoch == 0 and named["BestCheckpoint"].best == pytest.approx(0.9)
    assert train.whole_epochs(tmp_path) == 3  # early stopping has waited two epochs without improvement
    best = mm.load_model(tmp_path / "best.keras")
    np.testing.assert_array_equal(best.get_weights()[0], model.get_weights()[0])


def test_unknown_mode_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r'mode must be "min", "max" or "auto". Received: mode=\'maximum\''):
        train.callbacks(tmp_path, mode="maximum")
