from typing import Unpack

import keras
from keras import ops

from mmkeras.fusion._joint import joint_spec, where_any
from mmkeras.layers import AttentionBlock, LearnedTokens, ModalityTokens
from mmkeras.layers.attention_block import check_heads
from mmkeras.layers.options import LayerOptions


@keras.saving.register_keras_serializable("mmkeras")
class Attention(keras.layers.Layer):
    """Learned queries attend over the tokens of all modalities, `num_layers` times.

    Prefer it where the answer depends on single words, regions or time steps, and where one modality determines what to
    look for in another. Cost grows with queries * tokens, not tokens squared.

    With X = [x_1 + e_1; ...; x_n + e_n], where x_i = W_i tokens_i + b_i and e_i is the embedding of modality i, one
    step is Q <- Q + MultiHead(norm(Q), X), Q <- Q + MLP(norm(Q)); the result is norm(Q), its rows concatenated.

    Masking: masked tokens have no weight; if all tokens are masked, the queries attend to nothing.

    Args:
        dim: width of one query; D = queries * dim.
        num_heads: attention heads; they divide `dim`.
        num_queries: number of learned queries.
        num_layers: number of attention steps. Weights are not shared between them.
        dropout: in attention and MLP, while training.

    Call arguments:
        tokens: list of (B, T_i, D_i) float.
        masks: list of (B, T_i) bool.
        joint: return the joint tokens as well, see `mmkeras.fusion`.

    Returns:
        (B, D) float; with `joint`, that, and lists of the queries, (B, num_queries, dim), and of their mask.

    Raises:
        ValueError: `num_heads` do not divide `dim`, or a size is below 1.

    Source: Set Transformer's pooling by multihead attention, arXiv 1810.00825, eq. 11; the repeated attention is that
    of Perceiver, arXiv 2103.03206, without its self-attention among the queries.
    """

    def __init__(
        self,
        dim: int = 128,
        *,
        num_heads: int = 4,
        num_queries: int = 2,
        num_layers: int = 2,
        dropout: float = 0.0,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        check_heads("fusion.Attention", dim, num_heads, num_queries=num_queries, num_layers=num_layers)
        self.dim = dim
        self.num_heads = num_heads
        self.num_queries = num_queries
        self.num_layers = num_layers
        self.dropout = dropout
        policy = self.dtype_policy
        self.embed = ModalityTokens(dim, dtype=policy, name="embed")
        self.query = LearnedTokens(num_queries, dim=dim, dtype=policy, name="query")
        self.steps = [
            AttentionBlock(dim, num_heads=num_heads, dropout=dropout, dtype=policy, name=f"step_{i}")
            for i in range(num_layers)
        ]
        self.norm = keras.layers.LayerNormalization(dtype=policy, name="norm")

    def build(self, tokens_shape, masks_shape):
        self.embed.build(tokens_shape, masks_shape)
        self.query.build(None)
        for step in self.steps:
            step.build((None, self.num_queries, self.dim), (None, None, self.dim))
        self.norm.build((None, self.num_queries, self.dim))

    def call(self, tokens, masks, joint=False, training=None):
        x = ops.concatenate(self.embed(tokens, masks), axis=1)
        mask = ops.concatenate(masks, axis=1)
        q = self.query(x)
        for step in self.steps:
            q = step(q, x, mask, training=training)
        q = self.norm(q)
        vector = ops.reshape(q, (-1, self.num_queries * self.dim))
        return (vector, [q], [where_any(masks, q)]) if joint else vector

    def compute_output_spec(self, tokens, masks, joint=False, training=None):
        vector = keras.KerasTensor((tokens[0].shape[0], self.num_queries * self.dim), self.compute_dtype)
        return joint_spec(vector, [self.num_queries], self.dim) if joint else vector

    def get_config(self):
        config = {
            "dim": self.dim,
            "num_heads": self.num_heads,
            "num_queries": self.num_queries,
            "num_layers": self.num_layers,
        }
        return super().get_config() | config | {"dropout": self.dropout}
