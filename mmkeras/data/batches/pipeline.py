"""Raw examples -> batches for `model.fit`, `evaluate` and `predict`."""

from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING

import keras
import tensorflow as tf

from mmkeras.augment import in_turn
from mmkeras.augment.steps import Augmentation
from mmkeras.contract.raw_examples import heads_known_to
from mmkeras.data import order
from mmkeras.data.batches.balance import check_balance, line
from mmkeras.data.batches.checks import check_bucket, check_rows, check_scope, check_types
from mmkeras.data.batches.feeds import feed_of
from mmkeras.data.batches.fingerprint import fingerprint
from mmkeras.data.batches.full import check_size, never_none, of_size, shared_out
from mmkeras.data.batches.share import share_in_order, share_of_training
from mmkeras.data.batches.through_epochs import ThroughEpochs
from mmkeras.data.labels import as_targets, heads_of
from mmkeras.data.service.address import check_addresses
from mmkeras.data.weights import check_headless, check_learned, check_unbalanced, with_weights
from mmkeras.distribute import cluster

if TYPE_CHECKING:
    from mmkeras.heads import Head


def train_batches(
    raw: tf.data.Dataset,
    preprocess: keras.Model,
    heads: Sequence["Head"] | None = None,
    *,
    batch_size: int = 32,
    seed: int = 0,
    cache: str | PathLike[str] | None = None,
    bucket_by: str | None = None,
    augment: Augmentation | Sequence[Augmentation] | None = None,
    balance: str | Sequence[str] | None = None,
    shuffle_buffer: int = 10_000,
    on_error: str | None = None,
    service: str | Sequence[str] | None = None,
    verbose: bool = True,
) -> tf.data.Dataset:
    """Shuffled batches (inputs, labels[, sample weights]), dicts by name; one iteration is one epoch.

    The order is reproducible: it depends on `seed` and the number of the epoch only. Incomplete batches are dropped
    (different examples in each epoch), so that all replicas of a strategy get equal shares. Keras may read a batch
    before training (under MirroredStrategy it does), which counts as an epoch here; with
    `train.callbacks(run_dir, batches)` the epochs are those of `fit`. On one device, `fit` reads more than two epochs
    with one iterator, where their number of batches is known (not with `on_error="skip"`): to begin a new one takes a
    tenth of a second, and some batches of the next epoch are prepared before the last one ends.

    Args:
        raw: `Examples`, which are shuffled as a whole (where there are 200 and more, in up to 48 strata, row numbers
            modulo their number, of which each batch has equal parts); the result of `from_tfrecord`, of which the
            shards are shuffled, and the records within a buffer; or any `tf.data.Dataset` of raw examples, shuffled
            within a buffer.
        preprocess: adapted model, raw -> ready.
        heads: list of heads whose labels are part of the raw examples. None uses those that `raw` was read with; ()
            gives batches of inputs only, for models trained without labels (`mm.dual_encoder`). Class weights of heads
            become sample weights, multiplied by those of the examples (`from_csv(..., weights=)`). A missing label has
            weight 0.
        batch_size: number of examples in a batch, over all replicas.
        seed: seed of the order and of augmentation.
        cache: None decodes in every epoch. "memory" decodes once, at the call, and keeps the *ready* tensors; a path
            stores them in that folder for later runs (use one folder for each data set). Masks are stored as lengths,
            and waveforms of 16-bit files as int16. A cached data set is shuffled like `Examples`. Of several workers
            (see `distribute.strategy`), each decodes and keeps only the examples that it trains on, in a subfolder of
            its own. Each keeps all examples with `bucket_by`, `balance` or `on_error="skip"`, if `raw` is not
            `Examples`, and unless the number of workers divides 48 and `batch_size`.
        bucket_by: name of a text: batches contain texts of similar length, and are trimmed to the longest of them.
        augment: function (ready dict, labels dict, seed (2,) int64) -> (ready, labels) of a batch, such as those of
            `mmkeras.augment`, or a list of them, each with its own seed. The results are not cached.
        balance: name of a classification head, or a list of them: rows are sampled so that its classes are
            equally frequent, with the same number of steps; see `data.balance` for several heads or multi-label heads.
            Needs `Examples` or `cache`. It can't be combined with class weights, which serve the same purpose, or with
            weights of examples.
        shuffle_buffer: size of the buffer, for a `raw` that is neither `Examples` nor cached.
        on_error: "raise" or "skip"; None uses that of `raw`. Skipped examples are listed in `batches.skipped`.
        service: address of a server, "grpc://HOST:PORT", that reads and preprocesses the examples, or a list of them,
            one for each machine; None for this process. `python -m mmkeras.data.service` starts one; it needs the same
            files at the same paths. The batches and their order are the same, for any number of servers. Augmentation
            stays in this process. Where a server is lost, the others make its batches, and the order stays. Needs
            `Examples` or the result of `from_tfrecord`, of which every server reads all records. It can't be combined
            with `cache`. Each worker of several (see `distribute.strategy`) asks the servers for its own part.
        verbose: whether to show a progress bar while filling the cache.

    Returns:
        tf.data.Dataset with additional attributes: `epoch`, the `tf.Variable` that `train.callbacks` sets on resuming
        (None if the order cannot be reproduced); `fingerprint`, which identifies the examples and their order;
        `skipped`, a list of faults; `labels`, a dict of the encoded labels of each head in the order of the rows (None
        if they are not known in advance); and `preprocess` and `heads`, which `data.show` uses.

    Raises:
        TypeError: a table, a path or a list of specs is given instead of raw examples or preprocess.
        ValueError: preprocess is not adapted; fewer examples than one batch (of a stream: at the end of an epoch);
            heads that the labels were not read with; a call within `strategy.scope()`; a broken file, named with
            row, modality and cause; a preprocessing that `service` cannot do (of videos, FLAC and Ogg, whose readers or
            checks are in Python); or, while the batches are read, no server is left.
        ConnectionError: no tf.data service answers at an address of `service` within 40 s.
        MemoryError: `cache="memory"` would take more than 80 % of the free memory; a folder needs none.
    """
    check_scope()
    check_types("train_batches", raw, preprocess)
    heads = heads_of(raw, heads)
    check_learned(heads)
    augmented, balanced = in_turn(augment or []), check_balance(balance, heads)
    share = share_of_training(raw, batch_size, on_error, drawn_from_all=bool(bucket_by or balance))
    feed = feed_of(raw, preprocess, heads, cache, on_error, verbose, share, check_addresses(service))
    check_headless(heads, feed.weighted)
    if feed.weighted:
        check_unbalanced(balance)
    rows, epoch = feed.rows, None
    check_size(int(raw.cardinality()) if rows is None else rows, batch_size)
    if rows is None:
        check_bucket(bucket_by, None, raw)
        check_rows(balance, raw)
        keyed, epoch = feed.shuffled(batch_size, shuffle_buffer, seed)
    else:
        check_bucket(bucket_by, preprocess, raw)
        lengths = feed.lengths(bucket_by) if bucket_by else None
        drawn = line(feed.labels, balanced, seed) if balanced else None
        keyed, epoch = order.epochs(rows, batch_size, seed, lengths, drawn)

    def of_worker(worker=0, workers=1, replicas=1):
        parted = workers * replicas > 1  # then there are as many steps where examples are skipped
        steps = None if feed.count is None or (feed.drops and not parted) else feed.count // batch_size
        size = shared_out(batch_size, workers * replicas)

        def finish(key, x, y):
            y = as_targets(heads, y)
            if not feed.drops:
                x, y = tf.nest.map_structure(lambda tensor: of_size(tensor, size), (x, y))
            x = _cut(x, bucket_by) if bucket_by else x
            x, y = augmented(x, y, key) if augment else (x, y)
            if not heads:
                return (x, y) if y else x  # labels can come from an augmentation, such as `masking`
            return with_weights(x, y, heads, feed.weighted, training=True, partly=feed.partly)

        def build(first=None):
            read = keyed if first is None else order.endless(keyed, first)
            part = order.part(read, worker, workers, replicas)
            batches = feed.of(worker, workers).ready(part, finish, "refuse" if parted else "drop")
            return never_none(batches, batch_size) if steps is None else batches

        # AutoGraph takes half a second, and has something to convert only in augmentations of others.
        build = build if augment else tf.autograph.experimental.do_not_convert(build)
        return _finished(build, steps and steps * replicas, epoch, feed, heads)

    made = of_worker()
    settings = seed, batch_size, bucket_by, [head.name for head in balanced]
    made.labels = None if rows is None else {head.name: feed.labels[head.name] for head in heads}
    made.fingerprint = fingerprint(raw, preprocess, heads, *settings, stamps=False, verbose=verbose)
    made.of_worker = of_worker
    return made


