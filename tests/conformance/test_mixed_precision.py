"""Under mixed precision everything builds, and computes what it computes in float32, but for rounding."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import mmkeras as mm


@pytest.fixture
def set_policy():
    policy = keras.config.dtype_policy()
    yield keras.config.set_dtype_policy
    keras.config.set_dtype_policy(policy)


@pytest.fixture
def bfloat16(set_policy):
    set_policy("mixed_bfloat16")


def test_mixed_bfloat16(case_, run, bfloat16):
    mixed = case_.build()
    keras.config.set_dtype_policy("float32")
    exact = case_.build()
    exact.set_weights(mixed.get_weights())
    feed = case_.feed(mixed)
    for a, b in zip(run(mixed, feed), run(exact, feed), strict=True):
        assert np.isfinite(a).all()
        # Measured: 0.02 for images and videos, 0.01 for the others.
        np.testing.assert_allclose(a, b, atol=0.04 * np.abs(b).max())


@pytest.mark.parametrize("name", ["image.mobilenet", "image.resnet"])
def test_mixed_float16_of_deep_networks(name, cases, run, set_policy):
    """With statistics of pictures: with the initial ones, MobileNet's values shrink to 1e-10, below float16."""
    exact = cases[name].build()
    feed = cases[name].feed(exact, batch=12)
    for layer in exact._flatten_layers():
        if isinstance(layer, mm.layers.BatchNorm):
            layer.momentum = 0.0
    exact({key: tf.constant(value) for key, value in feed.items()}, training=True)
    set_policy("mixed_float16")
    mixed = cases[name].build()
    mixed.set_weights(exact.get_weights())
    a, b = run(mixed, feed)[0], run(exact, feed)[0]
    assert np.abs(b).max() > 0.1
    np.testing.assert_allclose(a, b, atol=0.04 * np.abs(b).max())


@pytest.mark.parametrize("name", ["vector.linear", "vector.linear as it is"])
def test_large_vectors(name, cases, run, set_policy):
    """Beyond 65,504, where float16 ends, and in steps that bfloat16 has not."""
    case = cases[name]
    exact = case.build()
    feed = case.feed(exact)
    feed["vector"] += 70_000
    expected = run(exact, feed)[0]
    for policy in ("mixed_bfloat16", "mixed_float16"):
        set_policy(policy)
        mixed = case.build()
        mixed.set_weights(exact.get_weights())
        np.testing.assert_allclose(run(mixed, feed)[0], expected, rtol=0.02, atol=0.02)


def test_preprocessing_is_float32(set_policy):
    """The years 2001 to 2004 are one number in bfloat16; float16 has none for 120,000."""
    specs = [mm.Table("row", numeric=["year", "price"], categorical=["city"]), mm.Vector("face", size=2)]
    raw = {"year": np.arange(2001, 2005, dtype="float32"), "price": np.array([110e3, 120e3, 115e3, np.nan], "float32"),
           "city": np.array(["a", "b", "b", ""]), "face": np.array([[70_000, 70_001]] * 4, "float32")}  # fmt: skip
    rows, ready = tf.data.Dataset.from_tensor_slices(raw), []
    for policy in ("float32", "mixed_bfloat16", "mixed_float16"):
        set_policy(policy)
        preprocess = mm.adapt(mm.preprocessor(specs), rows, verbose=False)
        ready.append(next(iter(rows.batch(4).map(preprocess))))
    assert np.ptp(ready[0]["row"][:, 0]) > 2
    for other in ready[1:]:
        for name, values in ready[0].items():
            np.testing.assert_array_equal(other[name], values)


def test_heads_answer_in_float32(case_, bfloat16):
    outputs = case_.build().output
    if isinstance(outputs, dict):
        assert {tensor.dtype for tensor in outputs.values()} == {"float32"}


@pytest.mark.parametrize("name", ["classification", "multi-label", "regression"])
def test_answers_are_as_fine_as_float32(name, cases, run, bfloat16):
    answers = run(cases[name].build(), {"x": np.random.default_rng(0).normal(size=(1000, 4)).astype("float32")})[0]
    assert len(np.unique(answers[:, 0])) > 950
