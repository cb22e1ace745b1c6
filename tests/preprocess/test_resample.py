import sys
import tracemalloc

import numpy as np
import pytest
import tensorflow as tf
from scipy.signal import resample_poly

from mmkeras.edge import audio
from mmkeras.preprocess.resample import input_samples, resample

RATES = [(8000, 16000), (44100, 16000), (48000, 16000), (22050, 8000), (11025, 16000), (44099, 16000), (16000, 44100)]


def waves(rate, count):
    time = np.arange(count) / rate
    noise = np.random.default_rng(0).uniform(-1, 1, count)
    return {"sine": np.sin(2 * np.pi * 440 * time), "noise": noise}


@pytest.mark.parametrize("rate, target", RATES)
def test_equals_scipy_from_edge_to_edge(rate, target):
    common = np.gcd(rate, target)
    for wave in waves(rate, 3001).values():
        expected = resample_poly(wave, target // common, rate // common)
        result = resample(tf.constant(wave, "float32"), tf.constant(rate, "int64"), target, samples=10**6)
        assert result.shape == expected.shape
        np.testing.assert_allclose(result, expected, atol=2e-6)


@pytest.mark.parametrize("rate, target", [(44099, 16000), (767_999, 16000), (768_000, 16000), (44100, 16000)])
def test_in_parts_it_is_the_same(rate, target, monkeypatch):
    wave = waves(rate, 9001)["noise"].astype("float32")
    whole = resample(tf.constant(wave), tf.constant(rate, "int64"), target, samples=150)
    for module in (sys.modules[resample.__module__], audio):
        monkeypatch.setattr(module, "_AT_ONCE", 3000)
    parts = resample(tf.constant(wave), tf.constant(rate, "int64"), target, samples=150)
    assert len(parts) == 150
    np.testing.assert_allclose(parts, whole, atol=1e-6)
    np.testing.assert_allclose(audio.resample(wave, rate, target, 150), whole, atol=2e-6)


def test_memory_does_not_grow_with_the_filter():
    """On a device; at 768000 Hz one output has 962 taps, 16000 outputs 62 MB of products."""
    tracemalloc.start()
    audio.resample(np.zeros(768_000, "float32"), 768_000, 16_000, 16_000)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 40e6


@pytest.mark.parametrize("rate, target", RATES)
def test_input_samples_are_enough(rate, target):
    wave, rate = tf.constant(waves(rate, 3001)["noise"], "float32"), tf.constant(rate, "int64")
    needed = input_samples(rate, target, 500)
    assert needed < 3001
    np.testing.assert_array_equal(resample(wave[:needed], rate, target, 500), resample(wave, rate, target, 10**6)[:500])


def test_one_sample_is_enough():
    result = resample(tf.ones(1), tf.constant(8000, "int64"), 16000, samples=9)
    np.testing.assert_allclose(result, resample_poly(np.ones(1), 2, 1), atol=1e-6)
