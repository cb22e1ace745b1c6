"""Batches that `fit` reads through all its epochs with one iterator.

TensorFlow sets the graph of a data set up anew for each iterator, which takes a tenth of a second, and longer where it
optimises its functions (see `data.unoptimised`); Keras (3.15) makes two iterators in each epoch, and as many for its
validation.
"""

import tensorflow as tf


class ThroughEpochs(tf.data.Dataset):
    """The epochs from `epoch` on, one after the other; `iter` goes on with the iterator that there is.

    It is continued only where the last one has read whole epochs and `epoch` is still the number of the next one. An
    iterator does not end with its epoch: this is for `fit`, which takes as many batches as `cardinality` says.

    Args:
        build: function, the `tf.Variable` of the first epoch's number -> batches of that and all later epochs.
        steps: batches of an epoch.
        epoch: `tf.Variable`, the number of the next epoch, which is counted as the first batch of an epoch is taken;
            None where all epochs are alike.
    """

    def __init__(self, build, steps, epoch=None):
        self._build, self._steps, self._epoch, self._iterator = build, steps, epoch, None
        with tf.device("CPU:0"):
            self._first = tf.Variable(0, dtype=tf.int64, trainable=False)
            self._taken = tf.Variable(0, dtype=tf.int64, trainable=False)
        options = tf.data.Options()
        options.experimental_optimization.inject_prefetch = False  # a batch is counted when it is taken, not before
        self._batches = build(self._first).map(self._counted).with_options(options)
        super().__init__(self._batches._variant_tensor)

    @tf.autograph.experimental.do_not_convert
    def _counted(self, *batch):
        begun = self._taken.assign_add(1) - 1
        if self._epoch is not None:
            self._epoch.assign(self._first + begun // self._steps + 1)
        return batch if len(batch) > 1 else batch[0]

    def __iter__(self):
        ended, within = divmod(int(self._taken), self._steps)
        next_one = 0 if self._epoch is None else int(self._epoch)
        if self._iterator is None or within or (self._epoch is not None and next_one != int(self._first) + ended):
            self._first.assign(next_one)
            self._taken.assign(0)
            self._iterator = iter(self._batches)
        return self._iterator

    def map(self, function):
        """The same, with a function of each batch."""
        return ThroughEpochs(lambda first: self._build(first).map(function), self._steps, self._epoch)

    def cardinality(self):
        return tf.constant(self._steps, tf.int64)

    @property
    def element_spec(self):
        return self._batches.element_spec

    def _inputs(self):
        return [self._batches]
