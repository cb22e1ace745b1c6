"""What concerns the whole batch sees all replicas: clipped gradients, loss scales, synchronised statistics."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import mmkeras as mm
from mmkeras.layers import BatchNorm

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(12, 5)).astype("float32"), RNG.normal(size=(12, 1)).astype("float32")


def trained(strategy, optimizer, *, batches=3):
    """Weights after some steps of 12 examples."""
    keras.utils.set_random_seed(0)
    with mm.distribute.strategy(strategy).scope():
        x = keras.Input((5,), name="x")
        model = mm.contract.NamedModel.of({"x": x}, {"y": keras.layers.Dense(1)(keras.layers.Dense(4)(x))})
        model.compile(optimizer(), "mse")
    fit(model, {"x": X}, {"y": Y}, batches)
    return model.get_weights(), model.optimizer


def fit(model, x, y, batches):
    model.fit(tf.data.Dataset.from_tensors((x, y)).repeat(batches), verbose=0)


def near(first, second):
    for one, other in zip(first, second, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5)


@pytest.mark.parametrize("clip", [{"clipnorm": 0.05}, {"global_clipnorm": 0.05}, {"clipvalue": 0.01}])
@pytest.mark.parametrize("scaled", [False, True])
def test_gradients_are_clipped_as_on_one_device(clip, scaled):
    def optimizer():
        sgd = keras.optimizers.SGD(1.0, **clip)
        return keras.optimizers.LossScaleOptimizer(sgd) if scaled else sgd

    near(trained("mirrored", optimizer)[0], trained("one_device", optimizer)[0])


def test_an_overflow_on_any_replica_is_noticed(monkeypatch):
    monkeypatch.setitem(globals(), "X", np.concatenate([X[:-1], np.full((1, 5), np.inf, "float32")]))
    weights, optimizer = trained("mirrored", lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1)))
    assert np.isfinite(np.concatenate([each.ravel() for each in weights])).all()
    assert optimizer.dynamic_scale.numpy() == 2.0**15 / 2**3


def normalised(strategy, layer, synchronize):
    """Weights, moving averages included, of a model that normalises; some of its examples are absent."""
    keras.utils.set_random_seed(0)
    present = np.array([[True]] * 4 + [[False]] * 4 + [[True]] * 4)
    with mm.distribute.strategy(strategy).scope():
        inputs = {"x": keras.Input((5,), name="x"), "x_mask": keras.Input((1,), dtype="bool", name="x_mask")}
        x = layer(inputs["x"], mask=inputs["x_mask"]) if isinstance(layer, BatchNorm) else layer(inputs["x"])
        model = mm.contract.NamedModel.of(inputs, {"y": keras.layers.Dense(1)(x)})
        model.compile(keras.optimizers.SGD(0.1), "mse")
    if synchronize:
        assert mm.distribute.synchronize_batch_norm(model) == [layer.name]
    fit(model, {"x": X, "x_mask": present}, {"y": Y}, 2)
    return model.get_weights()


@pytest.mark.parametrize("kind", [BatchNorm, keras.layers.BatchNormalization])
def test_synchronised_statistics_are_those_of_one_device(kind):
    alone = normalised("one_device", kind(), synchronize=False)
    near(normalised("mirrored", kind(), synchronize=True), alone)
    apart = normalised("mirrored", kind(), synchronize=False)
    assert max(np.abs(one - other).max() for one, other in zip(apart, alone, strict=True)) > 1e-3


def test_the_setting_is_saved_with_the_layer():
    assert BatchNorm.from_config(BatchNorm(synchronized=True).get_config()).synchronized


def test_a_model_without_batch_norm_is_refused():
    x = keras.Input((5,))
    with pytest.raises(ValueError, match=r"needs a model with batch normalisation.* Received: model 'plain', which"):
        mm.distribute.synchronize_batch_norm(keras.Model(x, keras.layers.Dense(1)(x), name="plain"))
    renorm = keras.layers.BatchNormalization(renorm=True, name="norm")
    with pytest.raises(ValueError, match=r"which has renorm in \['norm'\]\. Build these layers without it"):
        mm.distribute.synchronize_batch_norm(keras.Model(x, renorm(x)))


def test_synchronised_layers_are_not_trained_in_parts():
    model = mm.contract.NamedModel.of({"x": (x := keras.Input((5,), name="x"))}, {"y": BatchNorm(name="norm")(x)})
    mm.distribute.synchronize_batch_norm(model)
    with pytest.raises(ValueError, match=r"by itself\. Received: \['norm'\], comparing the examples of a batch"):
        mm.train.micro_batches(model, parts=2)
