"""LSTMs as one op in a served graph: the answers are those of Keras' loop, which runs some 70 small ops for each step.

TensorFlow's BlockLSTMV2 runs all steps in one kernel, but knows no masks. So real tokens are moved to the front, in
their order, and the state at a token is that after as many steps as there are real tokens up to it. It runs as many
steps as the longest sequence of the batch has real tokens.
"""

import contextlib

import keras
import numpy as np
import tensorflow as tf

from mmkeras.export.graph import loops, recurrent_layers


@contextlib.contextmanager
def fast_lstms(model):
    """Context in which the LSTMs of a model are traced into that op, where they can be."""
    with loops([layer for layer in recurrent_layers(model) if is_one_op(layer)], block_loop):
        yield


def is_one_op(layer):
    """Whether a layer is an LSTM as that op computes it; subclasses may compute something else."""
    return (
        type(layer) is keras.layers.LSTM
        and not layer.unroll
        and layer.activation is keras.activations.tanh
        and layer.recurrent_activation is keras.activations.sigmoid
        and layer.compute_dtype == "float32"
    )


def block_loop(layer):
    """The inner loop of an LSTM in inference, which takes and returns what that of Keras does.

    Source: TensorFlow, `core/kernels/rnn/lstm_ops.cc`.
    """
    weights = _weights(layer.cell)  # variables, which all signatures of an export share

    def inner_loop(sequences, initial_state, mask, training=False):
        mask = mask[0] if isinstance(mask, (list, tuple)) else mask
        h, c = keras.tree.flatten(initial_state)
        x, mask = (each if each is None or not layer.go_backwards else tf.reverse(each, [1])
                   for each in (sequences, mask))  # fmt: skip
        if mask is None:
            states, cells = _run(x, h, c, tf.shape(x)[1], *weights)
            return states[:, -1], states, [states[:, -1], cells[:, -1]]
        counts = tf.cumsum(tf.cast(mask, tf.int32), axis=1)
        order = tf.math.top_k(tf.cast(mask, tf.int32), tf.shape(x)[1]).indices  # of equal ones, the first comes first
        states, cells = _run(tf.gather(x, order, batch_dims=1), h, c, tf.reduce_max(counts), *weights)
        h, c = _last(states, counts, h), _last(cells, counts, c)
        if not layer.return_sequences and not layer.zero_output_for_mask:
            return tf.where(counts[:, -1:] > 0, h, 0.0), states, [h, c]
        shown = mask if layer.zero_output_for_mask else counts > 0
        outputs = tf.gather(states, tf.maximum(counts - 1, 0), batch_dims=1)
        outputs = tf.where(shown[:, :, None], outputs, 0.0)
        return outputs[:, -1], outputs, [h, c]

    return inner_loop


def _weights(cell):
    """Kernel and recurrent kernel in one, and the bias; the gates are in Keras' order."""
    kernels = np.concatenate([keras.ops.convert_to_numpy(each) for each in (cell.kernel, cell.recurrent_kernel)])
    bias = keras.ops.convert_to_numpy(cell.bias) if cell.use_bias else np.zeros(kernels.shape[1], kernels.dtype)
    return tf.Variable(kernels, trainable=False), tf.Variable(bias, trainable=False)


def _run(x, h, c, steps, kernels, bias):
    """States and cell states (B, T, U) after each of the first `steps` steps, and zeros."""
    none = tf.zeros(h.shape[-1])
    found = tf.raw_ops.BlockLSTMV2(
        seq_len_max=tf.cast(steps, tf.int64), x=tf.transpose(x, [1, 0, 2]), cs_prev=c, h_prev=h, w=kernels, b=bias,
        wci=none, wcf=none, wco=none, cell_clip=0.0, use_peephole=False,
    )  # fmt: skip
    return tf.transpose(found.h, [1, 0, 2]), tf.transpose(found.cs, [1, 0, 2])


def _last(states, counts, initial):
    """State after the last real token of each sequence; the initial one where there is none."""
    found = tf.gather(states, tf.maximum(counts[:, -1] - 1, 0), batch_dims=1)
    return tf.where(counts[:, -1:] > 0, found, initial)
