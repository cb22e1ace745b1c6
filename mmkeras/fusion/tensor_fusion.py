from typing import Unpack

import keras
from keras import ops

from mmkeras.fusion._vectors import check_positive, project, vectors
from mmkeras.layers import MaskedMean
from mmkeras.layers.options import LayerOptions

LARGEST = 2**15  # elements of the tensor; with dim=128, they need 16 MiB of weights


@keras.saving.register_keras_serializable("mmkeras")
class TensorFusion(keras.layers.Layer):
    """The outer product of the modalities' features, and a dense layer on it.

    Prefer it for two or three modalities with few relevant features, where all interactions are to be modelled;
    `LowRankBilinear` approximates it for more modalities or wider features.

    With a_i, the mean of the tokens of modality i, and z_i = tanh(W_i a_i + b_i) of size `width`:

        h = relu(V ([1; z_1] (x) [1; z_2] (x) ... (x) [1; z_n]) + c), where (x) is the outer product.

    The 1 keeps the main effects and the lower-order interactions in the tensor, which has (width + 1)^n elements.

    Masking: an absent modality enters as [1; 0], which leaves exactly the products of the others.

    Args:
        dim: D.
        width: of each modality before the product.
        dropout: share of the tensor dropped while training.

    Call arguments:
        tokens: list of (B, T_i, D_i) float.
        masks: list of (B, T_i) bool.

    Returns:
        (B, D) float.

    Raises:
        ValueError: the tensor would have more than 32,768 elements, or `dim` or `width` is not a whole number above 0.

    Example:

    >>> tokens, masks = [np.ones((2, 3, 4)), np.ones((2, 1, 5))], [np.ones((2, 3), bool), np.zeros((2, 1), bool)]
    >>> layer = TensorFusion(dim=8, width=3)
    >>> layer(tokens, masks).shape
    TensorShape([2, 8])
    >>> int(layer.dense.kernel.shape[0])  # (3 + 1) ** 2
    16

    Source: Tensor Fusion Network, arXiv 1707.07250, section 4.2. The small `width` and tanh (the paper: 32 to 128 and
    ReLU) bound the size of the tensor and its values.
    """

    def __init__(
        self, dim: int = 128, *, width: int = 16, dropout: float = 0.0, **kwargs: Unpack[LayerOptions]
    ) -> None:
        super().__init__(**kwargs)
        check_positive(self, dim=dim, width=width)
        self.dim = dim
        self.width = width
        self.dropout = dropout
        self.mean = MaskedMean(dtype=self.dtype_policy)
        self.dense = keras.layers.Dense(dim, "relu", dtype=self.dtype_policy, name="dense")
        self.drop = keras.layers.Dropout(dropout, dtype=self.dtype_policy)

    def build(self, tokens_shape, masks_shape):
        n = len(tokens_shape)
        size = (self.width + 1) ** n
        if size > LARGEST:
            raise ValueError(
                f"The tensor of fusion.TensorFusion, (width + 1)^n, may have {LARGEST} elements. Received: "
                f"width={self.width} for n={n} modalities, {size} elements. {self._remedy(n)}"
            )
        self.project = project(tokens_shape, self.width, activation="tanh", dtype=self.dtype_policy)
        self.dense.build((None, size))

    def _remedy(self, n):
        fits = max((width for width in range(self.width) if (width + 1) ** n <= LARGEST), default=0)
        return f"Give width={fits} or less, or use LowRankBilinear." if fits else "Use LowRankBilinear."

    def call(self, tokens, masks, training=None):
        product = None
        for dense, vector, mask in zip(self.project, vectors(self.mean, tokens, masks), masks, strict=True):
            here = ops.cast(ops.any(mask, axis=1, keepdims=True), self.compute_dtype)
            z = ops.concatenate([ops.ones_like(here), here * dense(vector)], axis=-1)
            product = z if product is None else self._outer(product, z)
        return self.dense(self.drop(product, training=training))

    def _outer(self, a, b):
        size = a.shape[-1] * b.shape[-1]
        return ops.reshape(ops.expand_dims(a, 2) * ops.expand_dims(b, 1), (-1, size))

    def compute_output_spec(self, tokens, masks, training=None):
        return keras.KerasTensor((tokens[0].shape[0], self.dim), self.compute_dtype)

    def get_config(self):
        return super().get_config() | {"dim": self.dim, "width": self.width, "dropout": self.dropout}
