"""Strategy for one machine with several devices."""

import tensorflow as tf

from mmkeras.distribute._under_fit import UnderFit


class Mirrored(UnderFit, tf.distribute.MirroredStrategy):
    """`tf.distribute.MirroredStrategy` under which `fit` supports masks and uneven batches."""
