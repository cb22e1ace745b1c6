"""Loss and metric for class labels that may be mixed (MixUp), and so be distributions."""

import keras
from keras import ops

from mmkeras.checks import check


@keras.saving.register_keras_serializable("mmkeras")
class Crossentropy(keras.losses.Loss):
    """Categorical crossentropy of class numbers (B,) or of distributions over the classes (B, N), smoothed or not.

    Training data may be mixed, and their labels distributions, while the evaluation data of one `fit` hold numbers.

    Args:
        label_smoothing: share of the target that is spread over all classes, in [0, 1).
        focal: exponent of the factor (1 - p) by which the loss of each class is multiplied; 0 for none.

    Source: Szegedy et al., Rethinking the Inception Architecture, arXiv 1512.00567, section 7; focal: Lin et al., arXiv
    1708.02002, equation 4, without alpha.
    """

    def __init__(self, label_smoothing=0.0, focal=0.0, name="crossentropy", **kwargs):
        super().__init__(name=name, **kwargs)
        self.label_smoothing, self.focal = label_smoothing, focal

    def call(self, y_true, y_pred):
        if not _is_distribution(y_true, y_pred):
            y_true = ops.reshape(ops.cast(y_true, "int32"), (-1,))
            if not self.label_smoothing and not self.focal:
                return keras.losses.sparse_categorical_crossentropy(y_true, y_pred)
            y_true = ops.one_hot(y_true, y_pred.shape[-1], dtype=y_pred.dtype)
        smoothing = self.label_smoothing
        if self.focal:
            return keras.losses.categorical_focal_crossentropy(y_true, y_pred, 1.0, self.focal, False, smoothing)
        return keras.losses.categorical_crossentropy(y_true, y_pred, label_smoothing=smoothing)

    def get_config(self):
        return super().get_config() | {"label_smoothing": self.label_smoothing, "focal": self.focal}


@keras.saving.register_keras_serializable("mmkeras")
class LabelsCrossentropy(keras.losses.Loss):
    """Mean over the classes of the binary crossentropy of labels (B, N) that may hold at once, mixed or not.

    Args:
        label_smoothing: share of each target that becomes 0.5, in [0, 1).
        focal: as in `Crossentropy`.
        positive_weights: N factors of the loss of labels that hold; none for 1.

    Source: as `Crossentropy`; Keras' own binary losses have no weight of a class.
    """

    def __init__(self, label_smoothing=0.0, focal=0.0, positive_weights=(), name="labels_crossentropy", **kwargs):
        super().__init__(name=name, **kwargs)
        self.label_smoothing, self.focal, self.positive_weights = label_smoothing, focal, list(positive_weights)

    def call(self, y_true, y_pred):
        holds = ops.cast(y_true, y_pred.dtype) * (1.0 - self.label_smoothing) + 0.5 * self.label_smoothing
        p = ops.clip(y_pred, keras.config.epsilon(), 1.0 - keras.config.epsilon())
        weight = ops.convert_to_tensor(self.positive_weights or 1.0, y_pred.dtype)
        positive = weight * holds * (1.0 - p) ** self.focal * ops.log(p)
        return -ops.mean(positive + (1.0 - holds) * p**self.focal * ops.log(1.0 - p), axis=-1)

    def get_config(self):
        own = {"label_smoothing": self.label_smoothing, "focal": self.focal, "positive_weights": self.positive_weights}
        return super().get_config() | own


def check_focal(name, focal):
    """Raises ValueError unless it is a finite number of 0 or more."""
    number = isinstance(focal, int | float) and not isinstance(focal, bool) and 0 <= focal < float("inf")
    check(number, f"focal of '{name}' must be 0 or more.", f"focal={focal!r}", "2 is usual, 0 turns it off.")


@keras.saving.register_keras_serializable("mmkeras")
class Accuracy(keras.metrics.MeanMetricWrapper):
    """Share of right answers; of a mixed label, the class that it holds most of (several classes: 0.5 and more) counts.

    Args:
        multi_label: whether any number of classes may hold at once.
    """

    def __init__(self, multi_label=False, name="accuracy", dtype=None):
        super().__init__(_right_each if multi_label else _right, name, dtype)
        self.multi_label = multi_label
        self._direction = "up"  # tells Keras' callbacks with mode="auto" that higher is better

    def get_config(self):
        return {"multi_label": self.multi_label, "name": self.name, "dtype": self.dtype}


def _is_distribution(y_true, y_pred):
    return len(y_true.shape) == len(y_pred.shape) and y_true.shape[-1] == y_pred.shape[-1]


def _right(y_true, y_pred):
    if _is_distribution(y_true, y_pred):
        return keras.metrics.categorical_accuracy(y_true, y_pred)
    return keras.metrics.sparse_categorical_accuracy(y_true, y_pred)


def _right_each(y_true, y_pred):
    return keras.metrics.binary_accuracy(y_true >= 0.5, y_pred)
