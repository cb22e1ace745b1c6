"""One machine with several devices."""

import tensorflow as tf

from mmkeras.distribute._under_fit import UnderFit


class Mirrored(UnderFit, tf.distribute.MirroredStrategy):
    """`tf.distribute.MirroredStrategy` under which `fit` takes masks and uneven batches."""
