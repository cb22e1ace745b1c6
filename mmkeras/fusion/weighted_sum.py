from typing import Any, Unpack

import keras
from keras import ops

from mmkeras.layers import MaskedMean
from mmkeras.layers.options import LayerOptions


@keras.saving.register_keras_serializable("mmkeras")
class WeightedSum(keras.layers.Layer):
    """C = alpha A + (1 - alpha) B, and for n modalities C = sum_i alpha_i A_i with sum_i alpha_i = 1.

    A_i = W_i a_i + b_i is the vector of modality i, projected to the common width. Prefer it where the modalities are
    redundant but of different reliability, or where the weights are to be interpreted (`shares()`).

    Masking: the weights are normalised over the modalities that are present: alpha_i p_i / sum_j alpha_j p_j with p_i =
    1 for a present modality, else 0. If all are absent, C is zero.

    Args:
        dim: D, the common width.
        alpha: None to learn the weights (softmax of one logit each, equal at the start); or a number, the weight of
            the first of two modalities; or n non-negative numbers in the order of the specs, made to sum to 1.
        dropout: share of the result dropped while training.

    Call arguments:
        tokens: list of (B, T_i, D_i) float.
        masks: list of (B, T_i) bool.

    Returns:
        (B, D) float.

    Raises:
        ValueError: the number of weights is not that of the modalities, or they do not add up to something positive.
    """

    def __init__(
        self, dim: int = 128, *, alpha: float | None = None, dropout: float = 0.0, **kwargs: Unpack[LayerOptions]
    ) -> None:
        super().__init__(**kwargs)
        self.dim = dim
        self.alpha = alpha if alpha is None or isinstance(alpha, int | float) else tuple(alpha)
        self.dropout = dropout
        self.mean = MaskedMean(dtype=self.dtype_policy)
        self.drop = keras.layers.Dropout(dropout, dtype=self.dtype_policy)

    def build(self, tokens_shape, masks_shape):
        self.fixed = None if self.alpha is None else self._fixed(len(tokens_shape))
        if self.fixed is None:
            self.logits = self.add_weight(name="logits", shape=(len(tokens_shape),), initializer="zeros")
        self.project = []
        for i, shape in enumerate(tokens_shape):
            dense = keras.layers.Dense(self.dim, dtype=self.dtype_policy, name=f"project_{i}")
            dense.build((None, shape[-1]))
            self.project.append(dense)

    def _fixed(self, n):
        alpha = (self.alpha, 1 - self.alpha) if isinstance(self.alpha, int | float) else self.alpha
        if len(alpha) != n or min(alpha) < 0 or sum(alpha) <= 0:
            raise ValueError(
                f"WeightedSum needs one non-negative weight per modality, not all zero. Received: alpha={self.alpha} "
                f"for {n} modalities. Give {n} numbers in the order of the specs, or alpha=None to learn them."
            )
        return [weight / sum(alpha) for weight in alpha]

    def shares(self) -> Any:
        """The n weights where every modality is present, in the order of the specs."""
        return ops.softmax(self.logits) if self.fixed is None else ops.convert_to_tensor(self.fixed, self.compute_dtype)

    def call(self, tokens, masks, training=None):
        vectors = [dense(self.mean(*pair)) for dense, *pair in zip(self.project, tokens, masks, strict=True)]
        present = ops.stack([ops.any(mask, axis=1) for mask in masks], axis=-1)
        weights = ops.cast(self.shares(), self.compute_dtype) * ops.cast(present, self.compute_dtype)
        total = ops.sum(weights, axis=-1, keepdims=True)
        weights = weights / ops.where(total > 0, total, ops.ones_like(total))
        joint = ops.sum(ops.stack(vectors, axis=1) * ops.expand_dims(weights, -1), axis=1)
        return self.drop(joint, training=training)

    def compute_output_spec(self, tokens, masks, training=None):
        return keras.KerasTensor((tokens[0].shape[0], self.dim), self.compute_dtype)

    def get_config(self):
        return super().get_config() | {"dim": self.dim, "alpha": self.alpha, "dropout": self.dropout}
