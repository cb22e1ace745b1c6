"""Two replicas compute what one does: each half of a batch comes out as it does in the whole."""

import numpy as np
import pytest
import tensorflow as tf


@pytest.fixture(scope="module")
def mirrored():
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


def test_two_replicas_equal_one(case_, run, mirrored):
    with mirrored.scope():
        model = case_.build()
    feed = {name: tf.constant(value) for name, value in case_.feed(model, batch=4).items()}
    batches = mirrored.experimental_distribute_dataset(tf.data.Dataset.from_tensors(feed).unbatch().batch(4))
    step = tf.function(lambda x: tf.nest.flatten(model(x, training=False)))
    parts = mirrored.run(step, args=(next(iter(batches)),))
    for whole, part in zip(run(model, feed), parts, strict=True):
        values = [np.asarray(tf.cast(value, tf.float32)) for value in mirrored.experimental_local_results(part)]
        assert len(values) == 2
        np.testing.assert_allclose(whole, np.concatenate(values), atol=1e-5)
