import functools

import numpy as np
import tensorflow as tf

from mmkeras.data.files.vectors import vectors
from mmkeras.data.modalities.base import Modality, found, refusal


class Vector(Modality):
    """Lists of numbers, or .npy files."""

    paths = True

    def column(self, spec, name, values, root, faults):
        return vectors(spec, name, values, functools.partial(found, root, {}), faults)

    def measured(self, spec, name, values):
        return {"norm": np.linalg.norm(values, axis=1).tolist()}

    def converter(self, spec, name, leaf, stream):
        numbers = leaf.dtype.is_floating or leaf.dtype.is_integer
        if not numbers or leaf.shape.rank != 1 or leaf.shape[0] not in (spec.size, None):
            raise refusal(name, f"{spec.size} numbers", leaf)

        def vector(value, position):
            value = tf.cast(value, tf.float32)
            if leaf.shape[0] is None:  # an empty vector is absent
                value = tf.cond(tf.size(value) > 0, lambda: value, lambda: tf.fill([spec.size], float("nan")))
                value = _of_size(spec, value, position)
            return value

        return vector


def _of_size(spec, value, position):
    count, row = tf.strings.as_string(tf.size(value)), tf.strings.as_string(position)
    rule = f"{spec.name}: a vector must have {spec.size} numbers. Received: "
    text = tf.strings.join([rule, count, " in example ", row, "."])
    with tf.control_dependencies([tf.raw_ops.Assert(condition=tf.size(value) == spec.size, data=[text], summarize=1)]):
        return tf.ensure_shape(value, [spec.size])
