import keras
from keras import ops


@keras.saving.register_keras_serializable("mmkeras")
class MaskedMean(keras.layers.Layer):
    """Mean of the real tokens; zeros in a row that has none.

    Prefer it to `GlobalAveragePooling1D(mask=...)`, which divides by zero in a row without real tokens.

    Masking: tokens under False have no weight.

    Call arguments:
        tokens: (B, T, D) float.
        mask: (B, T) bool.

    Returns:
        (B, D) float.

    Example:

    >>> tokens = np.array([[[1.0], [3.0], [99.0]]])
    >>> MaskedMean()(tokens, np.array([[True, True, False]])).numpy().tolist()
    [[2.0]]
    """

    supports_masking = True  # explicit masks are used instead of Keras' implicit ones

    def compute_mask(self, tokens, mask=None, previous_mask=None):
        return None

    def call(self, tokens, mask):
        real = ops.expand_dims(mask, -1)
        heard = ops.where(real, tokens, ops.zeros_like(tokens))
        if tokens.shape[1] == 1:
            return heard[:, 0]
        # Sum in float32: half precision is not exact for sums of thousands of tokens.
        total = ops.sum(ops.cast(heard, "float32"), axis=1)
        count = ops.sum(ops.cast(real, "float32"), axis=1)
        return ops.cast(total / ops.maximum(count, 1.0), tokens.dtype)

    def compute_output_spec(self, tokens, mask):
        return keras.KerasTensor((tokens.shape[0], tokens.shape[2]), self.compute_dtype)
