"""Conversion of the examples of a stream, where a file that fails is named with its example and modality."""

import os

import tensorflow as tf

from mmkeras.data.faults import Fault, cause_of, report

_MARK = b"damaged"  # no decoder takes it: what is marked fails again in `ready_batches`


def attempted(dataset, convert, makers, files, leaves, found, mark):
    """Converts each example; one that fails is tried again name by name, outside the graph.

    Args:
        dataset: `tf.data.Dataset`.
        convert: function, position and parts of an element -> dict of raw tensors and labels.
        makers: dict, raw or head name -> function of (tensor, position).
        files: the names among them that are files.
        leaves: dict, raw or head name -> function of an element that gives its tensor.
        found: dict, position -> `Fault`, that is added to.
        mark: put bytes that no decoder takes in place of a file that fails, instead of raising.

    Returns:
        tf.data.Dataset of dicts.
    """
    plain = dataset.enumerate()
    if not files:
        return plain.map(convert, tf.data.AUTOTUNE)
    spec = plain.map(convert).element_spec

    def retry(position, *element):
        flat = tf.nest.flatten(element)

        def one_by_one(position, *flat):
            parts = tf.nest.pack_sequence_as(element, flat)
            parts, row = parts if len(parts) > 1 else parts[0], int(position)
            made = {name: _made(make, leaves[name](parts), position, name, row) for name, make in makers.items()}
            faults = [(name, value) for name, value in made.items() if isinstance(value, Fault)]
            for name, fault in faults:
                if not mark or name not in files:
                    raise ValueError(report([fault]))
                found[row] = fault
                made[name] = tf.constant(_MARK)
            return tf.nest.flatten({name: made[name] for name in spec})

        values = tf.py_function(one_by_one, [position, *flat], [each.dtype for each in tf.nest.flatten(spec)])
        for value, each in zip(values, tf.nest.flatten(spec), strict=True):
            value.set_shape(each.shape)
        return tf.nest.pack_sequence_as(spec, values)

    def attempt(*example):
        one = tf.data.Dataset.from_tensors(example)
        return one.map(convert).ignore_errors().concatenate(one.map(retry)).take(1)

    made = plain.interleave(attempt, 16, 1, num_parallel_calls=os.cpu_count(), deterministic=True)
    known = int(dataset.cardinality())
    return made.apply(tf.data.experimental.assert_cardinality(known)) if known >= 0 else made


def _made(make, value, position, name, row):
    try:
        return make(value, position)
    except tf.errors.OpError as error:
        return Fault(row, name, "", cause_of(error))
