"""Raw examples -> answers, batch by batch; rows that fail are named."""

import collections
import functools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import tensorflow as tf

from mmkeras.data.faults import locate, report

_WORKERS = 4  # number of batches that are processed concurrently


def answered(answer, examples, count, preprocess, batch_size, skip):
    """Answers of the batches, in order.

    Args:
        answer: function, dict of raw tensors -> answers, any structure of tensors (B, ...).
        examples: `Examples`, or None where `count` is 0.
        count: how many there are.
        preprocess: the model from raw to ready.
        batch_size: rows of a batch.
        skip: whether rows that fail are left out, instead of raising.

    Yields:
        (positions of the rows that have an answer, answers, list of `Fault`).

    Raises:
        ValueError: rows fail; those of one batch are named.
    """
    rows = [np.arange(start, min(start + batch_size, count)) for start in range(0, count, batch_size)]
    yield from _ahead(functools.partial(_batch, answer, examples, preprocess, skip), rows)


def no_rows(preprocess):
    """Raw tensors of zero examples."""
    return {name: tf.zeros((0, *x.shape[1:]), x.dtype) for name, x in preprocess.input.items()}


def _ahead(function, items):
    """Yields results in order, computing up to `_WORKERS` of the next ones in threads meanwhile."""
    with ThreadPoolExecutor(_WORKERS) as pool:
        waiting = collections.deque()
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > _WORKERS:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _batch(answer, examples, preprocess, skip, rows):
    try:
        return rows, answer(_raw(examples, preprocess, rows)), []
    except tf.errors.OpError as error:
        faults = _faults(answer, examples, preprocess, rows)
        if not faults:
            raise
        if not skip:
            raise ValueError(report(list(faults.values()))) from error
    good = np.array([row for row in rows if row not in faults], "int64")
    return good, answer(_raw(examples, preprocess, good)) if len(good) else None, list(faults.values())


def _faults(answer, examples, preprocess, rows):
    """Position -> `Fault` for each row of a batch that fails on its own."""
    faults = {}
    for row in rows:
        try:
            answer(_raw(examples, preprocess, [row]))
        except tf.errors.OpError as error:
            read = functools.partial(examples.read, tf.constant([row], tf.int64))
            origin = functools.partial(examples.origin, row)
            faults[row] = locate(error, read, preprocess, examples.frame.index[row], origin)
    return faults


def _raw(examples, preprocess, rows):
    raw = examples.read(tf.constant(rows, tf.int64))
    return {name: raw[name] for name in preprocess.input}
