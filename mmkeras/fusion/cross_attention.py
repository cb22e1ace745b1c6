from typing import Unpack

import keras
from keras import ops

from mmkeras.fusion._joint import joint_spec
from mmkeras.layers import AttentionBlock, LearnedTokens, MaskedMean, ModalityTokens
from mmkeras.layers.attention_block import check_heads
from mmkeras.layers.options import LayerOptions


@keras.saving.register_keras_serializable("mmkeras")
class CrossAttention(keras.layers.Layer):
    """Serial fusion: the tokens of the first modality attend to the second one, the result to the third one, and so on.

    Prefer it where one modality is a query about the others (a question about a picture, a command in a scene): put it
    first in the specs. Cost grows with T_1 * T_i, not with the square of all tokens; the tokens of the other modalities
    do not attend to each other.

    With x_i = W_i tokens_i + b_i + e_i and q = x_1, for i = 2 ... n: q <- q + MultiHead(norm(q), x_i), then
    q <- q + MLP(norm(q)). This is repeated `num_layers` times; the result is the mean of norm(q) over its real tokens.

    Masking: masked tokens have no weight. The step of an absent modality is skipped. If the first modality is absent, a
    learned token replaces it.

    Args:
        dim: D, width of the tokens.
        num_heads: attention heads; they divide `dim`.
        num_layers: number of passes over the other modalities. Weights are not shared between steps.
        dropout: in attention and MLP, while training.

    Call arguments:
        tokens: list of (B, T_i, D_i) float, two or more.
        masks: list of (B, T_i) bool.
        joint: return the joint tokens as well, see `mmkeras.fusion`.

    Returns:
        (B, D) float; with `joint`, that, and lists of the tokens of the first modality, (B, T_1, D), and of their mask.

    Raises:
        ValueError: there is one modality only, or `num_heads` do not divide `dim`, or a size is below 1.

    Source: the encoder-decoder attention of Vaswani et al., arXiv 1706.03762, section 3.2.3, between modalities as in
    MulT, arXiv 1906.00295. MulT has a transformer for each ordered pair of modalities; here only the first one attends
    to the others, and the result of each step is the query of the next.
    """

    def __init__(
        self,
        dim: int = 128,
        *,
        num_heads: int = 4,
        num_layers: int = 1,
        dropout: float = 0.0,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        check_heads("fusion.CrossAttention", dim, num_heads, num_layers=num_layers)
        self.dim = dim
        self.num_heads = num_heads
        self.num_layers = num_layers
        self.dropout = dropout
        policy = self.dtype_policy
        self.embed = ModalityTokens(dim, dtype=policy, name="embed")
        self.stand_in = LearnedTokens(1, dim=dim, dtype=policy, name="stand_in")
        self.norm = keras.layers.LayerNormalization(dtype=policy, name="norm")
        self.mean = MaskedMean(dtype=policy)

    def build(self, tokens_shape, masks_shape):
        others = len(tokens_shape) - 1
        if others < 1:
            raise ValueError(
                "CrossAttention needs two modalities or more: the first one attends to the others. Received: 1 "
                "modality. Use fusion.Attention or fusion.SingleStream for the tokens of one."
            )
        self.embed.build(tokens_shape, masks_shape)
        self.stand_in.build(None)
        width = (None, None, self.dim)
        self.steps = []
        for i in range(self.num_layers * others):
            name = f"step_{i // others}_{i % others + 1}"
            self.steps.append(
                AttentionBlock(
                    self.dim, num_heads=self.num_heads, dropout=self.dropout, dtype=self.dtype_policy, name=name
                )
            )
            self.steps[-1].build(width, width)
        self.norm.build(width)

    def call(self, tokens, masks, joint=False, training=None):
        q, *others = self.embed(tokens, masks)
        here = ops.any(masks[0], axis=1, keepdims=True)
        # If the first modality is absent, all positions hold the same learned token and stay equal: so does the mean.
        q = ops.where(ops.expand_dims(here, -1), q, self.stand_in(q))
        for i, step in enumerate(self.steps):
            x, mask = others[i % len(others)], masks[1 + i % len(others)]
            there = ops.expand_dims(ops.any(mask, axis=1, keepdims=True), -1)
            q = ops.where(there, step(q, x, mask, training=training), q)
        q, mask = self.norm(q), ops.logical_or(masks[0], ops.logical_not(here))
        vector = self.mean(q, mask)
        return (vector, [q], [mask]) if joint else vector

    def compute_output_spec(self, tokens, masks, joint=False, training=None):
        vector = keras.KerasTensor((tokens[0].shape[0], self.dim), self.compute_dtype)
        return joint_spec(vector, [tokens[0].shape[1]], self.dim) if joint else vector

    def get_config(self):
        config = {"dim": self.dim, "num_heads": self.num_heads, "num_layers": self.num_layers, "dropout": self.dropout}
        return super().get_config() | config
