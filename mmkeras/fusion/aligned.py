from typing import Unpack

import keras
from keras import ops

from mmkeras.fusion._vectors import check_positive
from mmkeras.layers.options import LayerOptions


@keras.saving.register_keras_serializable("mmkeras")
class Aligned(keras.layers.Layer):
    """z_t = relu(W [a_t; b_t; ...; p_t] + b): joins what all modalities have at time step t, one token each.

    Prefer it where modalities are synchronous, such as a voice and the lips, and an answer for every time step is
    wanted: it gives joint tokens instead of one vector, from which `transcriber` makes sentences.

    All modalities begin at the same time, and their tokens must be equally far apart in time. Where one has fewer
    tokens than another, for example because a last window of sound is not complete, its last time steps are masked: T
    is that of the longest.

    Masking: a masked time step of a modality enters as zeros, which the presence p_t (n,) marks; a joint time step is
    masked where it is masked in all modalities.

    Args:
        dim: D, width of the joint tokens.
        slack: by how many tokens the lengths may differ.
        dropout: share of the joint tokens' values that is dropped while training.

    Call arguments:
        tokens: list of (B, T_i, D_i) float.
        masks: list of (B, T_i) bool.

    Returns:
        (B, T, D) float, T = max T_i, and the mask (B, T) bool.

    Raises:
        ValueError: lengths differ by more than `slack`, or are not known; or a size is below 1.

    Example:

    >>> tokens, masks = [np.ones((2, 3, 4)), np.ones((2, 2, 5))], [np.ones((2, 3), bool), np.zeros((2, 2), bool)]
    >>> [tuple(part.shape) for part in Aligned(dim=6)(tokens, masks)]
    [(2, 3, 6), (2, 3)]
    """

    supports_masking = True  # explicit masks are used instead of Keras' implicit ones

    def __init__(self, dim: int = 128, *, slack: int = 1, dropout: float = 0.0, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs)
        check_positive(self, dim=dim)
        self.dim, self.slack, self.dropout = dim, slack, dropout
        self.dense = keras.layers.Dense(dim, "relu", dtype=self.dtype_policy, name="dense")
        self.drop = keras.layers.Dropout(dropout, dtype=self.dtype_policy)

    def build(self, tokens_shape, masks_shape):
        self._check(tokens_shape)
        self.dense.build((None, None, sum(shape[-1] for shape in tokens_shape) + len(tokens_shape)))

    def _check(self, shapes):
        lengths = [shape[1] for shape in shapes]
        if None in lengths or max(lengths) - min(lengths) > self.slack:
            raise ValueError(
                "fusion.Aligned joins modalities time step by time step; their numbers of tokens may differ by "
                f"slack={self.slack}. Received: {lengths} tokens. Pool time so that tokens of all branches are equally "
                "far apart, give branches pool=None, and specs the same seconds."
            )

    def call(self, tokens, masks, training=None):
        size = max(part.shape[1] for part in tokens)
        # Pad as integers, because LiteRT cannot pad booleans.
        masks = [ops.pad(ops.cast(mask, "int32"), ((0, 0), (0, size - mask.shape[1]))) > 0 for mask in masks]
        parts = [self._filled(*pair) for pair in zip(tokens, masks, strict=True)]
        present = ops.cast(ops.stack(masks, axis=-1), parts[0].dtype)
        joint = self.dense(ops.concatenate([*parts, present], axis=-1))
        return self.drop(joint, training=training), ops.any(ops.stack(masks, axis=-1), axis=-1)

    def _filled(self, tokens, mask):
        tokens = ops.pad(tokens, ((0, 0), (0, mask.shape[1] - tokens.shape[1]), (0, 0)))
        return ops.where(ops.expand_dims(mask, -1), tokens, ops.zeros_like(tokens))

    def compute_mask(self, tokens, previous_mask=None):
        return None

    def compute_output_spec(self, tokens, masks, training=None):
        self._check([part.shape for part in tokens])
        shape = tokens[0].shape[0], max(part.shape[1] for part in tokens)
        return keras.KerasTensor((*shape, self.dim), self.compute_dtype), keras.KerasTensor(shape, "bool")

    def get_config(self):
        return super().get_config() | {"dim": self.dim, "slack": self.slack, "dropout": self.dropout}
