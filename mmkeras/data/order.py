"""Which rows make up which batch of which epoch."""

import tensorflow as tf


def epochs(rows, batch_size, seed, lengths=None):
    """A data set of row batches (batch_size,) int64 whose order is a function of (seed, epoch) alone.

    Every row has the same chance of every place: this is a permutation, not a shuffle buffer. Each iteration is the
    next epoch; the returned variable says which, so that a run that was killed can go on where it was.

    Args:
        rows: how many rows there are. The last rows that do not fill a batch are left out of an epoch.
        batch_size: rows of a batch.
        seed: int.
        lengths: (rows,) numbers; rows of similar length are then put into the same batch.

    Returns:
        The data set, elements (seed of the batch (2,) int64, rows (batch_size,) int64), and the epoch, a `tf.Variable`.
    """
    with tf.device("CPU:0"):
        epoch = tf.Variable(0, dtype=tf.int64, trainable=False, name="epoch")
        lengths = None if lengths is None else tf.constant(lengths)
    steps = rows // batch_size

    def batches(epoch):
        start = tf.stack([tf.constant(seed, tf.int64), epoch])
        order = tf.random.experimental.stateless_shuffle(tf.range(rows, dtype=tf.int64), start)[: steps * batch_size]
        if lengths is not None:
            order = _alike(order, lengths, batch_size, start)
        step = epoch * steps + tf.range(steps, dtype=tf.int64)
        seeds = tf.stack([tf.fill([steps], start[0]), step], axis=1)
        return tf.data.Dataset.from_tensor_slices((seeds, tf.reshape(order, [steps, batch_size])))

    counted = tf.data.Dataset.from_tensors(0).map(lambda _: epoch.assign_add(1) - 1)
    every = counted.flat_map(batches).apply(tf.data.experimental.assert_cardinality(steps))
    return every, epoch


def _alike(order, lengths, batch_size, seed, pool=50):
    """Sorts each pool of 50 batches by length, then shuffles the batches."""
    rank = tf.range(tf.size(order)) // (pool * batch_size)
    key = tf.cast(rank, tf.float64) * 1e9 + tf.cast(tf.gather(lengths, order), tf.float64)
    batches = tf.reshape(tf.gather(order, tf.argsort(key, stable=True)), [-1, batch_size])
    return tf.random.experimental.stateless_shuffle(batches, seed + 1)
