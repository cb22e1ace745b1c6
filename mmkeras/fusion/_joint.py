"""Joint tokens: what a fusion of all tokens makes of them, beside its vector."""

import keras
from keras import ops


def joint_spec(vector, counts, dim):
    """The symbolic result of a fusion that is called with `joint=True`.

    Args:
        vector: `keras.KerasTensor` (B, D), the result without `joint`.
        counts: list of T, the number of tokens of each stream.
        dim: their width.
    """
    shapes = [(vector.shape[0], count) for count in counts]
    tokens = [keras.KerasTensor((*shape, dim), vector.dtype) for shape in shapes]
    return vector, tokens, [keras.KerasTensor(shape, "bool") for shape in shapes]


def where_any(masks, tokens):
    """Mask (B, Q) of learned tokens (B, Q, D): False in rows in which all modalities are absent."""
    there = ops.any(ops.concatenate(masks, axis=1), axis=1, keepdims=True)
    return ops.logical_and(ops.ones_like(tokens[:, :, 0], dtype="bool"), there)
