from collections.abc import Sequence
from typing import Unpack

import keras
from keras import ops

from mmkeras.fusion._vectors import check_positive, present, vectors
from mmkeras.layers import MaskedMean
from mmkeras.layers.options import LayerOptions


@keras.saving.register_keras_serializable("mmkeras")
class MLP(keras.layers.Layer):
    """Several dense layers on the concatenated vectors of all modalities and their presence bits.

    Prefer it to `Concatenate`, which is a single layer, where the answer is a non-linear function across modalities, or
    where modalities are often absent: unlike `Concatenate`, it can distinguish an absent modality from one whose vector
    is zero. It needs more examples and overfits earlier.

    With x_0 = [a_1; ...; a_n; p_1 ... p_n], where a_i is the mean of the tokens of modality i and p_i = 1 where it is
    present, else 0: x_k = relu(W_k x_(k-1) + b_k), one layer for each width in `hidden` and a last one of width `dim`.

    Masking: an absent modality enters as zeros with p_i = 0.

    Args:
        dim: D, width of the last layer.
        hidden: widths of the layers before it.
        dropout: share of each layer's result dropped while training.

    Call arguments:
        tokens: list of (B, T_i, D_i) float.
        masks: list of (B, T_i) bool.

    Returns:
        (B, D) float.

    Raises:
        ValueError: a width is not a whole number above 0.

    Example:

    >>> tokens, masks = [np.ones((2, 3, 4)), np.ones((2, 1, 5))], [np.ones((2, 3), bool), np.zeros((2, 1), bool)]
    >>> MLP(dim=8, hidden=(16, 16))(tokens, masks).shape
    TensorShape([2, 8])

    Source: a plain multilayer perceptron; the presence bits are the missing-value indicators of statistics.
    """

    def __init__(
        self, dim: int = 128, *, hidden: Sequence[int] = (128,), dropout: float = 0.0, **kwargs: Unpack[LayerOptions]
    ) -> None:
        super().__init__(**kwargs)
        self.dim = dim
        self.hidden = tuple(hidden)
        for width in (*self.hidden, dim):
            check_positive(self, width=width)
        self.dropout = dropout
        policy = self.dtype_policy
        self.mean = MaskedMean(dtype=policy)
        self.steps = [
            keras.layers.Dense(width, "relu", dtype=policy, name=f"step_{i}")
            for i, width in enumerate((*self.hidden, dim))
        ]
        self.drop = keras.layers.Dropout(dropout, dtype=policy)

    def build(self, tokens_shape, masks_shape):
        width = sum(shape[-1] for shape in tokens_shape) + len(tokens_shape)
        for step in self.steps:
            step.build((None, width))
            width = step.units

    def call(self, tokens, masks, training=None):
        bits = ops.cast(present(masks), self.compute_dtype)
        x = ops.concatenate([*vectors(self.mean, tokens, masks), bits], axis=-1)
        for step in self.steps:
            x = self.drop(step(x), training=training)
        return x

    def compute_output_spec(self, tokens, masks, training=None):
        return keras.KerasTensor((tokens[0].shape[0], self.dim), self.compute_dtype)

    def get_config(self):
        return super().get_config() | {"dim": self.dim, "hidden": self.hidden, "dropout": self.dropout}
