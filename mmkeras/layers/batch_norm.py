from typing import Any

import keras
from keras import ops

from mmkeras.distribute.gather import sum_over_replicas


@keras.saving.register_keras_serializable("mmkeras")
class BatchNorm(keras.layers.BatchNormalization):
    """Batch normalisation that excludes absent examples from its statistics.

    It differs from `keras.layers.BatchNormalization` in three ways:

    - A mask excludes whole examples, or tokens, from the mean and variance. A batch without any present example is
      normalised by the moving averages and does not change them.
    - `momentum` is 0.9, as in PyTorch. With Keras' 0.99, the moving averages still hold a third of their initial
      values after 100 steps, so that validation scores of a short training are far too low.
    - Under `tf.distribute`, the moving averages are the unweighted mean over the replicas. Each replica normalises by
      its own part of the batch, unless `synchronized` is True.

    Computed in float32.

    Masking: values under False are excluded from the statistics; they are normalised like the others.

    Args:
        momentum: share of the old moving averages that each training step keeps.
        synchronized: whether the statistics are those of the present examples of all replicas, as on one device. See
            `distribute.synchronize_batch_norm`, which sets it in a whole model.
        **kwargs: of `keras.layers.BatchNormalization`, except `renorm`.

    Call arguments:
        inputs: (B, ..., D) float.
        mask: (B, 1) or (B, T) bool, where T is the second dimension of `inputs`; None for all True.
        training: whether the batch's own statistics are used, and the moving averages updated. A layer with
            `trainable = False` never does so.

    Returns:
        Same shape as `inputs`.

    Raises:
        ValueError: `renorm` is True.

    Example:

    >>> x = np.array([[1.0], [3.0], [99.0]], "float32")
    >>> BatchNorm()(x, mask=np.array([[True], [True], [False]]), training=True).numpy()[:2].round(2).tolist()
    [[-1.0], [1.0]]

    Source: Ioffe and Szegedy, arXiv 1502.03167, algorithm 1, with a mask.
    """

    def __init__(self, *, momentum: float = 0.9, synchronized: bool = False, **kwargs: Any) -> None:
        super().__init__(momentum=momentum, synchronized=synchronized, **kwargs)
        if self.renorm:
            raise ValueError(
                "BatchNorm has no renorm, which does not support masks. Received: renorm=True. Use "
                "keras.layers.BatchNormalization."
            )

    def add_weight(self, *args, trainable=True, **kwargs):
        # Without an aggregation, each replica would keep its own moving averages, and only the first ones be saved.
        return super().add_weight(*args, trainable=trainable, aggregation="none" if trainable else "mean", **kwargs)

    def call(self, inputs, mask=None, training=None):
        if not (training and self.trainable):
            return super().call(inputs, training=False)
        x = ops.cast(inputs, "float32")
        mean, variance = self._statistics(x, mask)
        for moving, new in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving + (new - moving) * (1.0 - self.momentum))
        y = ops.batch_normalization(x, mean, variance, self.axis, self.beta, self.gamma, self.epsilon)
        return ops.cast(y, self.compute_dtype)

    def _statistics(self, x, mask):
        """Mean and variance (D,) of the present values; the moving averages if there are none."""
        axes = [axis for axis in range(len(x.shape)) if axis != self.axis % len(x.shape)]
        if mask is None and not self.synchronized:
            return ops.moments(x, axes)
        mask = ops.ones((ops.shape(x)[0], 1), "bool") if mask is None else mask
        real = ops.reshape(mask, (-1, *ops.shape(mask)[1:], *[1] * (len(x.shape) - len(mask.shape))))
        count = self._of_all(ops.sum(ops.cast(real, "float32")))
        inner = [axis for axis in axes[1:] if real.shape[axis] == 1]

        def average(values, without):
            # Average unmasked axes first, which leaves fewer values to mask.
            values = ops.mean(values, inner, keepdims=True)
            total = self._of_all(ops.sum(ops.where(real, values, 0.0), axes))
            return ops.where(count > 0, total / ops.maximum(count, 1.0), without)

        mean = average(x, self.moving_mean)
        centred = x - ops.reshape(mean, [-1 if axis not in axes else 1 for axis in range(len(x.shape))])
        return mean, average(ops.square(centred), self.moving_variance)

    def _of_all(self, total):
        return sum_over_replicas(total) if self.synchronized else total

    def compute_mask(self, inputs, previous_mask=None):
        return None

    def compute_output_spec(self, inputs, mask=None, training=None):
        return keras.KerasTensor(inputs.shape, self.compute_dtype)
