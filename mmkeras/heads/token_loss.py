"""Loss and metrics of token sequences trained with teacher forcing; 0 is padding and does not count."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("mmkeras")
class TokenCrossentropy(keras.losses.Loss):
    """Crossentropy of the next token, the mean over the real tokens of each example: ids (B, L), logits (B, L, V).

    Args:
        label_smoothing: share of the target that is spread over all V ids, in [0, 1).

    Source: Szegedy et al., Rethinking the Inception Architecture, arXiv 1512.00567, section 7.
    """

    def __init__(self, label_smoothing=0.0, name="token_crossentropy", **kwargs):
        super().__init__(name=name, **kwargs)
        self.label_smoothing = label_smoothing

    def call(self, y_true, y_pred):
        y_true = ops.cast(y_true, "int32")
        logits = ops.cast(y_pred, "float32")
        loss = keras.losses.sparse_categorical_crossentropy(ops.maximum(y_true, 0), logits, from_logits=True)
        if self.label_smoothing:
            even = -ops.mean(ops.log_softmax(logits, axis=-1), axis=-1)
            loss = (1 - self.label_smoothing) * loss + self.label_smoothing * even
        return _mean_of_real(loss, y_true)

    def get_config(self):
        return super().get_config() | {"label_smoothing": self.label_smoothing}


@keras.saving.register_keras_serializable("mmkeras")
class TokenAccuracy(keras.metrics.MeanMetricWrapper):
    """Share of the tokens that are predicted right from the true ones before them.

    Args:
        whole: count sequences whose every token is right instead: those that greedy decoding answers exactly.
    """

    def __init__(self, whole=False, name="token_accuracy", dtype=None):
        super().__init__(_whole_right if whole else _share_right, name, dtype)
        self.whole = whole
        self._direction = "up"  # tells Keras' callbacks with mode="auto" that higher is better

    def get_config(self):
        return {"whole": self.whole, "name": self.name, "dtype": self.dtype}


def _right(y_true, y_pred):
    return ops.equal(ops.cast(y_true, "int32"), ops.cast(ops.argmax(y_pred, axis=-1), "int32"))


def _share_right(y_true, y_pred):
    return _mean_of_real(ops.cast(_right(y_true, y_pred), "float32"), y_true)


def _whole_right(y_true, y_pred):
    return ops.cast(ops.all(ops.logical_or(_right(y_true, y_pred), y_true <= 0), axis=-1), "float32")


def _mean_of_real(values, y_true):
    """(B, L) -> (B,); 0 if there is no real token, as in a missing label."""
    real = ops.cast(y_true > 0, values.dtype)
    return ops.sum(values * real, axis=-1) / ops.maximum(ops.sum(real, axis=-1), 1)
