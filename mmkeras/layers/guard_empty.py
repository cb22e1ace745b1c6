import keras
from keras import ops


@keras.saving.register_keras_serializable("mmkeras")
class GuardEmpty(keras.layers.Layer):
    """Marks the first token as real in rows that have none, as recurrent layers require.

    cuDNN crashes on a row that is all padding. The output of such a row must still be masked by the original mask.

    Call arguments:
        mask: (B, T) bool.

    Returns:
        (B, T) bool with at least one True in each row.

    Example:

    >>> GuardEmpty()(np.array([[False, False], [False, True]])).numpy().tolist()
    [[True, False], [False, True]]
    """

    def call(self, mask):
        empty = ops.logical_not(ops.any(mask, axis=1, keepdims=True))
        first = ops.expand_dims(ops.arange(ops.shape(mask)[1]) == 0, 0)
        return ops.logical_or(mask, ops.logical_and(empty, first))

    def compute_output_spec(self, mask):
        return keras.KerasTensor(mask.shape, "bool")
