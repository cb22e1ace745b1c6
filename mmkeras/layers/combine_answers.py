from typing import Unpack

import keras
from keras import ops

from mmkeras.layers.options import LayerOptions

_HOW = ("mean", "learned", "product")
_KINDS = ("softmax", "sigmoid", "linear")


@keras.saving.register_keras_serializable("mmkeras")
class CombineAnswers(keras.layers.Layer):
    """Late fusion: combines the answers of n experts into one.

    With p_i the answer of expert i and w_i >= 0, sum_i w_i = 1 over the experts that are present:

    | how | answer | prefer it |
    |---|---|---|
    | "mean" | sum_i p_i / n | as the baseline to try first; robust to one confident error |
    | "learned" | sum_i w_i p_i, w = softmax(logits) | where some experts are known to be better |
    | "product" | softmax(sum_i log p_i), or sigmoid(sum_i logit p_i) | where the experts see independent evidence |

    Masking: absent experts are excluded and the weights of the others renormalised. If all are absent, all are used.

    Args:
        how: "mean", "learned" or "product".
        kind: what an answer is: "softmax" probabilities of one class, "sigmoid" probabilities of each class, "linear"
            values, which have no product.

    Call arguments:
        answers: list of (B, N) float.
        masks: list of (B, 1) bool, or (B, T): present where any token is.

    Returns:
        (B, N) float32.

    Raises:
        ValueError: `how` or `kind` is unknown, or a product of values is requested.

    Example:

    >>> answers, masks = [np.array([[0.75, 0.25]]), np.array([[0.25, 0.75]])], [np.ones((1, 1), bool)] * 2
    >>> CombineAnswers("mean")(answers, masks).numpy().tolist()
    [[0.5, 0.5]]

    Source: Hinton, Training Products of Experts by Minimizing Contrastive Divergence, 2002, eq. 1, for "product".
    """

    def __init__(self, how: str = "mean", *, kind: str = "softmax", **kwargs: Unpack[LayerOptions]) -> None:
        kwargs["dtype"] = "float32"
        super().__init__(**kwargs)
        if how not in _HOW or kind not in _KINDS:
            raise ValueError(
                f"how must be one of {_HOW}, and kind one of {_KINDS}. Received: how={how!r}, kind={kind!r}."
            )
        if (how, kind) == ("product", "linear"):
            raise ValueError(
                "A product of experts is defined for probabilities only. Received: how='product' for values. Give "
                "'mean' or 'learned' to regression heads."
            )
        self.how = how
        self.kind = kind

    def build(self, answers_shape, masks_shape):
        if self.how == "learned":
            self.logits = self.add_weight(name="logits", shape=(len(answers_shape),), initializer="zeros")

    def call(self, answers, masks):
        present = ops.stack([ops.any(mask, axis=1) for mask in masks], axis=-1)
        nobody = ops.logical_not(ops.any(present, axis=-1, keepdims=True))
        says = ops.cast(ops.logical_or(present, nobody), "float32")
        answers = ops.stack([ops.cast(answer, "float32") for answer in answers], axis=1)
        if self.how == "product":
            return self._product(answers, ops.expand_dims(says, -1))
        weights = says * ops.softmax(self.logits) if self.how == "learned" else says
        weights = weights / ops.sum(weights, axis=-1, keepdims=True)
        return ops.sum(answers * ops.expand_dims(weights, -1), axis=1)

    def _product(self, answers, says):
        there = ops.log(ops.clip(answers, 1e-7, 1.0))
        if self.kind == "softmax":
            return ops.softmax(ops.sum(there * says, axis=1))
        away = ops.log(ops.clip(1.0 - answers, 1e-7, 1.0))
        return ops.sigmoid(ops.sum((there - away) * says, axis=1))

    def compute_output_spec(self, answers, masks):
        return keras.KerasTensor(answers[0].shape, "float32")

    def get_config(self):
        return super().get_config() | {"how": self.how, "kind": self.kind}
