"""Training with CTC: masking of the output layer, the loss, and the metrics."""

import keras
from keras import ops

from mmkeras.decoding import edit_distance
from mmkeras.decoding.ctc import blank_where_masked, ctc_path


@keras.saving.register_keras_serializable("mmkeras")
class BlankWhereMasked(keras.layers.Layer):
    """Logits (B, T, V) and mask (B, T) -> logits that give the blank at masked steps."""

    def call(self, logits, mask):
        return blank_where_masked(logits, mask)

    def compute_output_spec(self, logits, mask):
        return keras.KerasTensor(logits.shape, "float32")


@keras.saving.register_keras_serializable("mmkeras")
class CTCLoss(keras.losses.Loss):
    """-log of the probability of all paths that spell the targets, (B,).

    Targets are ids (B, U), zeros behind them; logits (B, T, V) with the blank first; masked time steps are blank.
    """

    def __init__(self, name="ctc_loss", **kwargs):
        super().__init__(name=name, **kwargs)

    def call(self, y_true, y_pred):
        targets, logits = ops.cast(y_true, "int32"), ops.cast(y_pred, "float32")
        lengths = ops.sum(ops.cast(targets > 0, "int32"), axis=1)
        return ops.ctc_loss(targets, logits, lengths, ops.full_like(lengths, logits.shape[1]), mask_index=0)


@keras.saving.register_keras_serializable("mmkeras")
class ErrorRate(keras.metrics.Metric):
    """Units inserted, deleted or replaced, per unit of the targets, of the best path: of words WER, of characters CER.

    Call arguments:
        y_true: ids (B, U), zeros behind them.
        y_pred: logits (B, T, V), the blank first.
        sample_weight: (B,), or None.

    >>> metric = ErrorRate("wer")
    >>> float(metric(np.array([[1, 2]]), np.eye(3)[[[1, 0, 1]]]))
    0.5
    """

    def __init__(self, name="error_rate", **kwargs):
        super().__init__(name=name, **kwargs)
        self._direction = "down"
        self.errors = self.add_variable((), "zeros", name="errors")
        self.units = self.add_variable((), "zeros", name="units")

    def update_state(self, y_true, y_pred, sample_weight=None):
        targets = ops.cast(y_true, "int32")
        ids, counts = ctc_path(y_pred)
        errors = edit_distance(ops.where(counts, ids, 0), expected=targets)
        units = ops.sum(ops.cast(targets > 0, "float32"), axis=1)
        weight = 1.0 if sample_weight is None else ops.reshape(ops.cast(sample_weight, "float32"), (-1,))
        self.errors.assign_add(ops.sum(errors * weight))
        self.units.assign_add(ops.sum(units * weight))

    def result(self):
        return self.errors / ops.maximum(self.units, 1e-6)
