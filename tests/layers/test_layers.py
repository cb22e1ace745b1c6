"""Each layer against a NumPy statement of what it computes; the promises all keep are in tests/conformance."""

import keras
import numpy as np
import pytest
from scipy.signal import get_window

from mmkeras import layers

RNG = np.random.default_rng(0)


def test_masked_mean():
    tokens, mask = RNG.normal(size=(3, 5, 2)).astype("float32"), np.arange(5) < np.array([[5], [2], [0]])
    mean = layers.MaskedMean()(tokens, mask).numpy()
    np.testing.assert_allclose(mean[0], tokens[0].mean(0), rtol=1e-5)
    np.testing.assert_allclose(mean[1], tokens[1, :2].mean(0), rtol=1e-5)
    assert mean[2].tolist() == [0, 0]


def test_masked_mean_keeps_count_in_half_precision():
    tokens, mask = np.full((1, 12_000, 1), 10.0, "float16"), np.ones((1, 12_000), bool)
    assert float(layers.MaskedMean(dtype="float16")(tokens, mask)[0, 0]) == 10.0


def test_guard_empty_marks_only_empty_rows():
    mask = np.array([[False, True], [False, False]])
    assert layers.GuardEmpty()(mask).numpy().tolist() == [[False, True], [True, False]]


def test_pool_mask_is_true_where_any_is():
    mask = np.array([[True, False, False, False, True], [False, False, False, True, False]])
    assert layers.PoolMask(2)(mask).numpy().tolist() == [[True, False], [False, True]]


def test_log_mel_against_numpy():
    rate, samples = 8000, 1000
    wave, mask = RNG.normal(size=(1, samples)).astype("float32"), np.arange(samples)[None] < 700
    layer = layers.LogMel(rate, mel_bands=16)
    spectrum, frames = layer(wave, mask)
    frame, hop, fft = 200, 80, 256
    padded = np.pad(np.where(mask, wave, 0)[0], (0, fft - frame))
    window = np.pad(get_window("hann", frame), (fft - frame) // 2)
    power = [
        np.abs(np.fft.rfft(padded[i * hop : i * hop + fft] * window)) ** 2 for i in range(1 + (samples - frame) // hop)
    ]
    mel = lambda hertz: 2595 * np.log10(1 + hertz / 700)  # noqa: E731
    edges = np.linspace(mel(20.0), mel(rate / 2), 18)
    bins = mel(np.linspace(0, rate / 2, fft // 2 + 1))[:, None]
    rising, falling = (bins - edges[:-2]) / np.diff(edges)[:-1], (edges[2:] - bins) / np.diff(edges)[1:]
    matrix = np.maximum(0, np.minimum(rising, falling))
    matrix[0] = 0
    np.testing.assert_allclose(spectrum[0], np.log(np.array(power) @ matrix + 1e-6), atol=2e-3)
    assert frames[0].numpy().tolist() == [i * hop < 700 for i in range(11)]


def test_log_mel_of_a_clip_ignores_its_neighbours():
    quiet = RNG.normal(size=(1, 1000)).astype("float32")
    both = np.concatenate([quiet, 100 * quiet])
    layer = layers.LogMel(8000)
    alone, _ = layer(quiet, np.ones((1, 1000), bool))
    beside, _ = layer(both, np.ones((2, 1000), bool))
    np.testing.assert_array_equal(alone[0], beside[0])


def test_log_mel_needs_a_frame():
    with pytest.raises(ValueError, match="at least one frame, 400 samples. Received: 300 samples"):
        layers.LogMel(16000)(np.zeros((1, 300), "float32"), np.ones((1, 300), bool))


def test_table_features_tell_missing_from_zero():
    layer = layers.TableFeatures(numeric=1, max_categories=3, embed_dim=2)
    row = np.array([[0.0, 1.0], [0.0, 1.0], [0.0, 1.0]], "float32")
    features = layer(row, np.array([[True, True], [False, True], [True, False]])).numpy()
    assert features.shape == (3, 4)
    assert features[0, :2].tolist() == [0, 1]
    assert features[1, :2].tolist() == [0, 0]
    table = layer.embedding.embeddings.numpy()
    np.testing.assert_array_equal(features[:, 2:], table[[1, 1, 0]])


def test_table_features_keep_columns_apart():
    layer = layers.TableFeatures(numeric=0, max_categories=3, embed_dim=2)
    features = layer(np.array([[1.0, 1.0]], "float32"), np.ones((1, 2), bool)).numpy()[0]
    assert features[:2].tolist() != features[2:].tolist()


def test_table_features_keep_large_ids_in_half_precision():
    layer = layers.TableFeatures(numeric=0, max_categories=5000, embed_dim=1, dtype="mixed_bfloat16")
    features = layer(np.array([[1001.0], [4001.0]], "float32"), np.ones((2, 1), bool))
    table = layer.embedding.embeddings.numpy()
    np.testing.assert_allclose(np.asarray(features, "float32")[:, 0], table[[1001, 4001], 0], rtol=1e-2)


def test_position_embedding_adds_a_vector_per_place():
    layer = layers.PositionEmbedding()
    tokens = np.zeros((2, 3, 4), "float32")
    places = layer(tokens).numpy()
    np.testing.assert_array_equal(places[0], layer.table.numpy())
    assert not np.allclose(places[0, 0], places[0, 1])
    assert isinstance(layer, keras.layers.Layer)
