"""Losses of `masked_model`: prediction of masked values, and of whether the modalities of an example match."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("mmkeras")
class MaskedTokens(keras.losses.Loss):
    """Cross-entropy of the hidden tokens: the mean over those of each example; 0 where an example has none.

    Labels are ids (B, T) int, -1 where a token was not hidden; outputs are logits (B, T, N).

    Example:

    >>> round(float(MaskedTokens()(np.array([[1, -1]]), np.zeros((1, 2, 4)))), 4)  # log 4
    1.3863

    Source: Devlin et al., arXiv 1810.04805, section 3.1; there the mean is over all hidden tokens of a batch.
    """

    def call(self, y_true, y_pred):
        hidden = y_true >= 0
        ids = ops.maximum(ops.cast(y_true, "int32"), 0)
        terms = keras.losses.sparse_categorical_crossentropy(ids, y_pred, from_logits=True)
        return _mean(terms, hidden)


@keras.saving.register_keras_serializable("mmkeras")
class MaskedPatches(keras.losses.Loss):
    """Mean absolute error of the hidden patches: the mean over those of each example; 0 where an example has none.

    Labels are numbers (B, T, P), NaN where a patch was not hidden; outputs are (B, T, P).

    Example:

    >>> float(MaskedPatches()(np.array([[[1.0], [np.nan]]]), np.zeros((1, 2, 1))))
    1.0

    Source: Xie et al., SimMIM, arXiv 2111.09886, section 3.4.
    """

    def call(self, y_true, y_pred):
        known = ops.logical_not(ops.isnan(y_true))
        apart = ops.abs(ops.where(known, y_true, 0.0) - y_pred)
        return _mean(ops.mean(apart, axis=-1), ops.all(known, axis=-1))


@keras.saving.register_keras_serializable("mmkeras")
class Matching(keras.losses.Loss):
    """Binary cross-entropy of whether the modalities of an example belong together; 0 where the label is NaN.

    Labels are 0 or 1 (B, 1), NaN where it is not known, as something is absent; outputs are probabilities (B, 1).

    Example:

    >>> round(float(Matching()(np.array([[1.0], [np.nan]]), np.array([[0.5], [0.5]]))), 4)  # log(2) / 2
    0.3466

    Source: Lu et al., ViLBERT, arXiv 1908.02265, section 3.2.
    """

    def call(self, y_true, y_pred):
        known = ops.logical_not(ops.isnan(y_true))
        terms = keras.losses.binary_crossentropy(ops.where(known, y_true, 0.0), y_pred)
        return ops.where(known[:, 0], terms, 0.0)


def _mean(terms, hidden):
    """Mean over the masked tokens: (B, T) -> (B,)."""
    hidden = ops.cast(hidden, terms.dtype)
    return ops.sum(terms * hidden, axis=1) / ops.maximum(ops.sum(hidden, axis=1), 1.0)
