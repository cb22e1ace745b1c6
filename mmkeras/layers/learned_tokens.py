from typing import Unpack

import keras
from keras import ops

from mmkeras.layers.options import LayerOptions


@keras.saving.register_keras_serializable("mmkeras")
class LearnedTokens(keras.layers.Layer):
    """Learned tokens that are the same for every row: queries, latents, bottlenecks, BERT's [CLS].

    Args:
        count: N, number of tokens.
        dim: D, width of a token.

    Call arguments:
        like: (B, ...), any tensor of the batch; only its first axis is used.

    Returns:
        (B, N, D) float.

    Example:

    >>> LearnedTokens(2, dim=4)(np.zeros((3, 1))).shape
    TensorShape([3, 2, 4])
    """

    supports_masking = True  # the learned tokens are never masked

    def __init__(self, count: int = 1, *, dim: int = 128, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs)
        self.count = count
        self.dim = dim

    def build(self, like_shape):
        self.table = self.add_weight(name="table", shape=(self.count, self.dim), initializer="glorot_uniform")

    def call(self, like):
        rows = (ops.shape(like)[0], self.count, self.dim)
        return ops.cast(ops.broadcast_to(ops.expand_dims(self.table, 0), rows), self.compute_dtype)

    def compute_mask(self, like, previous_mask=None):
        return None

    def compute_output_spec(self, like):
        return keras.KerasTensor((like.shape[0], self.count, self.dim), self.compute_dtype)

    def get_config(self):
        return super().get_config() | {"count": self.count, "dim": self.dim}
