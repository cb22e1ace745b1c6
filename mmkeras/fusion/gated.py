from typing import Unpack

import keras
from keras import ops

from mmkeras.fusion._vectors import check_positive, present, project, vectors
from mmkeras.layers import MaskedMean
from mmkeras.layers.options import LayerOptions


@keras.saving.register_keras_serializable("mmkeras")
class Gated(keras.layers.Layer):
    """Each feature is a mixture of the modalities, with gates that depend on the example.

    Prefer it to `WeightedSum`, whose weights are the same for every example, where the reliability of a modality varies
    between examples (noise, a blurred picture), or where different features come from different modalities.

    With x = [a_1; ...; a_n; p_1 ... p_n], where a_i is the mean of the tokens of modality i and p_i = 1 where it is
    present, else 0: h_i = tanh(W_i a_i + b_i), s_i = V_i x + c_i (both of width D), and

        g_i = p_i exp(s_i) / sum_j p_j exp(s_j),  h = sum_i g_i * h_i.

    Masking: the gates of each feature are normalised over the modalities that are present. If all are absent, h is
    zero.

    Args:
        dim: D, the common width.
        dropout: share of the result dropped while training.

    Call arguments:
        tokens: list of (B, T_i, D_i) float.
        masks: list of (B, T_i) bool.

    Returns:
        (B, D) float, from -1 to 1.

    Raises:
        ValueError: `dim` is not a whole number above 0.

    Example:

    >>> tokens, masks = [np.ones((1, 3, 4)), np.ones((1, 1, 5))], [np.zeros((1, 3), bool), np.zeros((1, 1), bool)]
    >>> Gated(dim=2)(tokens, masks).numpy().tolist()
    [[0.0, 0.0]]

    Source: Gated Multimodal Unit, arXiv 1702.01992. For two modalities this is its bimodal unit, h = z h_1 +
    (1 - z) h_2 with z = sigmoid(W_z x), W_z = V_1 - V_2. For more, the paper gives each modality its own sigmoid; the
    softmax here keeps the sum of the gates at 1 whichever modalities are absent. Biases and presence bits are
    additions.
    """

    def __init__(self, dim: int = 128, *, dropout: float = 0.0, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs)
        check_positive(self, dim=dim)
        self.dim = dim
        self.dropout = dropout
        self.mean = MaskedMean(dtype=self.dtype_policy)
        self.drop = keras.layers.Dropout(dropout, dtype=self.dtype_policy)

    def build(self, tokens_shape, masks_shape):
        n = len(tokens_shape)
        self.project = project(tokens_shape, self.dim, activation="tanh", dtype=self.dtype_policy)
        self.gate = keras.layers.Dense(self.dim * n, dtype=self.dtype_policy, name="gate")
        self.gate.build((None, sum(shape[-1] for shape in tokens_shape) + n))

    def call(self, tokens, masks, training=None):
        means, there = vectors(self.mean, tokens, masks), present(masks)
        said = ops.stack([dense(vector) for dense, vector in zip(self.project, means, strict=True)], axis=-1)
        return self.drop(ops.sum(self._gates(means, there) * said, axis=-1), training=training)

    def _gates(self, means, there):
        """Gates (B, D, n) of vectors, some of which are present (B, n)."""
        bits = ops.cast(there, self.compute_dtype)
        scores = ops.reshape(self.gate(ops.concatenate([*means, bits], axis=-1)), (-1, self.dim, len(means)))
        # Absent modalities get the lowest score. The highest score then belongs to a present one and has weight 1, so
        # the sum is below 1 only if all modalities are absent.
        lowest = ops.min(scores, axis=-1, keepdims=True)
        scores = ops.where(ops.expand_dims(there, 1), scores, lowest)
        weights = ops.exp(scores - ops.max(scores, axis=-1, keepdims=True)) * ops.expand_dims(bits, 1)
        return weights / ops.maximum(ops.sum(weights, axis=-1, keepdims=True), 1.0)

    def compute_output_spec(self, tokens, masks, training=None):
        return keras.KerasTensor((tokens[0].shape[0], self.dim), self.compute_dtype)

    def get_config(self):
        return super().get_config() | {"dim": self.dim, "dropout": self.dropout}
