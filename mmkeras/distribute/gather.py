"""Gathers and sums tensors over all replicas, for losses and layers that need the examples of the whole batch."""

import keras


def gather(x):
    """Rows of this replica (b, ...) -> those of all replicas (B, ...), in the order of the replicas.

    Gradients flow back to the replicas that the rows came from. Outside a strategy, with a single replica, and on other
    backends than TensorFlow it is the identity.
    """
    context = _context()
    return x if context is None else context.all_gather(x, axis=0)


def sum_over_replicas(x):
    """The sum of a tensor over all replicas. Gradients flow back to each of them; where there is one, the identity."""
    context = _context()
    return x if context is None else context.all_reduce("sum", x)


def first_row(rows):
    """Index of this replica's first row among the rows of all replicas; this one has `rows` of them."""
    context = _context()
    return 0 if context is None else keras.ops.sum(_counts(context, rows)[: context.replica_id_in_sync_group])


def overweight(rows):
    """By how much more an equal share of all rows weighs than this replica's `rows`; 1 where all have as many.

    Keras weighs the loss of a replica with its rows when it takes the mean over the replicas. A loss that is a part of
    that of the whole batch has its weight already: times this number, the mean is the sum again.
    """
    context = _context()
    if context is None:
        return 1.0
    own = keras.ops.cast(keras.ops.maximum(rows, 1), "float32")
    return keras.ops.cast(keras.ops.sum(_counts(context, rows)), "float32") / own / context.num_replicas_in_sync


def _counts(context, rows):
    """Number of rows of each replica, (R,) int32."""
    return context.all_gather(keras.ops.reshape(keras.ops.cast(rows, "int32"), (1,)), axis=0)


def _context():
    """TensorFlow's replica context; None if there is nothing to gather."""
    if keras.backend.backend() != "tensorflow":
        return None
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    return None if context is None or context.num_replicas_in_sync == 1 else context