def eval_batches(
    raw: tf.data.Dataset,
    preprocess: keras.Model,
    heads: Sequence["Head"] | None = None,
    *,
    batch_size: int = 64,
    cache: str | PathLike[str] | None = None,
    on_error: str | None = None,
    service: str | Sequence[str] | None = None,
    verbose: bool = True,
) -> tf.data.Dataset:
    """Batches (inputs, labels) in the order of the examples, the last one smaller; none is lost, none augmented.

    With `heads=()`, and of examples that were read without heads, batches of inputs alone, for `model.predict`.
    Examples with weights, or with missing labels, give (inputs, labels, weights) here, too; class weights do not count.
    Args and attributes: as in `train_batches`. Of several workers that share a cache, each has its part for
    `model.evaluate`, `predict` and the validation of `fit`; whoever iterates over the batches otherwise, such as
    `evaluate.report`, gets all of them, and those are decoded anew.
    """
    check_types("eval_batches", raw, preprocess)
    heads = heads_known_to(raw) if heads is None else heads
    share = share_in_order(raw, batch_size, on_error)
    feed = feed_of(raw, preprocess, heads, cache, on_error, verbose, share, check_addresses(service))

    def finish(key, x, y):
        y = as_targets(heads, y)
        return with_weights(x, y, heads, feed.weighted, training=False, partly=feed.partly) if heads else x

    made = _in_order(feed, heads, batch_size, finish)
    if cluster().workers > 1:  # for them to compare
        made.fingerprint = fingerprint(raw, preprocess, heads, batch_size, stamps=False, verbose=verbose)
    return made


