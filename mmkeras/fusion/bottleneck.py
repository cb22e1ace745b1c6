from typing import Unpack

import keras
from keras import ops

from mmkeras.fusion._joint import joint_spec
from mmkeras.layers import AttentionBlock, LearnedTokens, MaskedMean, ModalityTokens
from mmkeras.layers.attention_block import check_heads
from mmkeras.layers.options import LayerOptions


@keras.saving.register_keras_serializable("mmkeras")
class Bottleneck(keras.layers.Layer):
    """A transformer per modality; the modalities exchange information through a few shared bottleneck tokens.

    Prefer it where modalities have many tokens (audio and video), or where interactions between them are minor compared
    with what each contributes alone. Cost grows with the sum of T_i squared. Information needs three layers to pass to
    another modality and back.

    With z_i = [cls_i; W_i tokens_i + b_i + e_i] and learned bottleneck tokens f, one layer is
    [f_i; z_i] <- Block_i([f; z_i]) for each modality, then f <- mean of f_i over the modalities that are present; a
    block is z + MultiHead, then z + MLP, each of normalised tokens. The result is the mean of norm(cls_i) over them.

    Masking: masked tokens have no weight; an absent modality is excluded from both means. If all are absent, the result
    is zero.

    Args:
        dim: D, width of the tokens.
        num_heads: attention heads; they divide `dim`.
        num_bottlenecks: number of bottleneck tokens.
        num_layers: number of layers. Weights are not shared between layers or modalities.
        dropout: in attention and MLP, while training.

    Call arguments:
        tokens: list of (B, T_i, D_i) float.
        masks: list of (B, T_i) bool.
        joint: return the joint tokens as well, see `mmkeras.fusion`.

    Returns:
        (B, D) float; with `joint`, that, and lists of (B, T_i, D) and of their masks (B, T_i), one for each modality.

    Raises:
        ValueError: `num_heads` do not divide `dim`, or a size is below 1.

    Source: MBT, arXiv 2107.00135, fusion via bottlenecks, with its 4 bottlenecks; the branches correspond to its layers
    before fusion. It averages the logits of the modalities' [CLS] tokens, which for a linear head equals the logits of
    their mean.
    """

    keeps_tokens = True

    def __init__(
        self,
        dim: int = 128,
        *,
        num_heads: int = 4,
        num_bottlenecks: int = 4,
        num_layers: int = 3,
        dropout: float = 0.0,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        check_heads("fusion.Bottleneck", dim, num_heads, num_bottlenecks=num_bottlenecks, num_layers=num_layers)
        self.dim = dim
        self.num_heads = num_heads
        self.num_bottlenecks = num_bottlenecks
        self.num_layers = num_layers
        self.dropout = dropout
        policy = self.dtype_policy
        self.embed = ModalityTokens(dim, dtype=policy, name="embed")
        self.shared = LearnedTokens(num_bottlenecks, dim=dim, dtype=policy, name="shared")
        self.norm = keras.layers.LayerNormalization(dtype=policy, name="norm")
        self.mean = MaskedMean(dtype=policy)

    def build(self, tokens_shape, masks_shape):
        n = len(tokens_shape)
        self.embed.build(tokens_shape, masks_shape)
        self.shared.build(None)
        self.cls = LearnedTokens(n, dim=self.dim, dtype=self.dtype_policy, name="cls")
        self.cls.build(None)
        self.blocks = []
        for name in (f"block_{layer}_{i}" for layer in range(self.num_layers) for i in range(n)):
            self.blocks.append(
                AttentionBlock(
                    self.dim, num_heads=self.num_heads, dropout=self.dropout, dtype=self.dtype_policy, name=name
                )
            )
            self.blocks[-1].build((None, None, self.dim))
        self.norm.build((None, n, self.dim))

    def call(self, tokens, masks, joint=False, training=None):
        n, shared, cls = len(tokens), self.shared(tokens[0]), self.cls(tokens[0])
        z = [ops.concatenate([cls[:, i : i + 1], x], axis=1) for i, x in enumerate(self.embed(tokens, masks))]
        always = ops.ones_like(ops.concatenate([shared, cls[:, :1]], axis=1)[:, :, 0], dtype="bool")
        seen = [ops.concatenate([always, mask], axis=1) for mask in masks]
        present = ops.stack([ops.any(mask, axis=1) for mask in masks], axis=-1)
        for start in range(0, self.num_layers * n, n):
            both = [ops.concatenate([shared, stream], axis=1) for stream in z]
            blocks = zip(self.blocks[start : start + n], both, seen, strict=True)
            both = [block(stream, mask=mask, training=training) for block, stream, mask in blocks]
            z = [stream[:, self.num_bottlenecks :] for stream in both]
            shared = self._exchange([stream[:, : self.num_bottlenecks] for stream in both], present)
        vector = self.mean(self.norm(ops.concatenate([stream[:, :1] for stream in z], axis=1)), present)
        return (vector, [self.norm(stream[:, 1:]) for stream in z], masks) if joint else vector

    def _exchange(self, views, present):
        """Mean of the bottleneck tokens over the present modalities, (B, bottlenecks, dim)."""
        flat = ops.concatenate([ops.reshape(view, (-1, 1, self.num_bottlenecks * self.dim)) for view in views], axis=1)
        return ops.reshape(self.mean(flat, present), (-1, self.num_bottlenecks, self.dim))

    def compute_output_spec(self, tokens, masks, joint=False, training=None):
        vector = keras.KerasTensor((tokens[0].shape[0], self.dim), self.compute_dtype)
        return joint_spec(vector, [x.shape[1] for x in tokens], self.dim) if joint else vector

    def get_config(self):
        config = {
            "dim": self.dim,
            "num_heads": self.num_heads,
            "num_bottlenecks": self.num_bottlenecks,
            "num_layers": self.num_layers,
        }
        return super().get_config() | config | {"dropout": self.dropout}
