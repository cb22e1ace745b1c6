from typing import Unpack

import keras
from keras import ops

from mmkeras.fusion._joint import joint_spec, where_any
from mmkeras.layers import AttentionBlock, LearnedTokens, ModalityTokens
from mmkeras.layers.attention_block import check_heads
from mmkeras.layers.options import LayerOptions


@keras.saving.register_keras_serializable("mmkeras")
class Perceiver(keras.layers.Layer):
    """A few learned latents attend to all tokens, then to each other, repeatedly.

    Prefer it where there are thousands of tokens: cost grows with num_latents * tokens. It is `Attention` with
    self-attention among the queries; `Attention` is smaller and suffices where the queries need not exchange
    information.

    With X = [x_1 + e_1; ...; x_n + e_n], x_i = W_i tokens_i + b_i, and latents z, one reading is z <- z +
    MultiHead(norm(z), norm(X)), z <- z + MLP(norm(z)), then `num_layers` times self-attention, z <- z +
    MultiHead(norm(z), norm(z)), z <- z + MLP(norm(z)). The result is the mean of norm(z) over the latents.

    Masking: masked tokens have no weight; if all tokens are masked, the latents attend to nothing.

    Args:
        dim: D, width of a latent.
        num_heads: attention heads; they divide `dim`.
        num_latents: number of latents.
        num_readings: number of times that the latents attend to the tokens.
        num_layers: self-attention blocks after each reading.
        share: whether all readings but the first one share their weights; the first one always has its own.
        dropout: in attention and MLP, while training.

    Call arguments:
        tokens: list of (B, T_i, D_i) float.
        masks: list of (B, T_i) bool.
        joint: return the joint tokens as well, see `mmkeras.fusion`.

    Returns:
        (B, D) float; with `joint`, that, and lists of the latents, (B, num_latents, D), and of their mask.

    Raises:
        ValueError: `num_heads` do not divide `dim`, or a size is below 1.

    Source: Perceiver, arXiv 2103.03206, where the first reading keeps its own weights as well. There, positions are
    Fourier features and the cross-attention has one head; here, positions come from the branches and all attention has
    `num_heads` heads.
    """

    def __init__(
        self,
        dim: int = 128,
        *,
        num_heads: int = 4,
        num_latents: int = 16,
        num_readings: int = 2,
        num_layers: int = 1,
        share: bool = True,
        dropout: float = 0.0,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        check_heads("fusion.Perceiver", dim, num_heads, num_latents=num_latents, num_readings=num_readings)
        self.dim = dim
        self.num_heads = num_heads
        self.num_latents = num_latents
        self.num_readings = num_readings
        self.num_layers = num_layers
        self.share = share
        self.dropout = dropout
        policy = self.dtype_policy
        self.embed = ModalityTokens(dim, dtype=policy, name="embed")
        self.latent = LearnedTokens(num_latents, dim=dim, dtype=policy, name="latent")
        readings, towers = (min(num_readings, 2), 1) if share else (num_readings, num_readings)
        self.reads = [self._block(f"read_{i}", norm_x=True) for i in range(readings)]
        self.thinks = [self._block(f"think_{i}_{k}", norm_x=False) for i in range(towers) for k in range(num_layers)]
        self.norm = keras.layers.LayerNormalization(dtype=policy, name="norm")

    def _block(self, name, norm_x):
        return AttentionBlock(
            self.dim, num_heads=self.num_heads, dropout=self.dropout, norm_x=norm_x, dtype=self.dtype_policy, name=name
        )

    def build(self, tokens_shape, masks_shape):
        self.embed.build(tokens_shape, masks_shape)
        self.latent.build(None)
        shape = (None, self.num_latents, self.dim)
        for block in self.reads:
            block.build(shape, (None, None, self.dim))
        for block in self.thinks:
            block.build(shape)
        self.norm.build(shape)

    def call(self, tokens, masks, joint=False, training=None):
        x = ops.concatenate(self.embed(tokens, masks), axis=1)
        mask = ops.concatenate(masks, axis=1)
        z = self.latent(x)
        for i in range(self.num_readings):
            z = self.reads[min(i, len(self.reads) - 1)](z, x, mask, training=training)
            tower = 0 if self.share else i * self.num_layers
            for block in self.thinks[tower : tower + self.num_layers]:
                z = block(z, training=training)
        z = self.norm(z)
        vector = ops.mean(z, axis=1)
        return (vector, [z], [where_any(masks, z)]) if joint else vector

    def compute_output_spec(self, tokens, masks, joint=False, training=None):
        vector = keras.KerasTensor((tokens[0].shape[0], self.dim), self.compute_dtype)
        return joint_spec(vector, [self.num_latents], self.dim) if joint else vector

    def get_config(self):
        config = {
            "dim": self.dim,
            "num_heads": self.num_heads,
            "num_latents": self.num_latents,
            "num_readings": self.num_readings,
        }
        return (
            super().get_config()
            | config
            | {"num_layers": self.num_layers, "share": self.share, "dropout": self.dropout}
        )
