"""Exact search for the best rows of a matrix, block by block, in the graph."""

import tensorflow as tf

BLOCK = 65_536  # rows that are compared at a time


def better(queries, block, first, scores, rows, k):
    """The best of what was found before and of a block of items.

    Args:
        queries: (q, D) float32.
        block: (n, D) float32; zeros are absent, or were removed.
        first: () int64, number of the first row of the block.
        scores, rows: (q, k) float32 and int64, what was found so far, best first.
        k: int.

    Returns:
        (scores, rows) (q, k), best first; among equals the one of the lower row.
    """
    there = tf.reduce_any(block != 0, axis=1)
    found = tf.where(there[None], tf.matmul(queries, block, transpose_b=True), -float("inf"))
    numbers = first + tf.range(tf.shape(block)[0], dtype=tf.int64)
    numbers = tf.broadcast_to(numbers[None], tf.shape(found, tf.int64))
    best, places = tf.math.top_k(tf.concat([scores, found], axis=1), k)
    return best, tf.gather(tf.concat([rows, numbers], axis=1), places, batch_dims=1)


def nothing(queries, k):
    """The state before the first block: no results."""
    shape = [tf.shape(queries)[0], k]
    return tf.fill(shape, -float("inf")), tf.zeros(shape, tf.int64) - 1


def search(queries, items, k, block=BLOCK):
    """As `better`, over all rows of a matrix (n, D), with a loop in the graph."""
    count = tf.shape(items)[0]
    scores, rows = nothing(queries, k)

    def step(start, scores, rows):
        part = items[start : tf.minimum(start + block, count)]
        return start + block, *better(queries, part, tf.cast(start, tf.int64), scores, rows, k)

    _, scores, rows = tf.while_loop(lambda start, *_: start < count, step, [0, scores, rows])
    return scores, rows


compiled = tf.function(better, reduce_retracing=True)
