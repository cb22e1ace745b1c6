import keras
from keras import ops


@keras.saving.register_keras_serializable("mmkeras")
class Attention(keras.layers.Layer):
    """Learned queries attend over all modalities' tokens, `depth` times; from the second time on they know what to ask.

    Prefer it where the answer lies in single words, regions or moments, and where one modality says what to look for
    in another. Cost grows with queries * tokens, not tokens squared.

    With X = [x_1 + e_1; ...; x_n + e_n], where x_i = W_i tokens_i + b_i and e_i is the embedding of modality i, one
    step is Q <- Q + MultiHead(norm(Q), X), Q <- Q + MLP(norm(Q)); the result is norm(Q), its rows side by side.

    Masking: masked tokens have no weight; without any token the queries read nothing.

    Args:
        dim: width of one query; D = queries * dim.
        heads: attention heads; they divide `dim`.
        queries: number of learned queries.
        depth: how often they attend. The steps have weights of their own.
        dropout: in attention and MLP, while training.

    Call arguments:
        tokens: list of (B, T_i, D_i) float.
        masks: list of (B, T_i) bool.

    Returns:
        (B, D) float.

    Source: Set Transformer's pooling by multihead attention, arXiv 1810.00825, eq. 11; the repeated reading is that
    of Perceiver, arXiv 2103.03206, without its self-attention among the queries.
    """

    def __init__(self, dim=128, heads=4, queries=2, depth=2, dropout=0.0, **kwargs):
        super().__init__(**kwargs)
        if dim % heads:
            raise ValueError(f"heads must divide dim in fusion.Attention. Received: dim={dim}, heads={heads}.")
        self.dim = dim
        self.heads = heads
        self.queries = queries
        self.depth = depth
        self.dropout = dropout
        self.steps = [_Step(dim, heads, dropout, dtype=self.dtype_policy, name=f"step_{i}") for i in range(depth)]
        self.norm = keras.layers.LayerNormalization(dtype=self.dtype_policy, name="norm")

    def build(self, tokens_shape, masks_shape):
        self.query = self.add_weight(name="query", shape=(self.queries, self.dim), initializer="glorot_uniform")
        kinds = (len(tokens_shape), self.dim)
        self.kind = self.add_weight(name="kind", shape=kinds, initializer="random_normal")
        self.project = []
        for i, shape in enumerate(tokens_shape):
            dense = keras.layers.Dense(self.dim, dtype=self.dtype_policy, name=f"project_{i}")
            dense.build((None, None, shape[-1]))
            self.project.append(dense)
        for step in self.steps:
            step.build((None, self.queries, self.dim), (None, None, self.dim))
        self.norm.build((None, self.queries, self.dim))

    def call(self, tokens, masks, training=None):
        every = zip(self.project, tokens, range(len(tokens)), strict=True)
        x = ops.concatenate([dense(modality) + self.kind[i] for dense, modality, i in every], axis=1)
        mask = ops.concatenate(masks, axis=1)
        q = ops.broadcast_to(ops.expand_dims(self.query, 0), (ops.shape(x)[0], self.queries, self.dim))
        q = ops.cast(q, self.compute_dtype)
        for step in self.steps:
            q = step(q, x, mask, training=training)
        return ops.reshape(self.norm(q), (-1, self.queries * self.dim))

    def compute_output_spec(self, tokens, masks, training=None):
        return keras.KerasTensor((tokens[0].shape[0], self.queries * self.dim), self.compute_dtype)

    def get_config(self):
        config = {"dim": self.dim, "heads": self.heads, "queries": self.queries, "depth": self.depth}
        return super().get_config() | config | {"dropout": self.dropout}


class _Step(keras.layers.Layer):
    """Queries (B, Q, D) read tokens (B, T, D) under a mask (B, T)."""

    def __init__(self, dim, heads, dropout, **kwargs):
        super().__init__(**kwargs)
        policy = self.dtype_policy
        self.norm_read = keras.layers.LayerNormalization(dtype=policy, name="norm_read")
        self.read = keras.layers.MultiHeadAttention(heads, dim // heads, dropout=dropout, dtype=policy, name="read")
        self.norm_think = keras.layers.LayerNormalization(dtype=policy, name="norm_think")
        self.widen = keras.layers.Dense(2 * dim, "gelu", dtype=policy, name="widen")
        self.narrow = keras.layers.Dense(dim, dtype=policy, name="narrow")
        self.drop = keras.layers.Dropout(dropout, dtype=policy)

    def build(self, q_shape, x_shape, mask_shape=None):
        self.norm_read.build(q_shape)
        self.read.build(q_shape, x_shape)
        self.norm_think.build(q_shape)
        self.widen.build(q_shape)
        self.narrow.build((*q_shape[:-1], self.widen.units))

    def call(self, q, x, mask, training=None):
        there = ops.expand_dims(mask, 1)
        seen = self.read(self.norm_read(q), x, attention_mask=there, training=training)
        q = q + ops.where(ops.any(there, axis=-1, keepdims=True), seen, ops.zeros_like(seen))
        return q + self.drop(self.narrow(self.widen(self.norm_think(q))), training=training)
