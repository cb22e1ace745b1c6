from typing import Unpack

import keras
from keras import ops

from mmkeras.fusion._joint import joint_spec
from mmkeras.layers import AttentionBlock, MaskedMean, ModalityTokens
from mmkeras.layers.attention_block import check_heads
from mmkeras.layers.options import LayerOptions


@keras.saving.register_keras_serializable("mmkeras")
class CoAttention(keras.layers.Layer):
    """One stream per modality; in each layer a stream attends to the tokens of all the others, then to its own.

    Prefer it where each modality is to be interpreted in the light of the others, and where they are too different to
    share weights. `SingleStream` is similar, with 1 / 2n of the block weights.

    With x_i = W_i tokens_i + b_i + e_i, one layer is, for all modalities i at once, x_i <- Block(x_i, [x_j; j != i]),
    cross-attention to the others, and x_i <- Block(x_i), self-attention; a block is x + MultiHead, then x + MLP, each
    of normalised tokens. The result is the concatenation of the means of norm(x_i) over the real tokens.

    Masking: masked tokens have no weight, so no stream attends to an absent modality; its part of the result is zeros.

    Args:
        dim: width of the tokens; D = n * dim.
        num_heads: attention heads; they divide `dim`.
        num_layers: number of layers. Weights are not shared between layers or streams.
        dropout: in attention and MLP, while training.

    Call arguments:
        tokens: list of (B, T_i, D_i) float, two or more.
        masks: list of (B, T_i) bool.
        joint: return the joint tokens as well, see `mmkeras.fusion`.

    Returns:
        (B, D) float; with `joint`, that, and lists of (B, T_i, dim) and of their masks (B, T_i), one for each modality.

    Raises:
        ValueError: there is one modality only, or `num_heads` do not divide `dim`, or a size is below 1.

    Source: ViLBERT, arXiv 1908.02265, figure 2b: co-attention, then self-attention. It has two streams, normalises
    after each sublayer, and multiplies the [CLS] tokens of both, which would be zero for an absent modality.
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
        check_heads("fusion.CoAttention", dim, num_heads, num_layers=num_layers)
        self.dim = dim
        self.num_heads = num_heads
        self.num_layers = num_layers
        self.dropout = dropout
        self.embed = ModalityTokens(dim, dtype=self.dtype_policy, name="embed")
        self.mean = MaskedMean(dtype=self.dtype_policy)

    def build(self, tokens_shape, masks_shape):
        n = len(tokens_shape)
        if n < 2:
            raise ValueError(
                "CoAttention needs two modalities or more, which attend to each other. Received: 1 modality. Use "
                "fusion.Attention or fusion.SingleStream for the tokens of one."
            )
        self.embed.build(tokens_shape, masks_shape)
        layers = [(layer, i) for layer in range(self.num_layers) for i in range(n)]
        self.ask_others = [self._block(f"ask_others_{layer}_{i}", norm_x=True) for layer, i in layers]
        self.ask_own = [self._block(f"ask_own_{layer}_{i}", norm_x=False) for layer, i in layers]
        self.norms = [keras.layers.LayerNormalization(dtype=self.dtype_policy, name=f"norm_{i}") for i in range(n)]
        for norm in self.norms:
            norm.build((None, None, self.dim))

    def _block(self, name, norm_x):
        block = AttentionBlock(
            self.dim, num_heads=self.num_heads, dropout=self.dropout, norm_x=norm_x, dtype=self.dtype_policy, name=name
        )
        block.build((None, None, self.dim), (None, None, self.dim) if norm_x else None)
        return block

    def call(self, tokens, masks, joint=False, training=None):
        n, x = len(tokens), self.embed(tokens, masks)
        for start in range(0, self.num_layers * n, n):
            read = []
            for i, block in enumerate(self.ask_others[start : start + n]):
                others, mask = (ops.concatenate([*every[:i], *every[i + 1 :]], axis=1) for every in (x, masks))
                read.append(block(x[i], others, mask, training=training))
            own = zip(self.ask_own[start : start + n], read, masks, strict=True)
            x = [block(stream, mask=mask, training=training) for block, stream, mask in own]
        x = [norm(stream) for norm, stream in zip(self.norms, x, strict=True)]
        vector = ops.concatenate([self.mean(*stream) for stream in zip(x, masks, strict=True)], axis=-1)
        return (vector, x, masks) if joint else vector

    def compute_output_spec(self, tokens, masks, joint=False, training=None):
        vector = keras.KerasTensor((tokens[0].shape[0], len(tokens) * self.dim), self.compute_dtype)
        return joint_spec(vector, [x.shape[1] for x in tokens], self.dim) if joint else vector

    def get_config(self):
        config = {"dim": self.dim, "num_heads": self.num_heads, "num_layers": self.num_layers, "dropout": self.dropout}
        return super().get_config() | config
