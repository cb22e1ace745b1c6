from typing import Unpack

import keras
from keras import ops

from mmkeras.layers import MaskedMean
from mmkeras.layers.options import LayerOptions


@keras.saving.register_keras_serializable("mmkeras")
class Concatenate(keras.layers.Layer):
    """C = relu(W [a; b; ...] + b), or the bare [a; b; ...], of one vector per modality.

    The baseline to try first: cheap, and strong where each modality is one vector. Of a branch with several tokens the
    mean is used; choose another `pool` of the branch where the mean loses information.

    Masking: an absent modality enters as zeros.

    Args:
        dim: D, width of the dense layer; None for the bare concatenation, D = sum of D_i.
        dropout: share of the result dropped while training.

    Call arguments:
        tokens: list of (B, T_i, D_i) float.
        masks: list of (B, T_i) bool.

    Returns:
        (B, D) float.

    Example:

    >>> tokens, masks = [np.ones((2, 3, 4)), np.ones((2, 1, 5))], [np.ones((2, 3), bool), np.zeros((2, 1), bool)]
    >>> Concatenate(dim=None)(tokens, masks).numpy()[0].tolist()
    [1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    """

    def __init__(self, dim: int = 128, *, dropout: float = 0.0, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs)
        self.dim = dim
        self.dropout = dropout
        self.mean = MaskedMean(dtype=self.dtype_policy)
        self.dense = keras.layers.Dense(dim, "relu", dtype=self.dtype_policy, name="dense") if dim else None
        self.drop = keras.layers.Dropout(dropout, dtype=self.dtype_policy)

    def build(self, tokens_shape, masks_shape):
        if self.dense:
            self.dense.build((None, sum(shape[-1] for shape in tokens_shape)))

    def call(self, tokens, masks, training=None):
        joint = ops.concatenate([self.mean(*pair) for pair in zip(tokens, masks, strict=True)], axis=-1)
        return self.drop(self.dense(joint) if self.dense else joint, training=training)

    def compute_output_spec(self, tokens, masks, training=None):
        width = self.dim or sum(modality.shape[-1] for modality in tokens)
        return keras.KerasTensor((tokens[0].shape[0], width), self.compute_dtype)

    def get_config(self):
        return super().get_config() | {"dim": self.dim, "dropout": self.dropout}
