import numpy as np
import pytest
import tensorflow as tf
from scipy.signal import resample_poly

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


@pytest.mark.parametrize("rate, target", RATES)
def test_input_samples_are_enough(rate, target):
    wave, rate = tf.constant(waves(rate, 3001)["noise"], "float32"), tf.constant(rate, "int64")
    needed = input_samples(rate, target, 500)
    assert needed < 3001
    np.testing.assert_array_equal(resample(wave[:needed], rate, target, 500), resample(wave, rate, target, 10**6)[:500])


def test_one_sample_is_enough():
    result = resample(tf.ones(1), tf.constant(8000, "int64"), 16000, samples=9)
    np.testing.assert_allclose(result, resample_poly(np.ones(1), 2, 1), atol=1e-6)
