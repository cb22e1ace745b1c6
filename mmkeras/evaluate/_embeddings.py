"""Embeddings that a model computes from its inputs."""

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from mmkeras.evaluate import _graph
from mmkeras.evaluate._predict import _own_inputs, _parts, _told


def embeddings(model: keras.Model, batches: Iterable[Any]) -> np.ndarray:
    """One vector for each example: the means of each modality's tokens over their mask, side by side.

    Args:
        model: model of a builder of this package.
        batches: batches of (inputs, labels[, weights]), or of inputs alone.

    Returns:
        float32 array (n, D); each modality's vector has length 1, and is zero where it is absent.
    """
    found = []
    for batch in _told(batches):
        x = batch if isinstance(batch, dict) else _parts(batch)[0]
        found.append(np.concatenate(_vectors(model, _own_inputs(model, x)), axis=-1))
    return np.concatenate(found)


def _vectors(model, x):
    seen = []
    _graph.run(model, x, seen=seen)
    models = [output for _, operation, output in seen if _graph.inside(operation) is not None]
    return [_mean(*output) for output in models if isinstance(output, list | tuple) and len(output) == 2]


def _mean(tokens, mask):
    tokens, there = tf.cast(tokens, tf.float32), tf.cast(mask, tf.float32)[..., None]
    mean = tf.reduce_sum(tokens * there, 1) / tf.maximum(tf.reduce_sum(there, 1), 1.0)
    return tf.math.l2_normalize(mean, axis=-1).numpy()
