"""The loops of LSTMs and GRUs, written so that LiteRT runs them fast; the answers are those of Keras' own loops.

The inputs of all steps are multiplied by the kernel at once, before the loop. Where every state is used, the loop runs
in blocks of steps, because LiteRT copies a list of states at each write to it: the inner loop writes to the list of a
block, the outer loop writes whole blocks.
"""

import keras
import tensorflow as tf
from keras import ops

BLOCK = 16  # steps; `mmkeras.edge` cuts texts to multiples of it


def loops_fast(layer):
    """Whether `fast_loop` can replace the inner loop of a layer; subclasses may compute something else."""
    return type(layer) in (keras.layers.LSTM, keras.layers.GRU) and not layer.unroll


def fast_loop(layer):
    """The inner loop of an LSTM or GRU in inference, which takes and returns what that of Keras does."""

    def inner_loop(sequences, initial_state, mask, training=False):
        mask = mask[0] if isinstance(mask, (list, tuple)) else mask
        project, step = _parts(layer.cell)
        states, x = keras.tree.flatten(initial_state), project(sequences)
        length = x.shape[1]
        if layer.return_sequences and (length is None or length > BLOCK):
            return _in_blocks(layer, step, x, states, mask)
        return _loop(layer, step, go_backwards=layer.go_backwards).inner_loop(x, states, mask)

    return inner_loop


def _loop(layer, step, **options):
    options = {"return_sequences": layer.return_sequences, "zero_output_for_mask": layer.zero_output_for_mask} | options
    return keras.layers.RNN(step, **options)


class _Step:
    """A cell whose inputs were projected before: (projected inputs (B, G), states) -> (output, states)."""

    def __init__(self, cell, call):
        self.state_size, self.call = cell.state_size, call

    def __call__(self, inputs, states):
        return self.call(inputs, states)


def _parts(cell):
    """What a cell computes without its state, for all steps at once, and the rest, as a cell for `keras.layers.RNN`."""
    if isinstance(cell, keras.layers.LSTMCell):
        return _lstm(cell)
    if cell.reset_after:
        return _gru(cell)
    return lambda x: x, cell


def _lstm(cell):
    def step(z, states):
        h, c = states
        i, f, g, o = ops.split(z + ops.matmul(h, cell.recurrent_kernel), 4, axis=1)
        c = cell.recurrent_activation(f) * c + cell.recurrent_activation(i) * cell.activation(g)
        h = cell.recurrent_activation(o) * cell.activation(c)
        return h, [h, c]

    return _projection(cell.kernel, cell.bias if cell.use_bias else None), _Step(cell, step)


def _gru(cell):
    inputs, recurrent = ops.unstack(cell.bias) if cell.use_bias else (None, None)

    def step(x, states):
        h = states[0]
        inner = ops.matmul(h, cell.recurrent_kernel)
        inner = inner if recurrent is None else inner + recurrent
        (x_z, x_r, x_h), (inner_z, inner_r, inner_h) = (ops.split(each, 3, axis=1) for each in (x, inner))
        z, r = cell.recurrent_activation(x_z + inner_z), cell.recurrent_activation(x_r + inner_r)
        h = z * h + (1 - z) * cell.activation(x_h + r * inner_h)
        return h, [h]

    return _projection(cell.kernel, inputs), _Step(cell, step)


def _projection(kernel, bias):
    return lambda x: ops.matmul(x, kernel) if bias is None else ops.matmul(x, kernel) + bias


def _in_blocks(layer, step, x, states, mask):
    """Outputs of all steps: the last one, all (B, T, U), and the states."""
    batch, length, _ = x.shape
    steps = tf.shape(x)[1] if length is None else length
    mask = tf.ones([batch, steps], tf.bool) if mask is None else mask
    if layer.go_backwards:
        x, mask = tf.reverse(x, [1]), tf.reverse(mask, [1])
    x, mask = _blocks(x, steps), _blocks(tf.cast(mask, tf.int32), steps)
    count, units = (steps + BLOCK - 1) // BLOCK, layer.cell.units
    loop = _loop(layer, step, return_sequences=True)
    found = tf.TensorArray(x.dtype, count, element_shape=(batch, BLOCK, units))

    def block(i, found, last, *states):
        own = tf.ensure_shape(tf.gather(mask, i, axis=1), (batch, BLOCK))
        inputs = tf.ensure_shape(tf.gather(x, i, axis=1), (batch, BLOCK, x.shape[3]))
        _, outputs, states = loop.inner_loop(inputs, list(states), own > 0)
        if not layer.zero_output_for_mask:  # before its first real step, a loop gives zeros
            outputs = tf.where(tf.cumsum(own, 1)[:, :, None] > 0, outputs, last[:, None])
        outputs = tf.ensure_shape(outputs, (batch, BLOCK, units))
        return i + 1, found.write(i, outputs), outputs[:, -1], *states

    state = 0, found, tf.zeros((batch, units), x.dtype), *states
    _, found, _, *states = tf.while_loop(lambda i, *_: i < count, block, state, parallel_iterations=1)
    outputs = tf.reshape(tf.transpose(found.stack(), [1, 0, 2, 3]), (batch, -1, units))[:, :steps]
    outputs = tf.ensure_shape(outputs, (batch, length, units))
    return outputs[:, -1], outputs, states


def _blocks(x, steps):
    """(B, T, ...) -> (B, blocks, BLOCK, ...), padded with zeros."""
    x = tf.pad(x, [[0, 0], [0, -steps % BLOCK]] + [[0, 0]] * (len(x.shape) - 2))
    return tf.reshape(x, (x.shape[0], -1, BLOCK, *x.shape[2:]))
