"""The share of one worker in a cache: which rows it reads in every epoch, and the folder that holds them."""

import dataclasses
import functools
import hashlib
from pathlib import Path

import numpy as np
import tensorflow as tf

from mmkeras.data import order
from mmkeras.data.examples import Examples
from mmkeras.distribute import cluster


@dataclasses.dataclass(frozen=True)
class Share:
    """What a worker keeps.

    Args:
        of: (worker, workers).
        rows: (n,) int64, ascending numbers of the rows; None for all.
        order: "shuffled" or "in-order", in which the rows are read; the same examples are shared out differently.
    """

    of: tuple[int, int] = (0, 1)
    rows: np.ndarray | None = dataclasses.field(default=None, kw_only=True)
    order: str = dataclasses.field(default="shuffled", kw_only=True)

    def place(self, cache):
        """Where the cache is: workers may have one file system, and must not write to the same files."""
        worker, workers = self.of
        if cache == "memory" or workers == 1 or not isinstance(cache, str | Path):
            return cache
        return Path(cache).expanduser() / f"worker-{worker}-of-{workers}-{self.order}"

    @property
    def settings(self):
        """What tells the share of these rows from others, for `fingerprint`."""
        return () if self.rows is None else (hashlib.sha256(self.rows.tobytes()).hexdigest(),)

    def places(self, rows):
        """Numbers of rows (B,) int64 -> their places among the rows of this share."""
        return rows if self.rows is None else tf.searchsorted(self._ascending, rows, out_type=tf.int64)

    @functools.cached_property
    def _ascending(self):
        with tf.init_scope(), tf.device("CPU:0"):  # captured by the graphs that use it, not copied into them
            return tf.constant(self.rows)


def share_of_training(raw, batch_size, on_error, *, drawn_from_all):
    """This worker's share of `train_batches`.

    Args:
        raw, batch_size, on_error: as in `train_batches`.
        drawn_from_all: whether any row may come into any place of a batch.
    """
    own = None if drawn_from_all else order.own_rows
    return _share(own, raw, batch_size, on_error, "shuffled")


def share_in_order(raw, batch_size, on_error):
    """This worker's share of `eval_batches`. Args: as in `eval_batches`."""
    return _share(order.own_rows_in_order, raw, batch_size, on_error, "in-order")


def _share(own, raw, batch_size, on_error, name):
    here = cluster()
    of = here.worker, here.workers
    # What a row's number is after others were skipped, or in a stream, is known only once all of them have been read.
    known = isinstance(raw, Examples) and (on_error or raw.on_error) != "skip"
    rows = own(len(raw.frame), batch_size, *of) if own and known and here.workers > 1 else None
    # Of a few rows, a worker may have none; a cache needs at least one.
    return Share(of, rows=None if rows is None or not len(rows) else rows, order=name)
