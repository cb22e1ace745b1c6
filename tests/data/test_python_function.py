"""Python functions in the graphs of data sets."""

import gc
import weakref

import numpy as np
import pytest
import tensorflow as tf

import mmkeras as mm
from mmkeras.data.python_function import python_function


class Scale:
    """A function that can be referred to weakly."""

    def __call__(self, x):
        return 2 * x


@pytest.mark.parametrize("eager", [False, True])
def test_the_function_lives_as_long_as_its_data_set(eager):
    dataset, freed = _doubled(eager)
    gc.collect()
    iterator = iter(dataset)
    assert next(iterator).numpy() == 0
    del dataset
    gc.collect()
    assert [int(x) for x in iterator] == [1, 4, 6]
    del iterator
    gc.collect()
    assert freed() is None


def _doubled(eager):
    """0, 1, 4 and 6, and a weak reference to the function that doubles the last two in Python."""
    scale = Scale()

    def large(x):
        return tf.cond(x > 1, lambda: python_function(scale, [x], tf.int64, eager=eager), lambda: x)

    return tf.data.Dataset.range(4).map(large), weakref.ref(scale)


def test_eager_calls_return_at_once():
    assert int(python_function(Scale(), [tf.constant(3)], tf.int32)) == 6


@pytest.mark.parametrize("cache", [None, "memory"])
def test_batches_are_freed_and_all_that_they_are_made_of(raw, preprocess, heads, cache):
    part = raw.subset(np.arange(8))
    before = _datasets()
    for batches in (mm.data.train_batches, mm.data.eval_batches):
        for _ in batches(part, preprocess, heads, batch_size=4, cache=cache, verbose=False):
            pass
    assert _datasets() == before


def _datasets():
    gc.collect()
    return sum(isinstance(each, tf.data.Dataset) for each in gc.get_objects())
