from typing import Unpack

import keras
from keras import ops

from mmkeras.layers.options import LayerOptions


@keras.saving.register_keras_serializable("mmkeras")
class ModalityTokens(keras.layers.Layer):
    """x_i = W_i tokens_i + b_i + e_i: projects all tokens to one width and adds a modality embedding.

    W_i, b_i and the embedding e_i of modality i are learned. Fusions of tokens start with this layer.

    Masking: masked tokens enter as zeros, so that no value under a mask (not even NaN) is passed on.

    Args:
        dim: D, the common width.

    Call arguments:
        tokens: list of (B, T_i, D_i) float.
        masks: list of (B, T_i) bool.

    Returns:
        List of (B, T_i, D) float, in the order of the modalities.

    Source: the segment embeddings of BERT, arXiv 1810.04805, which VL-BERT, arXiv 1908.08530, gives to modalities.
    """

    supports_masking = True  # explicit masks are used instead of Keras' implicit ones

    def __init__(self, dim: int = 128, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs)
        self.dim = dim

    def build(self, tokens_shape, masks_shape):
        kinds = (len(tokens_shape), self.dim)
        self.kind = self.add_weight(name="kind", shape=kinds, initializer="random_normal")
        self.project = []
        for i, shape in enumerate(tokens_shape):
            dense = keras.layers.Dense(self.dim, dtype=self.dtype_policy, name=f"project_{i}")
            dense.build((None, None, shape[-1]))
            self.project.append(dense)

    def call(self, tokens, masks):
        every = zip(self.project, tokens, masks, strict=True)
        return [self._embed(*modality) + self.kind[i] for i, modality in enumerate(every)]

    def _embed(self, dense, tokens, mask):
        return dense(ops.where(ops.expand_dims(mask, -1), tokens, ops.zeros_like(tokens)))

    def compute_mask(self, tokens, previous_mask=None):
        return None

    def compute_output_spec(self, tokens, masks):
        return [keras.KerasTensor((*x.shape[:-1], self.dim), self.compute_dtype) for x in tokens]

    def get_config(self):
        return super().get_config() | {"dim": self.dim}
