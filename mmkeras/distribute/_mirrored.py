"""One machine with several devices."""

from typing import Any

import tensorflow as tf


class Mirrored(tf.distribute.MirroredStrategy):
    """`tf.distribute.MirroredStrategy` under which `fit` takes masks.

    Before the first step Keras averages one batch over the replicas, only to look at its shapes and dtypes (seen with
    Keras 3.15). That fails for bool and string tensors, and where a replica has fewer examples than another, and makes
    floats of integers; of all these, the first replica's part serves as well.
    """

    def reduce(self, reduce_op: Any, value: Any, axis: int | None = None) -> Any:
        """As `tf.distribute.Strategy.reduce`.

        The "mean" of values that are not floats, or that differ in shape, is that of the first replica.
        """

        def one(leaf):
            first, *others = self.experimental_local_results(leaf)
            alike = first.dtype.is_floating and all(other.shape == first.shape for other in others)
            if reduce_op in ("MEAN", tf.distribute.ReduceOp.MEAN) and axis is None and not alike:
                return first
            return super(Mirrored, self).reduce(reduce_op, leaf, axis)

        return tf.nest.map_structure(one, value)
