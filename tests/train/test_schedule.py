import keras
import numpy as np
import pytest
import tensorflow as tf

from mmkeras import train


def test_the_rate_rises_falls_and_is_kept_by_the_file(tmp_path):
    batches = tf.data.Dataset.from_tensor_slices(({"x": np.ones((8, 1))}, np.ones((8, 1)))).batch(2)
    x = keras.Input((1,), name="x")
    model = keras.Model({"x": x}, keras.layers.Dense(1)(x))
    model.compile(train.adamw(batches, epochs=5, peak=0.01, warmup=0.2, weight_decay=0.1, clipnorm=1.0), "mse")
    rates = []
    spy = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: rates.append(float(model.optimizer.learning_rate))
    )
    model.fit(batches, epochs=5, verbose=0, callbacks=[spy])
    expected = 0.01 * 0.5 * (1 + np.cos(np.pi * np.arange(5) / 4))
    np.testing.assert_allclose(rates, expected, atol=1e-8)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras").optimizer
    assert again.get_config() == model.optimizer.get_config() and again.weight_decay == 0.1 and again.clipnorm == 1.0
    assert float(train.adamw(4, epochs=5, warmup=0).learning_rate) == pytest.approx(1e-3)


def test_what_has_no_length_is_refused():
    with pytest.raises(
        ValueError, match=r"how many steps.*Received: batches of unknown length \(-1\). Give the number"
    ):
        train.adamw(tf.data.Dataset.range(3).repeat(), epochs=2)
    with pytest.raises(ValueError, match="how many steps an epoch has. Received: 0. Give the number"):
        train.adamw(0, epochs=2)
    with pytest.raises(ValueError, match="epochs of 'mm.train.adamw' must be a whole number. Received: epochs=1.5"):
        train.adamw(4, epochs=1.5)
    with pytest.raises(
        ValueError, match="warmup of 'mm.train.adamw' must be at least 0 and below 1. Received: warmup=1"
    ):
        train.adamw(4, epochs=1, warmup=1)
