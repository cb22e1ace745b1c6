"""Batch norm against NumPy: what counts, how fast, and over several replicas."""

import keras
import numpy as np
import pytest

import mmkeras as mm
from mmkeras.layers import BatchNorm, SpecAugment

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("shape", "mask_shape"), [((6, 3), (6, 1)), ((6, 5, 3), (6, 5)), ((6, 5, 4, 3), (6, 1)), ((6, 5, 4, 3), (6, 5))]
)
def test_statistics_of_what_is_present(shape, mask_shape):
    mask = RNG.random(mask_shape) < 0.5
    mask[0] = True
    real = np.broadcast_to(mask.reshape(mask_shape + (1,) * (len(shape) - 2)), shape)
    x = np.where(real, RNG.normal(2.0, 3.0, shape), 1e4).astype("float32")
    layer = BatchNorm(momentum=0.8)
    y = layer(x, mask=mask, training=True).numpy()
    rows = x[real[..., 0]]
    np.testing.assert_allclose(layer.moving_mean, 0.2 * rows.mean(0), rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance, 0.8 + 0.2 * rows.var(0), rtol=1e-5)
    np.testing.assert_allclose(y[real[..., 0]], (rows - rows.mean(0)) / np.sqrt(rows.var(0) + 1e-3), atol=1e-5)


@pytest.mark.parametrize("mask", [None, np.ones((6, 1), bool)])
def test_without_anything_absent_it_is_that_of_keras(mask):
    x = RNG.normal(2.0, 3.0, (6, 5, 4, 3)).astype("float32")
    ours, theirs = BatchNorm(momentum=0.8), keras.layers.BatchNormalization(momentum=0.8)
    for training in (True, False):
        np.testing.assert_allclose(ours(x, mask=mask, training=training), theirs(x, training=training), atol=1e-5)
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_a_batch_of_absent_examples_changes_nothing():
    x, absent = RNG.normal(2.0, 3.0, (4, 5, 3)).astype("float32"), np.zeros((4, 1), bool)
    layer = BatchNorm()
    layer(x, training=True)
    before = layer.get_weights()
    y = layer(x, mask=absent, training=True)
    for a, b in zip(before, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_allclose(y, layer(x), atol=1e-5)


def test_frozen_it_computes_as_in_inference():
    x, layer = RNG.normal(2.0, 3.0, (4, 3)).astype("float32"), BatchNorm(trainable=False)
    np.testing.assert_allclose(layer(x, mask=np.ones((4, 1), bool), training=True), x / np.sqrt(1 + 1e-3), rtol=1e-5)
    assert layer.moving_mean.numpy().tolist() == [0, 0, 0]


def test_renorm_is_refused():
    with pytest.raises(ValueError, match=r"no renorm.*Received: renorm=True"):
        BatchNorm(renorm=True)


def test_a_short_training_answers_in_inference_as_it_did_in_training():
    """After 48 steps; with a momentum of 0.99, inference knew 0.30 to 0.63 of the training pictures (4 seeds)."""
    spec, head = mm.Image("photo", size=(8, 8)), mm.heads.classification("lit", ["left", "right", "both"])
    lit, photo = RNG.integers(0, 3, 128), RNG.integers(0, 60, (128, 8, 8, 3))
    photo[lit != 1, 2:6, 1:3] += 40
    photo[lit != 0, 2:6, 5:7] += 40
    branch = mm.branches.image.conv2d(spec, filters=(8, 8), pool="flatten")
    model = mm.fusion_model([spec], {"photo": branch}, mm.fusion.Concatenate(16), [head])
    model.compile(keras.optimizers.Adam(3e-3), **mm.heads.compile_for([head]))
    data = {"photo": photo.astype("uint8")}, {"lit": lit}
    trained = model.fit(*data, batch_size=16, epochs=6, verbose=0).history["lit_accuracy"][-1]
    assert trained > 0.9
    assert model.evaluate(*data, verbose=0, return_dict=True)["lit_accuracy"] > trained - 0.05


def test_padded_frames_of_a_clip_do_not_count():
    spec = mm.Audio("voice", seconds=0.5, sample_rate=8000)
    branch = mm.branches.audio.conv2d(spec, filters=(4, 4), mel_bands=16)
    wave = RNG.normal(0.0, 0.1, (3, 4000)).astype("float32")
    feed = {"voice": wave, "voice_mask": np.arange(4000) < np.array([[4000], [1500], [0]])}
    outputs = [branch.get_layer(name).output for name in ("log_mel", "conv_1")]
    (spectrum, mask), x = keras.Model(branch.input, outputs)(feed, training=True)
    halves = np.asarray(mask)[:, :48].reshape(3, 24, 2).any(-1)
    branch.get_layer("norm").moving_mean.assign([0.0])  # reset, so that one update is checked instead of two
    branch(feed, training=True)
    mean = np.asarray(spectrum)[np.asarray(mask)].mean()
    np.testing.assert_allclose(branch.get_layer("norm").moving_mean, [0.1 * mean], rtol=1e-4)
    np.testing.assert_allclose(
        branch.get_layer("norm_1").moving_mean, 0.1 * np.asarray(x)[halves].mean((0, 1)), atol=1e-5
    )


def test_what_spec_augment_hides_does_not_change_the_statistics_of_the_spectrogram():
    spec = mm.Audio("voice", seconds=0.5, sample_rate=8000)
    hide = SpecAugment(bands=2, band_width=8, seed=1)
    feed = {"voice": np.sin(np.arange(8000.0) ** 1.3).reshape(2, 4000), "voice_mask": np.ones((2, 4000), bool)}
    found = []
    for spec_augment in (None, hide):
        branch = mm.branches.audio.conv2d(spec, filters=(4,), mel_bands=16, spec_augment=spec_augment)
        branch(feed, training=True)
        found.append(branch.get_layer("norm").moving_variance.numpy())
    np.testing.assert_allclose(*found, rtol=1e-5)


def test_moving_averages_are_the_mean_over_replicas(tmp_path):
    batches = RNG.normal(2.0, 3.0, (3, 8, 2)).astype("float32")
    with mm.distribute.strategy("mirrored").scope():
        model = keras.Sequential([keras.Input((2,)), BatchNorm(name="norm"), keras.layers.Dense(1)])
        model.compile(keras.optimizers.SGD(0.0), "mse")
    model.fit(batches.reshape(24, 2), np.zeros((24, 1)), batch_size=8, shuffle=False, verbose=0)
    model.save(tmp_path / "model.keras")
    mean, variance = np.zeros(2), np.ones(2)
    for halves in batches.reshape(3, 2, 4, 2):
        mean += 0.1 * (halves.mean((0, 1)) - mean)
        variance += 0.1 * (halves.var(1).mean(0) - variance)
    for norm in (model.get_layer("norm"), mm.load_model(tmp_path / "model.keras").get_layer("norm")):
        np.testing.assert_allclose(norm.moving_mean, mean, rtol=1e-4)
        np.testing.assert_allclose(norm.moving_variance, variance, rtol=1e-4)
