"""What fit, evaluate and predict make of batches that are small, empty or broken."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

import mmkeras as mm
from mmkeras import distribute

SPECS = [mm.Image("photo", size=(8, 8)), mm.Vector("face", size=3)]
HEADS = [mm.heads.classification("kind", ["a", "b", "c"]), mm.heads.regression("size", mean=2.0, std=3.0)]
ROWS = 9  # in batches of 4, so the last batch has a single example for two replicas


@pytest.fixture(scope="module")
def data():
    """Inputs, labels and weights of nine examples; the last one is far from the others."""
    rng = np.random.default_rng(0)
    x = {"photo": rng.integers(0, 256, (ROWS, 8, 8, 3)).astype("uint8"),
         "face": rng.normal(size=(ROWS, 3)).astype("float32"), "face_mask": np.ones((ROWS, 1), bool)}  # fmt: skip
    y = {"kind": rng.integers(0, 3, ROWS).astype("int32"), "size": np.r_[rng.normal(size=ROWS - 1), 90.0]}
    y["size"] = y["size"].reshape(-1, 1).astype("float32")
    weights = {"kind": rng.uniform(0.5, 4, ROWS).astype("float32"), "size": np.ones(ROWS, "float32")}
    return x, y, weights


@pytest.fixture(scope="module")
def models():
    """The same compiled model on one device and on two replicas."""
    found = []
    for strategy in (distribute.strategy("one_device"), distribute.strategy(devices=["CPU:0", "CPU:1"])):
        keras.utils.set_random_seed(0)
        with strategy.scope():
            branches = {"photo": mm.branches.image.conv2d(SPECS[0], filters=(4,)),
                        "face": mm.branches.vector.linear(SPECS[1], dim=4)}  # fmt: skip
            model = mm.fusion_model(SPECS, branches, mm.fusion.Gated(dim=4), HEADS)
            model.compile("sgd", **mm.heads.compile_for(HEADS, loss_weights={"kind": 0.5}))
        found.append(model)
    return found


def _batches(*parts, size=4):
    return tf.data.Dataset.from_tensor_slices(parts if len(parts) > 1 else parts[0]).batch(size)


def test_fit_says_nothing_of_shuffling_a_data_set(models, data):
    before = models[0].get_weights()
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*shuffle")
        models[0].fit(_batches(*data[:2]), verbose=0)
    with pytest.warns(UserWarning, match="shuffle=True"):
        models[0].fit(_batches(*data[:2]), verbose=0, shuffle=True)
    models[0].set_weights(before)


@pytest.mark.parametrize("replicas", [1, 2])
@pytest.mark.parametrize("weighted", [False, True])
def test_losses_of_heads_are_means_over_the_examples(models, data, replicas, weighted):
    model, (x, y, weights) = models[replicas - 1], data
    answers = {name: np.asarray(value) for name, value in model(x, training=False).items()}
    weight = weights["kind"] if weighted else 1.0
    kind = np.mean(weight * -np.log(answers["kind"][np.arange(ROWS), y["kind"]]))
    size = np.mean(((answers["size"] - y["size"]) / 3.0) ** 2)
    logs = model.evaluate(_batches(*(data if weighted else data[:2])), verbose=0, return_dict=True)
    share = weights["kind"] if weighted else None
    expected = {"kind_loss": kind, "size_loss": size, "loss": 0.5 * kind + size,
                "kind_accuracy": np.average(answers["kind"].argmax(1) == y["kind"], weights=share),
                "size_mae": np.mean(np.abs(answers["size"] - y["size"]))}  # fmt: skip
    assert logs == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("size", [4, 7])
def test_two_replicas_take_batches_that_they_cannot_share_evenly(models, data, size):
    x, batches = data[0], _batches(*data[:2], size=size)
    one, two = (model.predict(_batches(x, size=size), verbose=0) for model in models)
    for name, answer in one.items():
        np.testing.assert_allclose(two[name], answer, atol=1e-5)
    clone = models[1]
    before = clone.get_weights()
    history = clone.fit(batches, validation_data=batches, verbose=0).history
    clone.set_weights(before)
    assert np.isfinite([history["loss"], history["val_loss"], history["val_kind_loss"]]).all()


def test_training_needs_an_example_for_each_replica(models, data):
    ones = tf.data.Dataset.from_tensor_slices(data[:2]).batch(1, drop_remainder=True)
    with pytest.raises(ValueError, match=r"at least one example per replica. Received: batches of 1 .* 2 replicas"):
        models[1].fit(ones, verbose=0)


def test_no_example_gives_no_answer(models, data):
    none = {name: value[:0] for name, value in data[0].items()}
    free = {name: tf.TensorSpec([None, *value.shape[1:]], value.dtype) for name, value in none.items()}
    graph = tf.function(lambda inputs: models[0](inputs, training=False), input_signature=[free])
    for answers in (models[0](none), models[0].predict(none, verbose=0), graph(none)):
        assert {name: tuple(value.shape) for name, value in answers.items()} == {"kind": (0, 3), "size": (0, 1)}


@pytest.mark.parametrize("method", ["evaluate", "predict"])
def test_data_without_a_batch_are_refused(models, data, method):
    batches = _batches(*data[:2]) if method == "evaluate" else _batches(data[0])
    with pytest.raises(ValueError, match=f"{method} needs at least one batch. Received: data without any"):
        getattr(models[0], method)(batches.take(0), verbose=0)
