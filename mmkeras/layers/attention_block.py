from typing import Unpack

import keras
from keras import ops

from mmkeras.layers.options import LayerOptions


def check_heads(owner, dim, num_heads, **sizes):
    """Raises ValueError if the number of heads does not divide the width, or another size is below 1."""
    if num_heads < 1 or dim % num_heads:
        raise ValueError(f"num_heads must divide dim in {owner}. Received: dim={dim}, num_heads={num_heads}.")
    for name, size in sizes.items():
        if not isinstance(size, int) or size < 1:
            raise ValueError(f"{name} must be a whole number above 0 in {owner}. Received: {name}={size!r}.")


@keras.saving.register_keras_serializable("mmkeras")
class AttentionBlock(keras.layers.Layer):
    """A pre-norm Transformer block with self-attention or cross-attention.

    With queries q and keys and values x: q <- q + MultiHead(norm(q), x), then q <- q + MLP(norm(q)). Without x it is
    self-attention, q <- q + MultiHead(norm(q), norm(q)).

    Masking: masked tokens have no weight; in a row whose tokens are all masked, the term of MultiHead is zero.

    Args:
        dim: D, width of the queries.
        num_heads: attention heads; they divide `dim`.
        dropout: in attention and MLP, while training.
        norm_x: normalise x as well, with separate weights. Use it where x comes from other blocks, whose residual sums
            grow from block to block.

    Call arguments:
        q: (B, Q, D) float.
        x: (B, T, any width) float, or None for q itself.
        mask: of x (B, T), or of q (B, Q) where x is None, bool; None if all tokens are real.

    Returns:
        (B, Q, D) float.

    Raises:
        ValueError: `num_heads` do not divide `dim`.

    Source: Vaswani et al., arXiv 1706.03762, with the normalisation before each sublayer, as in arXiv 2002.04745.
    """

    supports_masking = True  # explicit masks are used instead of Keras' implicit ones

    def __init__(
        self,
        dim: int = 128,
        *,
        num_heads: int = 4,
        dropout: float = 0.0,
        norm_x: bool = False,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        check_heads(f"AttentionBlock '{self.name}'", dim, num_heads)
        self.dim = dim
        self.num_heads = num_heads
        self.dropout = dropout
        policy = self.dtype_policy
        self.norm_read = keras.layers.LayerNormalization(dtype=policy, name="norm_read")
        self.norm_x = keras.layers.LayerNormalization(dtype=policy, name="norm_x") if norm_x else None
        self.read = keras.layers.MultiHeadAttention(
            num_heads, dim // num_heads, dropout=dropout, dtype=policy, name="read"
        )
        self.norm_think = keras.layers.LayerNormalization(dtype=policy, name="norm_think")
        self.widen = keras.layers.Dense(2 * dim, "gelu", dtype=policy, name="widen")
        self.narrow = keras.layers.Dense(dim, dtype=policy, name="narrow")
        self.drop = keras.layers.Dropout(dropout, dtype=policy)

    def build(self, q_shape, x_shape=None, mask_shape=None):
        self.norm_read.build(q_shape)
        if self.norm_x and x_shape:
            self.norm_x.build(x_shape)
        self.read.build(q_shape, x_shape or q_shape)
        self.norm_think.build(q_shape)
        self.widen.build(q_shape)
        self.narrow.build((*q_shape[:-1], self.widen.units))

    def call(self, q, x=None, mask=None, training=None):
        asking = self.norm_read(q)
        if x is None:
            x = asking
        elif self.norm_x:
            x = self.norm_x(x)
        q = q + self._read(asking, x, mask, training)
        return q + self.drop(self.narrow(self.widen(self.norm_think(q))), training=training)

    def _read(self, asking, x, mask, training):
        if mask is None:
            return self.read(asking, x, training=training)
        there = ops.expand_dims(mask, 1)
        seen = self.read(asking, x, attention_mask=there, training=training)
        return ops.where(ops.any(there, axis=-1, keepdims=True), seen, ops.zeros_like(seen))

    def compute_mask(self, q, previous_mask=None):
        return None

    def compute_output_spec(self, q, x=None, mask=None, training=None):
        return keras.KerasTensor(q.shape, self.compute_dtype)

    def get_config(self):
        config = {
            "dim": self.dim,
            "num_heads": self.num_heads,
            "dropout": self.dropout,
            "norm_x": self.norm_x is not None,
        }
        return super().get_config() | config