def encoded_batches(raw, preprocess, heads, *, batch_size, on_error=None):
    """Batches (inputs, labels) in the order of the examples, including those with missing labels."""
    feed = feed_of(raw, preprocess, heads, on_error=on_error)
    return _in_order(feed, heads, batch_size, lambda key, x, y: (x, y))


def _in_order(feed, heads, batch_size, finish):
    def of_worker(worker=0, workers=1, replicas=1):
        parted = workers * replicas > 1  # as in `train_batches`
        steps = None if feed.count is None or (feed.drops and not parted) else -(-feed.count // batch_size)
        source = feed.of(worker, workers)
        keyed = source.in_order(batch_size)
        if feed.servers:
            keyed, _ = order.counted(lambda number: source.in_order(batch_size), -(-feed.count // batch_size))

        @tf.autograph.experimental.do_not_convert
        def build(first=None):
            read = keyed if first is None else order.endless(keyed, first)
            return source.ready(order.part(read, worker, workers, replicas), finish, "keep" if parted else "drop")

        return _finished(build, steps and steps * replicas, None, feed, heads)

    made = of_worker()
    made.of_worker = of_worker
    return made


def _cut(ready, name):
    """Cuts a text to the longest of the batch."""
    longest = tf.maximum(1, tf.reduce_max(tf.reduce_sum(tf.cast(ready[f"{name}_mask"], tf.int32), axis=1)))
    return ready | {key: ready[key][:, :longest] for key in (name, f"{name}_mask")}


def _finished(build, steps, epoch, feed, heads):
    """Batches of one epoch, and their attributes. Args: `build` makes them; of all epochs from a number on, with it."""
    options = tf.data.Options()
    options.deterministic = True

    def ahead(batches):
        return batches.prefetch(tf.data.AUTOTUNE).with_options(options)

    batches = build()
    if steps is not None:
        batches = batches.apply(tf.data.experimental.assert_cardinality(steps))
    batches = ahead(batches)
    if steps:
        batches.through_epochs = lambda: ThroughEpochs(lambda first: ahead(build(first)), steps, epoch)
    batches.epoch, batches.skipped, batches.fingerprint, batches.labels = epoch, feed.skipped, None, None
    batches.preprocess, batches.heads = feed.preprocess, heads  # `data.show` needs them to display the batches
    return batches


def select_inputs(batches: tf.data.Dataset, model: keras.Model) -> tf.data.Dataset:
    """The same batches with only those inputs that the model takes, as for a baseline of one modality.

    Args:
        batches: data set of inputs, (inputs, labels) or (inputs, labels, weights).
        model: functional `keras.Model` with dict inputs.

    Returns:
        tf.data.Dataset, with the attributes of `batches`.
    """

    def pick(inputs, *rest):
        picked = {name: inputs[name] for name in model.input}
        return (picked, *rest) if rest else picked

    made = batches.map(pick)
    if hasattr(batches, "of_worker"):
        made.of_worker = lambda *which: batches.of_worker(*which).map(pick)
    if hasattr(batches, "through_epochs"):
        made.through_epochs = lambda: batches.through_epochs().map(pick)
    for name in ("epoch", "skipped", "fingerprint", "labels", "preprocess", "heads"):
        setattr(made, name, getattr(batches, name, None))
    return made
