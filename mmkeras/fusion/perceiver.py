import keras
from keras import ops

from mmkeras.layers import AttentionBlock, LearnedTokens, ModalityTokens
from mmkeras.layers.attention_block import check_heads


@keras.saving.register_keras_serializable("mmkeras")
class Perceiver(keras.layers.Layer):
    """A few learned latents read all tokens, talk among themselves, and read again.

    Prefer it where tokens are thousands: cost grows with latents * tokens. It is `Attention` with latents that exchange
    what they read; that one is smaller where each query can find its answer alone.

    With X = [x_1 + e_1; ...; x_n + e_n], x_i = W_i tokens_i + b_i, and latents z, one repeat is
    z <- z + MultiHead(norm(z), norm(X)), z <- z + MLP(norm(z)), then `depth` times self-attention,
    z <- z + MultiHead(norm(z), norm(z)), z <- z + MLP(norm(z)). The result is the mean of norm(z) over the latents.

    Masking: masked tokens have no weight; without any token the latents read nothing.

    Args:
        dim: D, width of a latent.
        heads: attention heads; they divide `dim`.
        latents: how many.
        repeats: how often the tokens are read.
        depth: self-attention blocks after each reading.
        share: the repeats share their weights, but for the first reading, which has its own; False for weights of
            their own in every repeat.
        dropout: in attention and MLP, while training.

    Call arguments:
        tokens: list of (B, T_i, D_i) float.
        masks: list of (B, T_i) bool.

    Returns:
        (B, D) float.

    Raises:
        ValueError: `heads` do not divide `dim`, or a size is below 1.

    Source: Perceiver, arXiv 2103.03206, where the first reading keeps its own weights as well. There
    positions enter as Fourier features and reading has one head; here positions are the branches' and heads are equal.
    """

    def __init__(self, dim=128, heads=4, latents=16, repeats=2, depth=1, share=True, dropout=0.0, **kwargs):
        super().__init__(**kwargs)
        check_heads("fusion.Perceiver", dim, heads, latents=latents, repeats=repeats)
        self.dim = dim
        self.heads = heads
        self.latents = latents
        self.repeats = repeats
        self.depth = depth
        self.share = share
        self.dropout = dropout
        policy = self.dtype_policy
        self.embed = ModalityTokens(dim, dtype=policy, name="embed")
        self.latent = LearnedTokens(latents, dim, dtype=policy, name="latent")
        readings, towers = (min(repeats, 2), 1) if share else (repeats, repeats)
        self.reads = [self._block(f"read_{i}", norm_x=True) for i in range(readings)]
        self.thinks = [self._block(f"think_{i}_{k}", norm_x=False) for i in range(towers) for k in range(depth)]
        self.norm = keras.layers.LayerNormalization(dtype=policy, name="norm")

    def _block(self, name, norm_x):
        return AttentionBlock(self.dim, self.heads, self.dropout, norm_x, dtype=self.dtype_policy, name=name)

    def build(self, tokens_shape, masks_shape):
        self.embed.build(tokens_shape, masks_shape)
        self.latent.build(None)
        latents = (None, self.latents, self.dim)
        for block in self.reads:
            block.build(latents, (None, None, self.dim))
        for block in self.thinks:
            block.build(latents)
        self.norm.build(latents)

    def call(self, tokens, masks, training=None):
        x = ops.concatenate(self.embed(tokens, masks), axis=1)
        mask = ops.concatenate(masks, axis=1)
        z = self.latent(x)
        for i in range(self.repeats):
            z = self.reads[min(i, len(self.reads) - 1)](z, x, mask, training=training)
            tower = 0 if self.share else i * self.depth
            for block in self.thinks[tower : tower + self.depth]:
                z = block(z, training=training)
        return ops.mean(self.norm(z), axis=1)

    def compute_output_spec(self, tokens, masks, training=None):
        return keras.KerasTensor((tokens[0].shape[0], self.dim), self.compute_dtype)

    def get_config(self):
        config = {"dim": self.dim, "heads": self.heads, "latents": self.latents, "repeats": self.repeats}
        return super().get_config() | config | {"depth": self.depth, "share": self.share, "dropout": self.dropout}
