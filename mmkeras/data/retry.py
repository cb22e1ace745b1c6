"""A parallel map that retries failed elements one at a time in Python."""

import os

import tensorflow as tf

from mmkeras.data.python_function import python_function
from mmkeras.data.unoptimised import interleave_unoptimised, map_unoptimised


def map_or_retry(dataset, function, retry, workers=None):
    """Maps a function over a data set in parallel and in order; what fails goes to Python, the good path costs nothing.

    The second attempts follow each other. When two of them raise errors of TensorFlow at the same time, one thread can
    wait for Python's lock with a lock of TensorFlow in hand that the other needs: a deadlock, seen with 400 damaged
    clips in a batch.

    Args:
        dataset: `tf.data.Dataset` of tuples.
        function: function of an element, in the graph -> nested tensors.
        retry: function of an element of eager tensors -> the same nested tensors, or None for tensors whose free axes
            are empty.
        workers: how many elements are tried at once; None for as many as there are CPUs.

    Returns:
        `tf.data.Dataset` of what the functions give.
    """

    def attempt(*element):
        one = tf.data.Dataset.from_tensors(element)
        made, spec = _first_try(one, function)
        fast = made.map(lambda result: (element, tf.experimental.Optional.from_value(result)))
        slow = one.map(lambda *element: (element, tf.experimental.Optional.empty(spec)))
        return fast.ignore_errors().concatenate(slow).take(1)

    def finish(element, made):
        spec = made.element_spec
        return tf.cond(made.has_value(), made.get_value, lambda: _eagerly(retry, element, spec))

    workers = workers or os.cpu_count()
    made = interleave_unoptimised(dataset, attempt, workers)
    return made.map(finish)


def attempted(function):
    """The first attempt alone, for a data set that is mapped in another process.

    Returns:
        Function of an element -> (whether `function` succeeded, the element unless it did, its result if it did). What
        is not there is zeros, and has no rows where their number is not fixed.
    """

    def attempt(*element):
        one = tf.data.Dataset.from_tensors(element)
        made, spec = _first_try(one, function)
        fast = made.map(lambda result: (True, _blank(element), result))
        slow = one.map(lambda *element: (False, element, _blank(spec)))
        return fast.ignore_errors().concatenate(slow).take(1).get_single_element()

    return attempt


def settled(retry):
    """The second attempt alone, a function of what that of `attempted` returns."""

    def settle(succeeded, element, made):
        spec = tf.nest.map_structure(lambda x: tf.TensorSpec(x.shape, x.dtype), made)
        return tf.cond(succeeded, lambda: made, lambda: _eagerly(retry, element, spec))

    return settle


def _first_try(one, function):
    """A data set of (what `function` makes of an element,), not optimised; and the spec of that."""
    made = map_unoptimised(one, lambda *element: (_of(function(*element)),))
    return made, made.element_spec[0]


def _blank(spec):
    return tf.nest.map_structure(lambda x: tf.zeros([size or 0 for size in x.shape], x.dtype), spec)


def _of(value):
    """Converts a list to a tuple, because `tf.data` would take a list for one tensor."""
    return tuple(value) if isinstance(value, list) else value


def _eagerly(function, element, spec):
    """Calls a Python function of nested tensors within a graph; if it returns None, the tensors have no rows."""
    flat_spec = tf.nest.flatten(spec)

    def call(*flat):
        result = function(*tf.nest.pack_sequence_as(element, flat))
        if result is None:
            return _blank(flat_spec)
        return tf.nest.flatten(result)

    flat = python_function(call, tf.nest.flatten(element), [each.dtype for each in flat_spec], eager=True)
    for tensor, each in zip(flat, flat_spec, strict=True):
        tensor.set_shape(each.shape)
    return tf.nest.pack_sequence_as(spec, flat)
