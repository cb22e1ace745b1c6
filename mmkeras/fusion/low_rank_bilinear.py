import math
from typing import Unpack

import keras
from keras import ops

from mmkeras.fusion._vectors import check_positive, project, vectors
from mmkeras.layers import MaskedMean
from mmkeras.layers.options import LayerOptions


@keras.saving.register_keras_serializable("mmkeras")
class LowRankBilinear(keras.layers.Layer):
    """Main effects and interactions of all modalities' features: `TensorFusion` without computing the tensor.

    Prefer it where interactions between modalities matter and there are three or more of them: its cost grows with n,
    that of `TensorFusion` with (width + 1)^n. Prefer `Bilinear` where values are large or have very different scales:
    this layer does not normalise.

    With z_i = [a_i; 1], where a_i is the mean of the tokens of modality i:

        h = sum_(r=1..rank) prod_i W_i^(r) z_i + b.

    At initialisation the column of W_i^(r) that is multiplied by the 1 is 1 and b is -rank, so that h starts as the sum
    of the main effects and their products.

    Masking: an absent modality enters as [0; 1], so its factor is that column: 1, which is neutral, at initialisation,
    and then learned from examples in which the modality is absent.

    Args:
        dim: D.
        rank: number of products per feature.
        dropout: share of the result dropped while training.

    Call arguments:
        tokens: list of (B, T_i, D_i) float.
        masks: list of (B, T_i) bool.

    Returns:
        (B, D) float.

    Raises:
        ValueError: `dim` or `rank` is not a whole number above 0.

    Example:

    >>> tokens, masks = [np.ones((1, 3, 4)), np.ones((1, 1, 5))], [np.zeros((1, 3), bool), np.zeros((1, 1), bool)]
    >>> LowRankBilinear(dim=2)(tokens, masks).numpy().tolist()
    [[0.0, 0.0]]

    Source: Low-rank Multimodal Fusion, arXiv 1806.00064, its efficient form: a sum over the rank of products over the
    modalities. The initial values differ. The authors' code also weights the products, which W_i^(r) can express as
    well.
    """

    def __init__(self, dim: int = 128, *, rank: int = 4, dropout: float = 0.0, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs)
        check_positive(self, dim=dim, rank=rank)
        self.dim = dim
        self.rank = rank
        self.dropout = dropout
        self.mean = MaskedMean(dtype=self.dtype_policy)
        self.drop = keras.layers.Dropout(dropout, dtype=self.dtype_policy)

    def build(self, tokens_shape, masks_shape):
        units = self.rank * self.dim
        # Each dense bias is the column that multiplies the constant 1 of [a; 1].
        self.factors = project(tokens_shape, units, "factor", bias_initializer="ones", dtype=self.dtype_policy)
        start = keras.initializers.Constant(-float(self.rank))
        self.bias = self.add_weight(name="bias", shape=(self.dim,), initializer=start)

    def call(self, tokens, masks, training=None):
        means = vectors(self.mean, tokens, masks)  # absent modalities are zeros here
        every = zip(self.factors, means, strict=True)
        # The product of several modalities would overflow in half precision.
        product = math.prod(ops.cast(factor(vector), "float32") for factor, vector in every)
        fused = ops.sum(ops.reshape(product, (-1, self.rank, self.dim)), axis=1) + ops.cast(self.bias, "float32")
        return self.drop(ops.cast(fused, self.compute_dtype), training=training)

    def compute_output_spec(self, tokens, masks, training=None):
        return keras.KerasTensor((tokens[0].shape[0], self.dim), self.compute_dtype)

    def get_config(self):
        return super().get_config() | {"dim": self.dim, "rank": self.rank, "dropout": self.dropout}
