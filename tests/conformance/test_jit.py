"""XLA compiles it, to the same result."""

import keras
import numpy as np
import tensorflow as tf


def test_jit(case_, run):
    model = case_.build()
    feed = {name: tf.constant(value) for name, value in case_.feed(model).items()}
    compiled = tf.function(lambda x: model(x, training=False), jit_compile=True)(feed)
    for a, b in zip(run(model, feed), keras.tree.flatten(compiled), strict=True):
        np.testing.assert_allclose(a, np.asarray(tf.cast(b, tf.float32)), atol=1e-4)
