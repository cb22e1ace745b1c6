"""An LSTM as LiteRT's op UNIDIRECTIONAL_SEQUENCE_LSTM.

The converter replaces a call to a function whose attribute `api_implements` begins with "lstm_", as Keras 2 wrote it,
by this op, whatever the function computes. The op differs from Keras' LSTM as follows:

state     It keeps its state between calls. A step is inserted before the sequence, with an additional feature that
          drives the input, forget and output gates to exactly 0, which resets the state before the first real step.
masks     It does not support masks. Padding is at the end, so the states of real tokens are correct, and the last one
          is selected by its position. To go backwards, a sequence is reversed up to its length.
clipping  The converter makes it clip the cell state at 10; `unclip` removes that from the file.
"""

import uuid
from pathlib import Path

import flatbuffers
import keras
import numpy as np
import tensorflow as tf

OP = "UNIDIRECTIONAL_SEQUENCE_LSTM"
_SHUT = 200.0  # closes a gate completely: exp(-200) is 0 in float32
_WIDEST = 3e4  # the largest float16 is 65,504


def unfusable(layer):
    """Reasons why a recurrent layer cannot become that op."""
    if not isinstance(layer, keras.layers.LSTM):
        return [f"it is a {type(layer).__name__} and no LSTM"]
    found = {
        f"its activation is {_name(layer.activation)}, not tanh": layer.activation is not keras.activations.tanh,
        f"its recurrent_activation is {_name(layer.recurrent_activation)}, not sigmoid":
            layer.recurrent_activation is not keras.activations.sigmoid,
        "it is stateful": layer.stateful,
        "it returns its state": layer.return_state,
    }  # fmt: skip
    return [reason for reason, holds in found.items() if holds]


def _name(function):
    return getattr(function, "__name__", str(function))


def fused_loop(layer):
    """The inner loop of an LSTM, to be traced into that op."""
    weights = _with_reset(layer.cell)

    def inner_loop(sequences, initial_state, mask, training=False):
        mask = mask[0] if isinstance(mask, (list, tuple)) else mask
        if mask is None:
            mask = tf.ones(tf.shape(sequences)[:2], tf.bool)
        places, lengths = tf.range(tf.shape(mask)[1])[None], tf.reduce_sum(tf.cast(mask, tf.int32), 1, keepdims=True)
        x = _from_the_end(sequences, places, lengths) if layer.go_backwards else sequences
        states = _run(x, *weights)
        last = tf.gather(states, tf.maximum(lengths - 1, 0), batch_dims=1)[:, 0]
        last *= tf.cast(lengths > 0, tf.float32)
        outputs = _outputs(layer, states, last, places, lengths) if layer.return_sequences else states
        return last, outputs, initial_state

    return inner_loop


def _from_the_end(x, places, lengths):
    # Use a gather, because REVERSE_SEQUENCE has no 8-bit kernel.
    return tf.gather(x, tf.where(places < lengths, lengths - 1 - places, places), batch_dims=1)


def _outputs(layer, states, last, places, lengths):
    """Keras' outputs after the end: the last state again, or zeros; if read backwards, padding comes first."""
    if layer.go_backwards:
        shift = places - (tf.shape(places)[1] - lengths)
        moved = tf.gather(states, tf.maximum(shift, 0), batch_dims=1)
        return moved * tf.cast(shift >= 0, tf.float32)[:, :, None]
    real = tf.cast(places < lengths, tf.float32)[:, :, None]
    behind = 0.0 if layer.zero_output_for_mask else last[:, None] * (1.0 - real)
    return states * real + behind


def _with_reset(cell):
    """Kernel with a row for the reset feature, recurrent kernel, bias, and the value of that feature."""
    kernel, recurrent = (keras.ops.convert_to_numpy(each) for each in (cell.kernel, cell.recurrent_kernel))
    bias = keras.ops.convert_to_numpy(cell.bias) if cell.use_bias else np.zeros(4 * cell.units, "float32")
    push = _SHUT + float(np.max(np.abs(recurrent).sum(0) + np.abs(bias)))  # LSTM states lie in [-1, 1]
    # About as large as the weights, because they share an 8-bit scale.
    row = max(float(np.abs(kernel).max()), push / _WIDEST)
    gates = np.repeat(np.array([[-row, -row, 0.0, -row]], "float32"), cell.units, axis=1)  # input, forget, cell, output
    return np.concatenate([kernel, gates]), recurrent, bias, push / row


def _run(x, kernel, recurrent, bias, push):
    """States (B, T, U) of an LSTM with an initial state of zero."""
    batch, units = x.shape[0], recurrent.shape[0]
    reset = np.zeros((batch, 1, kernel.shape[0]), "float32")
    reset[:, :, -1] = push
    x = tf.concat([reset, tf.pad(x, [[0, 0], [0, 0], [0, 1]])], 1)
    attributes = {"api_implements": f"lstm_{uuid.uuid4()}", "api_preferred_device": "CPU"}
    attributes |= {"time_major": False, "go_backwards": False}
    function = tf.function(_stand_in, autograph=False, experimental_attributes=attributes)
    zeros = tf.zeros((batch, units))
    _, states, *_ = function(x, zeros, zeros, *map(tf.constant, (kernel, recurrent, bias)))
    return states[:, 1:]


def _stand_in(x, h, c, kernel, recurrent, bias):
    """A function with the signature and shapes of the one that the converter replaces."""
    states = tf.matmul(x, kernel)[:, :, : recurrent.shape[0]] + 0.0 * (tf.reduce_sum(recurrent) + tf.reduce_sum(bias))
    return states[:, -1], states, h, c, tf.constant(0.0)


def unclip(path):
    """Removes cell clipping from a file, in place; returns the number of its LSTMs."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(Path(path).read_bytes()))
    code = getattr(schema.BuiltinOperator, OP)
    numbers = [i for i, each in enumerate(model.operatorCodes) if each.builtinCode == code]
    found = [op for graph in model.subgraphs for op in graph.operators if op.opcodeIndex in numbers]
    for op in found:
        op.builtinOptions.cellClip = 0.0
    builder = flatbuffers.Builder(Path(path).stat().st_size)
    builder.Finish(model.Pack(builder), b"TFL3")
    Path(path).write_bytes(builder.Output())
    return len(found)
