import math
from typing import Unpack

import keras
from keras import ops

from mmkeras.fusion._vectors import check_positive, present, project, vectors
from mmkeras.layers import MaskedMean
from mmkeras.layers.options import LayerOptions


@keras.saving.register_keras_serializable("mmkeras")
class Bilinear(keras.layers.Layer):
    """Products of the modalities' features, summed in groups and normalised: factorised bilinear pooling.

    Prefer it where one modality is a question about another (visual question answering), and where the vectors have
    different or large scales: the output always has the same norm. `LowRankBilinear` also models the main effect of
    each modality, and is the better first choice where main effects matter.

    This is MFB, one of several bilinear poolings: in its paper it outperformed compact (MCB) and low-rank (MLB) pooling
    on VQA. Each further modality adds one factor, whereas the core tensor of MUTAN grows exponentially with n.

    With a_i, the mean of the tokens of modality i:

        z = sum_(k=1..factors) prod_i (U_i^(k) a_i + u_i^(k)),  y = sign(z) sqrt|z|,  h = sqrt(D) y / ||y||.

    Masking: the factor of an absent modality is 1. If all are absent, h is zero.

    Args:
        dim: D.
        factors: number of products summed into one feature.
        dropout: share of the products dropped while training.

    Call arguments:
        tokens: list of (B, T_i, D_i) float.
        masks: list of (B, T_i) bool.

    Returns:
        (B, D) float of length sqrt(D).

    Raises:
        ValueError: `dim` or `factors` is not a whole number above 0.

    Example:

    >>> h = Bilinear(dim=9)([np.ones((1, 3, 4)), np.ones((1, 1, 5))], [np.ones((1, 3), bool), np.ones((1, 1), bool)])
    >>> round(float(np.linalg.norm(h)), 2)
    3.0

    Source: Multi-modal Factorized Bilinear pooling (MFB), arXiv 1708.01471, section 3: sum pooling of the product, then
    power and l2 normalisation. Differences: more than two modalities; y = z / sqrt(|z| + 0.001), because the gradient
    of the square root is unbounded at 0; and the factor sqrt(D), which keeps features near 1 for every D.
    """

    def __init__(
        self, dim: int = 128, *, factors: int = 5, dropout: float = 0.0, **kwargs: Unpack[LayerOptions]
    ) -> None:
        super().__init__(**kwargs)
        check_positive(self, dim=dim, factors=factors)
        self.dim = dim
        self.factors = factors
        self.dropout = dropout
        self.mean = MaskedMean(dtype=self.dtype_policy)
        self.drop = keras.layers.Dropout(dropout, dtype="float32")

    def build(self, tokens_shape, masks_shape):
        self.project = project(tokens_shape, self.factors * self.dim, dtype=self.dtype_policy)

    def call(self, tokens, masks, training=None):
        there = [ops.any(mask, axis=1, keepdims=True) for mask in masks]
        every = zip(self.project, vectors(self.mean, tokens, masks), there, strict=True)
        product = math.prod(self._factor(dense(vector), here) for dense, vector, here in every)
        z = ops.sum(ops.reshape(self.drop(product, training=training), (-1, self.factors, self.dim)), axis=1)
        anything = ops.any(present(masks), axis=-1, keepdims=True)
        return ops.cast(ops.where(anything, self._normalised(z), ops.zeros_like(z)), self.compute_dtype)

    def _factor(self, factor, here):
        # Products overflow and squares of small values underflow in half precision.
        factor = ops.cast(factor, "float32")
        return ops.where(here, factor, ops.ones_like(factor))

    def _normalised(self, z):
        y = z / ops.sqrt(ops.abs(z) + 1e-3)
        length = ops.sqrt(ops.mean(ops.square(y), axis=-1, keepdims=True) + 1e-6)
        return y / length

    def compute_output_spec(self, tokens, masks, training=None):
        return keras.KerasTensor((tokens[0].shape[0], self.dim), self.compute_dtype)

    def get_config(self):
        return super().get_config() | {"dim": self.dim, "factors": self.factors, "dropout": self.dropout}
