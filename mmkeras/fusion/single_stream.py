import itertools
from typing import Unpack

import keras
from keras import ops

from mmkeras.fusion._joint import joint_spec
from mmkeras.layers import AttentionBlock, LearnedTokens, ModalityTokens
from mmkeras.layers.attention_block import check_heads
from mmkeras.layers.options import LayerOptions


@keras.saving.register_keras_serializable("mmkeras")
class SingleStream(keras.layers.Layer):
    """Early fusion: the tokens of all modalities and a learned [CLS] token go through one transformer.

    Prefer it where any token may interact with any other, within and across modalities, and where there are few tokens:
    its cost grows with the square of their number. `Perceiver` and `Bottleneck` are cheaper.

    With x_i = W_i tokens_i + b_i + e_i and z = [cls; x_1; ...; x_n], one layer is z <- z + MultiHead(norm(z), norm(z)),
    z <- z + MLP(norm(z)); the result is norm(cls) after the last one. Positions come from the branches.

    Masking: masked tokens have no weight; if all tokens are masked, [CLS] attends to itself only.

    Args:
        dim: D, width of the tokens.
        num_heads: attention heads; they divide `dim`.
        num_layers: number of layers.
        dropout: in attention and MLP, while training.

    Call arguments:
        tokens: list of (B, T_i, D_i) float.
        masks: list of (B, T_i) bool.
        joint: return the joint tokens as well, see `mmkeras.fusion`.

    Returns:
        (B, D) float; with `joint`, that, and lists of (B, T_i, D) and of their masks (B, T_i), one for each modality.

    Raises:
        ValueError: `num_heads` do not divide `dim`, or a size is below 1.

    Source: VL-BERT, arXiv 1908.08530, and UNITER, arXiv 1909.11740, which normalise after each sublayer and start from
    BERT's weights; here normalisation comes first, for training from scratch.
    """

    keeps_tokens = True

    def __init__(
        self,
        dim: int = 128,
        *,
        num_heads: int = 4,
        num_layers: int = 2,
        dropout: float = 0.0,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        check_heads("fusion.SingleStream", dim, num_heads, num_layers=num_layers)
        self.dim = dim
        self.num_heads = num_heads
        self.num_layers = num_layers
        self.dropout = dropout
        policy = self.dtype_policy
        self.embed = ModalityTokens(dim, dtype=policy, name="embed")
        self.cls = LearnedTokens(1, dim=dim, dtype=policy, name="cls")
        self.blocks = [
            AttentionBlock(dim, num_heads=num_heads, dropout=dropout, dtype=policy, name=f"block_{i}")
            for i in range(num_layers)
        ]
        self.norm = keras.layers.LayerNormalization(dtype=policy, name="norm")

    def build(self, tokens_shape, masks_shape):
        self.embed.build(tokens_shape, masks_shape)
        self.cls.build(None)
        for block in self.blocks:
            block.build((None, None, self.dim))
        self.norm.build((None, self.dim))

    def call(self, tokens, masks, joint=False, training=None):
        cls = self.cls(tokens[0])
        z = ops.concatenate([cls, *self.embed(tokens, masks)], axis=1)
        mask = ops.concatenate([ops.ones_like(cls[:, :, 0], dtype="bool"), *masks], axis=1)
        for block in self.blocks:
            z = block(z, mask=mask, training=training)
        if not joint:
            return self.norm(z[:, 0])
        z, ends = self.norm(z), list(itertools.accumulate([1, *(ops.shape(x)[1] for x in tokens)]))
        return z[:, 0], [z[:, start:end] for start, end in itertools.pairwise(ends)], masks

    def compute_output_spec(self, tokens, masks, joint=False, training=None):
        vector = keras.KerasTensor((tokens[0].shape[0], self.dim), self.compute_dtype)
        return joint_spec(vector, [x.shape[1] for x in tokens], self.dim) if joint else vector

    def get_config(self):
        config = {"dim": self.dim, "num_heads": self.num_heads, "num_layers": self.num_layers, "dropout": self.dropout}
        return super().get_config() | config
