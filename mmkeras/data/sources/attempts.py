"""Converts the examples of a stream; errors name the example and the modality."""

import tensorflow as tf

from mmkeras.data.faults import Fault, cause_of, report
from mmkeras.data.retry import map_or_retry

_MARK = b"damaged"  # no decoder accepts it, so marked files fail again in `ready_batches`


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

    def one_by_one(position, *element):
        parts, row = element if len(element) > 1 else element[0], int(position)
        made = {name: _made(make, leaves[name](parts), position, name, row) for name, make in makers.items()}
        for name, fault in made.items():
            if isinstance(fault, Fault):
                if not mark or name not in files:
                    raise ValueError(report([fault]))
                found[row] = fault
                made[name] = tf.constant(_MARK)
        return made

    made = map_or_retry(plain, convert, one_by_one, workers=16)
    known = int(dataset.cardinality())
    return made.apply(tf.data.experimental.assert_cardinality(known)) if known >= 0 else made


def _made(make, value, position, name, row):
    try:
        return make(value, position)
    except tf.errors.OpError as error:
        return Fault(row, name, "", cause_of(error))
