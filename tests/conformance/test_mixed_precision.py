"""Under mixed precision everything builds, and computes what it computes in float32, but for rounding."""

import keras
import numpy as np
import pytest


@pytest.fixture
def bfloat16():
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy(policy)


def test_mixed_bfloat16(case_, run, bfloat16):
    mixed = case_.build()
    keras.config.set_dtype_policy("float32")
    exact = case_.build()
    exact.set_weights(mixed.get_weights())
    feed = case_.feed(mixed)
    for a, b in zip(run(mixed, feed), run(exact, feed), strict=True):
        assert np.isfinite(a).all()
        np.testing.assert_allclose(a, b, atol=0.1 * (1 + np.abs(b).max()))


def test_heads_answer_in_float32(case_, bfloat16):
    outputs = case_.build().output
    if isinstance(outputs, dict):
        assert {tensor.dtype for tensor in outputs.values()} == {"float32"}
