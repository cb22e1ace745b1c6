from typing import Unpack

import keras
from keras import ops

from mmkeras.layers.options import LayerOptions


@keras.saving.register_keras_serializable("mmkeras")
class PoolMask(keras.layers.Layer):
    """The mask after pooling `size` tokens into one: True where any of them is.

    Args:
        size: number of tokens pooled into one, as in `MaxPooling1D(size, padding="valid")`: a remainder is dropped.

    Call arguments:
        mask: (B, T) bool.

    Returns:
        (B, T // size) bool.

    Example:

    >>> PoolMask(2)(np.array([[True, True, True, False, False]])).numpy().tolist()
    [[True, True]]
    """

    def __init__(self, size: int, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs)
        self.size = size

    def call(self, mask):
        pooled = mask.shape[1] // self.size
        return ops.any(ops.reshape(mask[:, : pooled * self.size], (-1, pooled, self.size)), axis=-1)

    def compute_output_spec(self, mask):
        return keras.KerasTensor((mask.shape[0], mask.shape[1] // self.size), "bool")

    def get_config(self):
        return super().get_config() | {"size": self.size}
