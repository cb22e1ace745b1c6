import math
from typing import Any, Unpack

import keras
from keras import ops

from mmkeras.checks import check
from mmkeras.layers.options import LayerOptions


@keras.saving.register_keras_serializable("mmkeras")
class AtMost(keras.constraints.Constraint):
    """Clips a weight after each step: `exp(weight)` stays within 1 / `most` and `most`.

    Example:

    >>> AtMost(100.0)(np.array([9.0, 1.0])).numpy().round(3).tolist()
    [4.605, 1.0]
    """

    def __init__(self, most):
        self.most = most

    def __call__(self, value):
        return ops.clip(value, -math.log(self.most), math.log(self.most))

    def get_config(self):
        return {"most": self.most}


@keras.saving.register_keras_serializable("mmkeras")
class Temperature(keras.layers.Layer):
    """Holds the learned temperature of a contrastive model; what it is called with passes through unchanged.

    Logits are scale * cosine + bias, with scale = exp(log_scale) = 1 / temperature. It is part of the model, and not of
    the loss, so that it is trained, saved and loaded with the other weights.

    Args:
        initial: temperature at the beginning.
        most: largest scale; the weight is clipped after each step.
        bias: at the beginning, for `losses.SigLIP`; None for losses that have none.

    Call arguments:
        x: tensor, or list of tensors.

    Returns:
        The same.

    Raises:
        ValueError: `most` is not above 1, or 1 / `initial` not within 1 / `most` and `most`.

    Example:

    >>> layer = Temperature(0.1)
    >>> layer(np.ones((2, 3))).shape, round(float(layer.scale), 4)
    (TensorShape([2, 3]), 10.0)

    Source: Radford et al., arXiv 2103.00020, section 2.5 (0.07, at most 100); Zhai et al., arXiv 2303.15343, section
    3.2 (0.1 and a bias of -10).
    """

    supports_masking = True

    def __init__(
        self,
        initial: float = 0.07,
        *,
        most: float = 100.0,
        bias: float | None = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs | {"dtype": "float32"})
        ok = most > 1 and 1 / most <= initial <= most
        rule = "A temperature must be within 1 / most and most, and most above 1."
        check(ok, rule, f"initial={initial!r}, most={most!r}", "0.07 and 100 are usual.")
        self.initial, self.most, self.initial_bias = initial, most, bias
        self.bias = None

    def build(self, x_shape):
        # Aggregation is needed because each replica applies the constraint.
        options = {"shape": (), "aggregation": "mean"}
        value = keras.initializers.Constant(-math.log(self.initial))
        self.log_scale = self.add_weight(name="log_scale", initializer=value, constraint=AtMost(self.most), **options)
        if self.initial_bias is not None:
            value = keras.initializers.Constant(self.initial_bias)
            self.bias = self.add_weight(name="bias", initializer=value, **options)

    @property
    def scale(self) -> Any:
        """() float32, 1 / temperature."""
        return ops.exp(self.log_scale)

    def call(self, x):
        return keras.tree.map_structure(ops.copy, x)

    def compute_output_spec(self, x):
        return keras.tree.map_structure(lambda tensor: keras.KerasTensor(tensor.shape, tensor.dtype), x)

    def get_config(self):
        return super().get_config() | {"initial": self.initial, "most": self.most, "bias": self.initial_bias}
