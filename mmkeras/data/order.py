"""The order of rows: which rows make up each batch of each epoch."""

import numpy as np
import tensorflow as tf

_plain = tf.autograph.experimental.do_not_convert  # AutoGraph has nothing to convert here, which takes it half a second
_GOLDEN = 0.6180339887498949
_MOST_LANES = 48
_ROWS_OF_A_LANE = 100


@_plain
def epochs(rows, batch_size, seed, lengths=None, line=None):
    """A data set of batches of rows (batch_size,) int64 whose order depends only on (seed, epoch).

    The rows are shuffled as a whole, without a shuffle buffer. Each iteration is the next epoch; the returned variable
    holds its number, so that an interrupted run can be resumed.

    Without `lengths` and `line`, the shuffle is stratified: row r belongs to lane r % `lanes(rows, batch_size)`, each
    lane is shuffled by itself, and fills its own places in every batch. So the order is the same for any number of
    workers, and yet each of them reads the same rows in every epoch (`own_rows`), which are all that it has to cache.

    Args:
        rows: number of rows. The last rows that do not fill a batch are left out of an epoch.
        batch_size: rows of a batch.
        seed: int.
        lengths: (rows,) numbers; rows of similar length are then put into the same batch.
        line: rows and the ends of their pieces, as `balance.line` makes them; rows are then drawn from it, as many as
            an epoch has without it.

    Returns:
        The data set, elements (seed of the batch (2,) int64, rows (batch_size,) int64), and the epoch, a `tf.Variable`.
    """
    with tf.device("CPU:0"):
        lengths = None if lengths is None else tf.constant(lengths)
        line = None if line is None else tuple(map(tf.constant, line))
    steps = rows // batch_size
    parts = lanes(rows, batch_size) if lengths is None and line is None else 1

    def batches(epoch):
        start = tf.stack([tf.constant(seed, tf.int64), epoch])
        if parts > 1:
            order = _in_lanes(rows, parts, steps, batch_size // parts, start)
        else:
            drawn = tf.range(rows, dtype=tf.int64) if line is None else _drawn(*line, steps * batch_size, seed, epoch)
            order = tf.random.experimental.stateless_shuffle(drawn, start)[: steps * batch_size]
        if lengths is not None:
            order = _alike(order, lengths, batch_size, start)
        step = epoch * steps + tf.range(steps, dtype=tf.int64)
        seeds = tf.stack([tf.fill([steps], start[0]), step], axis=1)
        return tf.data.Dataset.from_tensor_slices((seeds, tf.reshape(order, [steps, batch_size])))

    return counted(batches, steps)


def lanes(rows, batch_size):
    """Number of lanes: the largest one that divides `batch_size`, with at least 100 rows in each.

    It divides 48, so that 2, 3, 4, 6, 8, ... workers have the same number of lanes. A lane with one row more than
    others leaves one out in each epoch; its rows are drawn up to 1 % less often, for which the 100 are.
    """
    possible = [n for n in range(2, _MOST_LANES + 1) if _MOST_LANES % n == batch_size % n == 0]
    return max([n for n in possible if rows >= n * _ROWS_OF_A_LANE], default=1)


def own_rows(rows, batch_size, worker, workers):
    """Numbers of the rows that a worker reads in any epoch of `epochs`, (n,) int64; None for all.

    Args:
        rows, batch_size: as of `epochs`, which is called without `lengths` and `line`.
        worker: which of the workers.
        workers: number of workers.
    """
    parts = lanes(rows, batch_size)
    if parts % workers:
        return None
    lane = np.arange(rows) % parts
    return np.flatnonzero(lane * workers // parts == worker)


def own_rows_in_order(rows, batch_size, worker, workers):
    """As `own_rows`, where batches follow the order of the rows and the last one may be smaller."""
    place = np.arange(rows) % batch_size
    size = np.minimum(batch_size, rows - (np.arange(rows) - place))
    return np.flatnonzero((place >= size * worker // workers) & (place < size * (worker + 1) // workers))


@_plain
def part(keyed, worker, workers, replicas=1):
    """Of each batch (key, payload), what one worker reads: the parts of all replicas of all workers, in turn, are it.

    Args:
        keyed: data set of batches (key, payload). A key that is a seed (2,) becomes another one for each part.
        worker: which of the workers.
        workers: number of workers.
        replicas: how many each of them has; each gets an element of its own, one after the other.

    Returns:
        tf.data.Dataset with `replicas` elements for each batch, some of which may have no rows.
    """
    if workers * replicas == 1:
        return keyed

    def cut(key, payload):
        first = worker * replicas
        return tf.data.Dataset.range(first, first + replicas).map(lambda i: (_key(key, i), _rows(payload, i)))

    def _key(key, i):
        return key if key.shape.rank == 0 else tf.random.experimental.stateless_fold_in(key, i)

    def _rows(payload, i):
        first = tf.nest.flatten(payload)[0]
        size = tf.shape(first, tf.int64)[0]
        begin, end = size * i // (workers * replicas), size * (i + 1) // (workers * replicas)
        return tf.nest.map_structure(lambda tensor: tensor[begin:end], payload)

    if not hasattr(keyed, "of_epoch"):
        return keyed.flat_map(cut)
    return _by_epoch(keyed.number, lambda number: keyed.of_epoch(number).flat_map(cut), keyed.steps * replicas)


@_plain
def counted(batches, steps):
    """A data set whose n-th iteration is `batches(n)`, with `steps` elements; and the `tf.Variable` n.

    Its attributes say the same to those who make the batches elsewhere: `number`, a data set of n alone, which counts;
    `of_epoch`, a function that depends on nothing but n, `batches`; and `steps`.
    """
    with tf.device("CPU:0"):
        epoch = tf.Variable(0, dtype=tf.int64, trainable=False, name="epoch")
    number = tf.data.Dataset.from_tensors(0).map(lambda _: epoch.assign_add(1) - 1)
    return _by_epoch(number, batches, steps), epoch


@_plain
def endless(keyed, first):
    """The batches of `keyed` in all epochs from the number in the `tf.Variable` `first` on."""
    if not hasattr(keyed, "of_epoch"):
        return keyed.repeat()
    start = tf.data.Dataset.from_tensors(0).map(lambda _: first.read_value())
    numbers = start.flat_map(lambda number: tf.data.Dataset.range(number, tf.int64.max))
    return _with_parts(numbers.flat_map(keyed.of_epoch), numbers, keyed.of_epoch, keyed.steps)


def _by_epoch(number, of_epoch, steps):
    made = number.flat_map(of_epoch).apply(tf.data.experimental.assert_cardinality(steps))
    return _with_parts(made, number, of_epoch, steps)


def _with_parts(made, number, of_epoch, steps):
    made.number, made.of_epoch, made.steps = number, of_epoch, steps
    return made


def _in_lanes(rows, parts, steps, each, seed):
    """Order of rows (steps * parts * each,) in which every batch has `each` rows of each lane, lane by lane."""
    chosen = []
    for lane in range(parts):
        there = tf.range(lane, rows, parts, dtype=tf.int64)
        own = tf.random.experimental.stateless_fold_in(seed, lane)
        chosen.append(tf.random.experimental.stateless_shuffle(there, own)[: steps * each])
    by_batch = tf.transpose(tf.reshape(tf.stack(chosen), [parts, steps, each]), [1, 0, 2])
    return tf.reshape(by_batch, [-1])


def _drawn(rows, ends, size, seed, epoch):
    """Systematic sampling: the rows at `size` equidistant points.

    A row, or a class that lies in one piece, is drawn as often as its share of `size` says, rounded up or down. In each
    epoch the points are shifted by the golden ratio of their distance, so that a row is also drawn as often as its
    share says over all epochs, at fairly regular intervals.

    Source: W. G. Madow and L. H. Madow, On the Theory of Systematic Sampling, Annals of Mathematical Statistics 15
    (1944); the steps are the one-dimensional Kronecker sequence of least discrepancy.
    """
    first = tf.random.stateless_uniform([], [seed, 0], dtype=tf.float64)
    offset = tf.math.floormod(first + tf.cast(epoch, tf.float64) * _GOLDEN, 1.0)
    points = (tf.range(size, dtype=tf.float64) + offset) / size
    places = tf.searchsorted(ends, points, side="right")
    return tf.gather(rows, tf.minimum(places, tf.size(rows) - 1))


def _alike(order, lengths, batch_size, seed, pool=50):
    """Groups rows of similar length: sorts pools of 50 batches by length, then shuffles the batches."""
    rank = tf.range(tf.size(order)) // (pool * batch_size)
    key = tf.cast(rank, tf.float64) * 1e9 + tf.cast(tf.gather(lengths, order), tf.float64)
    batches = tf.reshape(tf.gather(order, tf.argsort(key, stable=True)), [-1, batch_size])
    return tf.random.experimental.stateless_shuffle(batches, seed + 1)
