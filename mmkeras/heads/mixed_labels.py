"""Loss and metric of classes whose labels may be mixed, and so be distributions."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("mmkeras")
class Crossentropy(keras.losses.Loss):
    """Categorical crossentropy of class numbers (B,) or of distributions over the classes (B, N), smoothed or not.

    Training data may be mixed, and their labels distributions, while the evaluation data of one `fit` hold numbers.

    Args:
        label_smoothing: share of the target that is spread over all classes, in [0, 1).

    Source: Szegedy et al., Rethinking the Inception Architecture, arXiv 1512.00567, section 7.
    """

    def __init__(self, label_smoothing=0.0, name="crossentropy", **kwargs):
        super().__init__(name=name, **kwargs)
        self.label_smoothing = label_smoothing

    def call(self, y_true, y_pred):
        if not _is_distribution(y_true, y_pred):
            y_true = ops.reshape(ops.cast(y_true, "int32"), (-1,))
            if not self.label_smoothing:
                return keras.losses.sparse_categorical_crossentropy(y_true, y_pred)
            y_true = ops.one_hot(y_true, y_pred.shape[-1], dtype=y_pred.dtype)
        return keras.losses.categorical_crossentropy(y_true, y_pred, label_smoothing=self.label_smoothing)

    def get_config(self):
        return super().get_config() | {"label_smoothing": self.label_smoothing}


@keras.saving.register_keras_serializable("mmkeras")
class Accuracy(keras.metrics.MeanMetricWrapper):
    """Share of right answers; of a mixed label, the class that it holds most of (several classes: 0.5 and more) counts.

    Args:
        multi_label: whether any number of classes may hold at once.
    """

    def __init__(self, multi_label=False, name="accuracy", dtype=None):
        super().__init__(_right_each if multi_label else _right, name, dtype)
        self.multi_label = multi_label
        self._direction = "up"  # where Keras' callbacks have to tell better from worse

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
