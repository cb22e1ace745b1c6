from typing import Unpack

import keras
from keras import ops

from mmkeras.layers.options import LayerOptions


@keras.saving.register_keras_serializable("mmkeras")
class UnitVector(keras.layers.Layer):
    """x / |x|, so that the dot product of two vectors is the cosine of their angle; zeros where the modality is absent.

    Prefer it to `keras.layers.UnitNormalization` for embeddings: what is absent has no direction, and the zero vector
    has the cosine 0 with everything. It computes in float32 under mixed precision.

    Masking: a row whose mask is all False comes out as zeros.

    Call arguments:
        x: (B, D) float.
        mask: (B, T) bool, of the tokens that x was made of; None where every row is there.

    Returns:
        (B, D) float32, rows of length 1 or 0.

    Example:

    >>> UnitVector()(np.array([[3.0, 4.0], [1.0, 0.0]]), np.array([[True], [False]])).numpy().round(1).tolist()
    [[0.6..., 0.8...], [0.0, 0.0]]
    """

    supports_masking = True  # explicit masks are used instead of Keras' implicit ones

    def __init__(self, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs | {"dtype": "float32"})

    def call(self, x, mask=None):
        x = ops.cast(x, "float32")
        unit = x / ops.sqrt(ops.maximum(ops.sum(ops.square(x), axis=-1, keepdims=True), 1e-12))
        if mask is None:
            return unit
        return ops.where(ops.any(mask, axis=1, keepdims=True), unit, ops.zeros_like(unit))

    def compute_mask(self, x, previous_mask=None):
        return None

    def compute_output_spec(self, x, mask=None):
        return keras.KerasTensor(x.shape, "float32")
