"""Sources of ready batches: the rows of a table, shards, a stream, or a cache of any of them."""

import numpy as np
import tensorflow as tf

from mmkeras.checks import suggested
from mmkeras.contract import SAMPLE_WEIGHT
from mmkeras.contract.raw_examples import RawExamples, has_weights, heads_known_to, selected
from mmkeras.data import faults
from mmkeras.data.batches.fingerprint import fingerprint
from mmkeras.data.batches.ready import ready_batches
from mmkeras.data.batches.share import Share
from mmkeras.data.batches.store import materialise
from mmkeras.data.examples import Examples
from mmkeras.data.labels import check_encoded, partly_labelled
from mmkeras.data.sources.stream import Stream
from mmkeras.data.tfrecord.shards import Shards

_READ_AT_ONCE = 64


def feed_of(raw, preprocess, heads, cache=None, on_error=None, verbose=True, share=None, servers=()):
    """The feed of raw examples.

    Args:
        raw, preprocess, heads, cache, on_error, verbose: as in `train_batches`.
        share: `Share` of this worker in a cache; None for a single worker.
        servers: addresses of the servers that make the batches; () for none.

    Raises:
        ValueError: names or heads do not fit together, the data set is infinite and is to be cached, or servers cannot
            make its batches.
    """
    _check_raw(raw, preprocess, heads)
    kinds = {Examples: TableFeed, Shards: ShardFeed, Stream: StreamFeed}
    kind = next((feed for kind, feed in kinds.items() if isinstance(raw, kind)), PlainFeed)
    _check_served(servers, raw, kind, cache)
    feed = kind(raw, preprocess, heads, on_error)
    feed.servers = servers
    return CachedFeed(feed, raw, heads, cache, verbose, share or Share()) if cache else feed


class Feed:
    """What all feeds share.

    Attributes:
        rows: how many examples there are, where they can be read by their position; else None.
        count: how many examples there are; None where it is not known.
        drops: whether batches may turn out smaller, as examples are skipped.
        skipped: list of faults, which grows as examples are skipped.
        weighted: whether the examples have weights.
        partly: names of the heads of which some labels are missing.
        servers: addresses of the servers that read and preprocess; () for this process.
    """

    rows = count = None
    servers = ()
    locate = staticmethod(faults.locate)

    def __init__(self, raw, preprocess, heads, on_error):
        known = isinstance(raw, RawExamples)
        self.on_error = on_error or (raw.on_error if known else "raise")
        faults.check_on_error(self.on_error)
        self.drops, self.skipped = self.on_error == "skip", list(raw.skipped) if known else []
        self.weighted = has_weights(raw, preprocess.input, heads)
        self.partly = partly_labelled(raw, heads)
        self.labelled = [head.name for head in heads] + [SAMPLE_WEIGHT] * self.weighted
        self.preprocess = preprocess
        wanted = [*preprocess.input, *self.labelled]  # files of other modalities are not read
        self.raw = selected(raw, wanted)

    def of(self, worker, workers):
        """The feed from which a worker reads."""
        return self

    def ready(self, keyed, finish, empty="drop"):
        """Maps batches (key, payload) with `finish(key, inputs, labels)`, in a single function if possible.

        Batches of which all examples are skipped are dropped, kept (without rows), or refused with an error: "drop",
        "keep" or "refuse".
        """
        skips = self.on_error, self.skipped, empty == "refuse"
        how = self.read, self.describe, self.preprocess, self.labelled, *skips, self.locate, self.servers
        made = ready_batches(keyed, *how)
        if self.drops and empty == "drop":
            made = made.filter(lambda key, ready, labels: tf.shape(next(iter(ready.values())))[0] > 0)
        return made.map(finish, tf.data.AUTOTUNE)


class TableFeed(Feed):
    """Rows of `Examples`, read by position."""

    def __init__(self, raw, preprocess, heads, on_error):
        super().__init__(raw, preprocess, heads, on_error)
        self.rows = self.count = len(raw.frame)
        self.labels, self.read = self.raw.table, self.raw.read

    def in_order(self, batch_size, rows=None):
        every = tf.data.Dataset.range(self.rows) if rows is None else tf.data.Dataset.from_tensor_slices(rows)
        return every.batch(batch_size).map(lambda rows: (0, rows))

    def describe(self, rows):
        position = int(rows[0])
        return self.raw.frame.index[position], lambda name: self.raw.origin(position, name)

    def lengths(self, name):
        """Length of each row's text in bytes."""
        return np.array([len(text) for text in self.raw.table[name]])


class ShardFeed(Feed):
    """Records of TFRecord shards."""

    def __init__(self, raw, preprocess, heads, on_error):
        super().__init__(raw, preprocess, heads, on_error)
        self.count, self.describe = self.raw.rows, self.raw.describe

    def in_order(self, batch_size):
        return self.raw.records().batch(batch_size).map(lambda *records: (0, records))

    def shuffled(self, batch_size, buffer, seed):
        """Batches shuffled by shard and then in a buffer, and the variable that holds the number of the epoch."""
        return self.raw.epochs(batch_size, buffer, seed)

    def read(self, payload, name=None):
        return self.raw.parse(payload[1])


