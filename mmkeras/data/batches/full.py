"""Checks that training batches are full, and that there is at least one."""

import numpy as np
import tensorflow as tf


def check_size(rows, batch_size):
    if 0 <= rows < batch_size:
        raise ValueError(_too_few(f"{rows} example(s)", batch_size))


def shared_out(batch_size, replicas):
    """Number of a batch's examples for each replica."""
    if batch_size % replicas:
        raise ValueError(
            "Every replica of every worker must get the same number of examples of a training batch. Received: "
            f"batch_size={batch_size} for {replicas} replicas. Give a multiple of {replicas} to train_batches."
        )
    return batch_size // replicas


def never_none(batches, batch_size):
    """The same batches; an epoch without any raises an error at its end, because this cannot be known earlier."""
    absent = tf.experimental.Optional.empty(batches.element_spec)
    there = batches.map(lambda *batch: tf.experimental.Optional.from_value(batch))
    ended = there.concatenate(tf.data.Dataset.from_tensors(absent))
    message = _too_few("fewer, or none that can be used,", batch_size)

    def check(count, batch):
        some = batch.has_value()
        with tf.control_dependencies([tf.debugging.Assert(some | (count > 0), [message])]):
            return count + tf.cast(some, tf.int64), batch

    counted = ended.scan(np.int64(0), check).filter(lambda batch: batch.has_value())
    return counted.map(lambda batch: batch.get_value())


def _too_few(received, batch_size):
    return (
        f"train_batches needs at least one full batch. Received: {received} for batch_size={batch_size}. "
        "Make the batches smaller, or look at how many examples were skipped."
    )


def of_size(tensor, batch_size):
    """Sets the static number of rows of a full batch."""
    return tf.ensure_shape(tensor, [batch_size, *tensor.shape[1:]])
