"""A SavedModel of it computes the same, loaded by TensorFlow alone."""

import keras
import numpy as np
import tensorflow as tf


def test_saved_model(case_, run, tmp_path):
    model = case_.build()
    spec = {name: tf.TensorSpec(tensor.shape, tensor.dtype, name) for name, tensor in model.input.items()}
    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint("serve", lambda x: tf.nest.flatten(model(x, training=False)), [spec])
    archive.write_out(str(tmp_path), verbose=False)
    feed = case_.feed(model)
    loaded = tf.saved_model.load(str(tmp_path))
    served = loaded.serve({name: tf.constant(value) for name, value in feed.items()})
    for a, b in zip(run(model, feed), served, strict=True):
        np.testing.assert_allclose(a, np.asarray(tf.cast(b, tf.float32)), atol=1e-5)
