"""Adds what `model.fit` needs to TensorFlow's strategies."""

import contextlib

import tensorflow as tf


class UnderFit:
    """Mixin of strategies, to stand before the strategy of TensorFlow.

    - Before the first step Keras averages one batch over the replicas, only to look at its shapes and dtypes (seen
      with Keras 3.15). That fails for bool and string tensors, and where a replica has fewer examples than another,
      and makes floats of integers. Of a batch, the first replica's part serves as well.
    - The mean of scalars along axis 0, as Keras asks for it of the logs, is their mean over the replicas.
    - Variables that are not trained and hold several floats, such as moving averages, are the mean over the replicas.
      A single float, such as the scale of a loss, changes alike on all of them.
    """

    def reduce(self, reduce_op, value, axis=None):
        """As `tf.distribute.Strategy.reduce`; for a structure such as a batch, returns the first replica's part."""
        if tf.nest.is_nested(value):
            return tf.nest.map_structure(lambda leaf: self.experimental_local_results(leaf)[0], value)
        if axis == 0 and self.experimental_local_results(value)[0].shape.rank == 0:
            axis = None
        return super().reduce(reduce_op, value, axis)

    @contextlib.contextmanager
    def scope(self):
        with super().scope(), tf.variable_creator_scope(_averaged):
            yield self


def _averaged(next_creator, **kwargs):
    dtype = kwargs.get("dtype")
    is_float = dtype is not None and tf.as_dtype(dtype).is_floating
    unset = kwargs.get("aggregation") in (None, tf.VariableAggregation.NONE)
    if is_float and unset and not kwargs.get("trainable", True) and _rank(kwargs["initial_value"]):
        kwargs["aggregation"] = tf.VariableAggregation.MEAN
    return next_creator(**kwargs)


def _rank(initial):
    return tf.convert_to_tensor(initial() if callable(initial) else initial).shape.rank
