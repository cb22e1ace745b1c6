from typing import Unpack

import keras
from keras import ops

from mmkeras.layers.options import LayerOptions


@keras.saving.register_keras_serializable("mmkeras")
class GlobalLayerNorm(keras.layers.Layer):
    """Layer normalisation over all real tokens and channels of a row together.

    Prefer it to `LayerNormalization`, which normalises each token separately, between convolutions over time: loud and
    quiet parts of a clip stay distinguishable.

    y = gamma (x - mean) / sqrt(var + epsilon) + beta, mean and var over the real tokens and all D channels of a row;
    gamma and beta have D values. Statistics are float32.

    Masking: tokens under False are excluded from the statistics and become zeros, like the padding of a convolution.

    Args:
        epsilon: added to the variance.

    Call arguments:
        tokens: (B, T, D) float.
        mask: (B, T) bool.

    Returns:
        (B, T, D) float.

    Example:

    >>> tokens = np.array([[[1.0], [3.0], [99.0]]])
    >>> GlobalLayerNorm()(tokens, np.array([[True, True, False]])).numpy().round(3).tolist()
    [[[-1.0], [1.0], [0.0]]]

    Source: Luo and Mesgarani, Conv-TasNet, arXiv 1809.07454, eq. 7 to 9 (gLN), with a mask.
    """

    supports_masking = True  # explicit masks are used instead of Keras' implicit ones

    def __init__(self, *, epsilon: float = 1e-5, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs)
        self.epsilon = epsilon

    def build(self, tokens_shape, mask_shape=None):
        self.gamma = self.add_weight(name="gamma", shape=(tokens_shape[-1],), initializer="ones")
        self.beta = self.add_weight(name="beta", shape=(tokens_shape[-1],), initializer="zeros")

    def call(self, tokens, mask):
        real = ops.expand_dims(ops.cast(mask, "float32"), -1)
        x = ops.where(ops.expand_dims(mask, -1), ops.cast(tokens, "float32"), 0.0)
        count = ops.maximum(ops.sum(real, axis=(1, 2), keepdims=True) * tokens.shape[-1], 1.0)
        # Subtract the mean first: E[x^2] - E[x]^2 loses precision by cancellation.
        x = (x - ops.sum(x, axis=(1, 2), keepdims=True) / count) * real
        variance = ops.sum(ops.square(x), axis=(1, 2), keepdims=True) / count
        x = ops.cast(x * ops.rsqrt(variance + self.epsilon), self.compute_dtype)
        return x * self.gamma + self.beta * ops.cast(real, self.compute_dtype)

    def compute_mask(self, tokens, mask=None, previous_mask=None):
        return None

    def compute_output_spec(self, tokens, mask):
        return keras.KerasTensor(tokens.shape, self.compute_dtype)

    def get_config(self):
        return super().get_config() | {"epsilon": self.epsilon}