class PlainFeed(Feed):
    """The examples of any `tf.data.Dataset`, in order."""

    @property
    def _examples(self):
        return self.raw

    def in_order(self, batch_size):
        return self._examples.enumerate().batch(batch_size).map(lambda *payload: (0, payload))

    def shuffled(self, batch_size, buffer, seed):
        """Batches shuffled in a buffer; their order cannot be replayed."""
        batches = self._examples.enumerate().shuffle(buffer, seed).batch(batch_size, drop_remainder=True)
        seeds = tf.data.Dataset.random(seed, rerandomize_each_iteration=True).batch(2)
        return tf.data.Dataset.zip(seeds, batches).map(lambda key, payload: (key, payload)), None

    def read(self, payload, name=None):
        return payload[1]

    def describe(self, payload):
        return int(payload[0][0]), lambda name: ""


class StreamFeed(PlainFeed):
    """The examples of a `Stream`. A file that cannot be converted is marked, so that it is reported or skipped."""

    @property
    def _examples(self):
        return self.raw.marked

    def locate(self, *args):
        return self.raw.locate(*args)


class CachedFeed:
    """The ready tensors of another feed, in memory or on disk, read by position.

    Where they are the share of one worker, all others are read from the other feed.
    """

    drops = False
    servers = ()

    def __init__(self, feed, raw, heads, cache, verbose, share):
        self.feed, self.share = feed, share
        self.preprocess, self.names, self.labelled = feed.preprocess, list(feed.preprocess.output), feed.labelled
        self.weighted, self.partly, self.skipped = feed.weighted, feed.partly, feed.skipped
        keyed = feed.in_order(_READ_AT_ONCE) if share.rows is None else feed.in_order(_READ_AT_ONCE, share.rows)
        batches = feed.ready(keyed, lambda key, x, y: (key, x, y))
        content, cache = None, share.place(cache)
        if cache != "memory":
            content = fingerprint(raw, feed.preprocess, heads, feed.on_error, *share.settings, verbose=verbose)
        rows = _count(raw) if share.rows is None else len(share.rows)
        steps = -(-rows // _READ_AT_ONCE)
        self.store = materialise(batches, rows, steps, cache, content, self.skipped, verbose)
        self.rows = self.count = self.store.rows if share.rows is None else feed.rows
        self.labels = self.store.arrays if share.rows is None else feed.labels

    in_order = TableFeed.in_order

    def of(self, worker, workers):
        """As `Feed.of`."""
        return self if self.share.rows is None or self.share.of == (worker, workers) else self.feed

    def ready(self, keyed, finish, empty="drop"):
        """As `Feed.ready`; nothing is skipped any more."""

        def stored(key, rows):
            batch = self.store.read(self.share.places(rows))
            inputs, labels = ({name: batch[name] for name in names} for names in (self.names, self.labelled))
            return finish(key, inputs, labels)

        return keyed.map(stored, tf.data.AUTOTUNE).with_options(self.store.options)

    def lengths(self, name):
        """Length of each row's text in tokens."""
        return self.store.lengths(f"{name}_mask")


def _check_served(servers, raw, kind, cache):
    if servers and kind not in (TableFeed, ShardFeed):
        raise ValueError(
            "service= needs examples that any machine can read in any order: those of from_csv, from_jsonl, "
            f"from_dataframe or from_tfrecord. Received: {type(raw).__name__}. Write them with mm.data.write_tfrecord "
            "first."
        )
    if servers and cache:
        raise ValueError(
            "service= makes the batches of every epoch anew, and cache= keeps them. Received: "
            f"service={list(servers)!r}, cache={str(cache)!r}. Leave one of them out."
        )


def _count(raw):
    if raw.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise ValueError("cache= needs a finite data set. Received: an infinite one. Take a part of it: raw.take(n).")
    known = int(raw.cardinality())
    if known >= 0:
        return known
    counted = raw.dataset if isinstance(raw, Stream) else raw  # counting does not need the converted examples
    return int(counted.reduce(np.int64(0), lambda n, *_: n + 1))


def _check_raw(raw, preprocess, heads):
    wanted = [*preprocess.input, *(head.name for head in heads)]
    received = raw.element_spec if isinstance(raw.element_spec, dict) else {}
    missing = suggested([name for name in wanted if name not in received], received)
    _check_heads(heads_known_to(raw), heads)
    clash = [head.name for head in heads if head.name in preprocess.output]
    if missing or clash:
        raise ValueError(
            f"Raw examples must be dicts with each raw name and each head's label. Missing: [{missing}]. Received: "
            f"{list(received)}. Heads with the name of an input: {clash}. Rename the keys."
        )
    check_encoded(received, heads)


def _check_heads(encoded, heads):
    """Raises ValueError unless the labels were encoded by these heads: others of the same name would misread them."""
    known = {head.name: head for head in encoded}
    for head in heads:
        first = known.get(head.name, head)
        if (first.label, first.classes) != (head.label, head.classes):
            raise ValueError(
                f"The labels of '{head.name}' were read with another head. Expected: {first}. Received: {head}. "
                "Read the table with the heads that you train."
            )
