"""Precomputed vectors -> the same numbers and their mask."""

from typing import Any, Unpack

import keras
import numpy as np
import tensorflow as tf

from mmkeras.layers.options import LayerOptions
from mmkeras.preprocess._layer import RawLayer
from mmkeras.preprocess.faults import check_numbers

BROKEN = "a vector must be finite (a missing one is NaN as a whole)."
REQUIRED = "a required vector is missing."


@keras.saving.register_keras_serializable("mmkeras")
class VectorRow(RawLayer):
    """Passes vectors on unchanged; a vector of NaN only is absent and becomes zeros.

    Args:
        size: D, length of a vector.
        optional: as in `mm.Vector`.

    Call arguments:
        vectors: (B, D) float32.

    Returns:
        vectors (B, D) float32 and mask (B, 1) bool, False where absent.

    Raises:
        InvalidArgumentError: a vector is infinite, NaN among other numbers, or absent though required.

    Example:

    >>> nan = float("nan")
    >>> [tensor.numpy().tolist() for tensor in VectorRow(2, optional=True)(tf.constant([[0.5, 2.0], [nan, nan]]))]
    [[[0.5, 2.0], [0.0, 0.0]], [[True], [False]]]
    """

    tells = True

    def __init__(self, size: int, *, optional: bool = False, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs)
        self.size = size
        self.optional = optional

    def call(self, vectors):
        there = ~tf.reduce_all(tf.math.is_nan(vectors), axis=1, keepdims=True)
        with tf.control_dependencies(self._checks(vectors, there)):
            return tf.where(there, vectors, 0.0), there

    def _checks(self, vectors, there):
        broken = there & ~tf.math.is_finite(vectors)
        rows = tf.reduce_any(broken, axis=1)
        rule = f"{BROKEN} Received:"
        checks = check_numbers(self.modality, broken, rule, vectors, lambda: tf.boolean_mask(vectors, rows))
        if not self.optional:
            checks += check_numbers(self.modality, ~there, f"{REQUIRED} Give it, or declare it optional=True.")
        return checks

    def compute_output_spec(self, vectors):
        batch = vectors.shape[0]
        return keras.KerasTensor((batch, self.size), "float32"), keras.KerasTensor((batch, 1), "bool")

    def example(self, rng: np.random.Generator) -> dict[str, list[Any]]:
        return {self.modality: list(rng.normal(size=(2, self.size)).astype("float32"))}

    def describe(self) -> dict[str, Any] | None:
        return {"kind": "vector", "size": self.size}

    def get_config(self):
        return super().get_config() | {"size": self.size, "optional": self.optional}
