"""keras-cv layers whose random numbers are derived from a given seed."""

import contextlib
import functools

import keras_cv
import tensorflow as tf


class Draws:
    """Random numbers derived from a given seed; replaces a layer's `tf.random.Generator`.

    keras-cv 0.9 draws in two stateful ways: from the generator of each layer, and from factor samplers, which call
    `tf.random`. `drive` replaces both by this object.

    Example:

    >>> draws = Draws()
    >>> with draws.seeded((1, 2)):
    ...     a = draws.uniform([3])
    >>> with draws.seeded((1, 2)):
    ...     b, c = draws.uniform([3]), draws.uniform([3])
    >>> np.array_equal(a, b), np.array_equal(b, c)
    (True, False)
    """

    def __init__(self):
        self._seed, self._count = None, 0

    @contextlib.contextmanager
    def seeded(self, seed):
        """Within this context, the n-th draw is a function of `seed` and n."""
        self._seed, self._count = tf.cast(seed, tf.int64), 0
        try:
            yield
        finally:
            self._seed = None  # the tensor may belong to a graph that no longer exists

    def _next(self):
        self._count += 1
        return tf.random.experimental.stateless_fold_in(self._seed, tf.constant(self._count, tf.int64))

    def uniform(self, shape, minval=0, maxval=None, dtype=tf.float32, name=None):
        return tf.random.stateless_uniform(shape, self._next(), minval, 1 if maxval is None else maxval, dtype)

    def normal(self, shape, mean=0.0, stddev=1.0, dtype=tf.float32, name=None):
        return tf.random.stateless_normal(shape, self._next(), mean, stddev, dtype)

    def _factor(self, sampler, shape=(), dtype="float32"):
        if isinstance(sampler, keras_cv.core.NormalFactorSampler):
            drawn = self.normal(shape, sampler.mean, sampler.stddev, dtype)
            return tf.clip_by_value(drawn, sampler.min_value, sampler.max_value)
        return self.uniform(shape, sampler.lower, sampler.upper, dtype)

    def drive(self, layer):
        """Makes a layer take its random numbers from this object, and compute in float32 under any dtype policy."""
        random = keras_cv.core.NormalFactorSampler, keras_cv.core.UniformFactorSampler
        for name, value in list(vars(layer).items()):
            if isinstance(value, random):
                setattr(layer, name, functools.partial(self._factor, value))
        layer._random_generator = self
        layer.dtype_policy = "float32"
        return layer
