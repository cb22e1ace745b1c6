from typing import Unpack

import keras
from keras import ops

from mmkeras.fusion._joint import joint_spec
from mmkeras.fusion._vectors import check_positive, project
from mmkeras.layers import MaskedMean
from mmkeras.layers.options import LayerOptions


@keras.saving.register_keras_serializable("mmkeras")
class FiLM(keras.layers.Layer):
    """Serial fusion: each modality modulates the features of the next one by a learned scale and shift.

    Prefer it where one modality determines what to look for in the next: the question first, then the picture. The
    order of the specs is the order of conditioning; prefer a parallel fusion where no modality takes precedence.

    With c_0 = 0 and tokens x_it of modality i, one step is

        [d_i; e_i] = V_i c_(i-1) + v_i,  y_it = relu((1 + d_i) * (W_i x_it + b_i) + e_i),  c_i = max_t y_it,

    and the result is c_n. The first modality is not modulated, and at initialisation (V_i = v_i = 0) none is.

    Masking: masked tokens are not pooled. A modality that is preceded by absent ones only is not modulated. An absent
    modality passes on its condition, c_i = c_(i-1). If all are absent, c_n is zero.

    Args:
        dim: D, width of tokens and conditions.
        pool: how the modulated tokens are reduced to one: "max", as in the paper, detects whether a feature occurs;
            "mean" measures how much of it there is.
        dropout: share of the result dropped while training.

    Call arguments:
        tokens: list of (B, T_i, D_i) float, the conditioning modality first.
        masks: list of (B, T_i) bool.
        joint: return the joint tokens as well, see `mmkeras.fusion`.

    Returns:
        (B, D) float; with `joint`, that, and lists of all y_i, (B, T_i, D), and of their masks (B, T_i).

    Raises:
        ValueError: `pool` is unknown, or `dim` is not a whole number above 0.

    Example:

    >>> tokens, nothing = [np.ones((1, 3, 4)), np.ones((1, 1, 5))], np.zeros((1, 3), bool)
    >>> layer = FiLM(dim=2)
    >>> alone = layer(tokens, [nothing, np.ones((1, 1), bool)])
    >>> bool(np.all(alone == layer(tokens, [~nothing, np.ones((1, 1), bool)])))  # the start: nothing is modulated
    True

    Source: FiLM, arXiv 1709.07871, eq. 2, with gamma = 1 + d as in its section on the model. There, four residual
    blocks of an image network are modulated; here it is one linear layer per token, in a chain through all modalities.
    """

    def __init__(
        self, dim: int = 128, *, pool: str = "max", dropout: float = 0.0, **kwargs: Unpack[LayerOptions]
    ) -> None:
        super().__init__(**kwargs)
        check_positive(self, dim=dim)
        if pool not in ("max", "mean"):
            raise ValueError(f"pool of fusion.FiLM must be one of ['max', 'mean']. Received: {pool!r}.")
        self.dim = dim
        self.pool = pool
        self.dropout = dropout
        self.mean = MaskedMean(dtype=self.dtype_policy)
        self.drop = keras.layers.Dropout(dropout, dtype=self.dtype_policy)

    def build(self, tokens_shape, masks_shape):
        self.project = project(tokens_shape, self.dim, dtype=self.dtype_policy)
        conditions = [(None, None, self.dim)] * (len(tokens_shape) - 1)
        policy = self.dtype_policy
        self.scale = project(conditions, self.dim, "scale", kernel_initializer="zeros", dtype=policy)
        self.shift = project(conditions, self.dim, "shift", kernel_initializer="zeros", dtype=policy)

    def call(self, tokens, masks, joint=False, training=None):
        condition, known, streams = None, None, []
        for i, (dense, modality, mask) in enumerate(zip(self.project, tokens, masks, strict=True)):
            here = ops.any(mask, axis=1, keepdims=True)
            modality = ops.where(ops.expand_dims(mask, -1), modality, ops.zeros_like(modality))
            x = dense(modality) if i == 0 else self._modulate(dense(modality), condition, known, i - 1)
            streams.append(ops.relu(x))
            pooled = self._pool(streams[-1], mask)
            condition = pooled if i == 0 else ops.where(here, pooled, condition)
            known = here if i == 0 else ops.logical_or(known, here)
        vector = self.drop(condition, training=training)
        return (vector, streams, masks) if joint else vector

    def _modulate(self, x, condition, known, i):
        """Modulates tokens (B, T, D) by a condition (B, D) in the rows that have one (B, 1)."""
        scale, shift = (
            ops.expand_dims(ops.where(known, dense(condition), 0.0), 1) for dense in (self.scale[i], self.shift[i])
        )
        return (1.0 + scale) * x + shift

    def _pool(self, x, mask):
        if self.pool == "mean":
            return self.mean(x, mask)
        # ReLU outputs are never negative, so masked tokens set to zero never exceed the maximum.
        return ops.max(ops.where(ops.expand_dims(mask, -1), x, ops.zeros_like(x)), axis=1)

    def compute_output_spec(self, tokens, masks, joint=False, training=None):
        vector = keras.KerasTensor((tokens[0].shape[0], self.dim), self.compute_dtype)
        return joint_spec(vector, [x.shape[1] for x in tokens], self.dim) if joint else vector

    def get_config(self):
        return super().get_config() | {"dim": self.dim, "pool": self.pool, "dropout": self.dropout}
