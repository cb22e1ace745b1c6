"""Smaller forms of ready tensors for the cache, from which the same values are restored.

A mask without True after a False is stored as its lengths, and a waveform from 16-bit files as int16: a second of
16 kHz takes 32 kB instead of 80. Dtype and rank beside those of the ready tensor tell in which form an array is.
"""

import numpy as np
import tensorflow as tf

_FULL_SCALE = 2.0**15


def pack(values: np.ndarray) -> np.ndarray | None:
    """The smaller form of the rows of a ready tensor; None if it has none that restores the same values.

    Example:

    >>> pack(np.array([[0.5, -0.25]], "float32")), pack(np.array([[0.1, 0.0]], "float32"))
    (array([[16384, -8192]], dtype=int16), None)
    >>> pack(np.arange(6) < [[2], [0]]), pack(np.arange(6) > 2)
    (array([2, 0], dtype=int32), None)
    """
    if values.dtype == bool and values.ndim == 2 and values.shape[1] >= np.dtype(np.int32).itemsize:
        made = values.sum(axis=1, dtype=np.int32)
        return made if np.array_equal(unpacked(made, np.empty_like(values)), values) else None
    if values.dtype == np.float32 and values.ndim == 2:
        scaled = values * _FULL_SCALE
        with np.errstate(invalid="ignore"):  # what does not fit, also NaN, becomes another number
            made = scaled.astype(np.int16)
        return made if np.array_equal(made, scaled) else None
    return None


def unpacked(made: np.ndarray, out: np.ndarray) -> np.ndarray:
    """Restores the rows of a smaller form into an array of the shape and dtype of the ready tensor, and returns it."""
    if out.dtype == bool:
        return np.less(np.arange(out.shape[1]), made[:, None], out=out)
    return np.divide(made, _FULL_SCALE, out=out, casting="same_kind")


def restore(made: tf.Tensor, ready: tf.TensorSpec) -> tf.Tensor:
    """Restores rows, in whichever form they are, as the ready tensor with this shape and dtype; in the graph."""
    if ready.dtype == tf.bool:  # lengths, or a mask as bool or as uint8
        return tf.sequence_mask(made, ready.shape[1]) if made.dtype == tf.int32 else tf.cast(made, tf.bool)
    return tf.cast(made, tf.float32) / _FULL_SCALE if made.dtype != ready.dtype else made
