"""Raw examples -> batches for `model.fit`, `evaluate` and `predict`."""

import numpy as np
import tensorflow as tf

from mmkeras.augment import in_turn
from mmkeras.checks import did_you_mean
from mmkeras.contract import SAMPLE_WEIGHT
from mmkeras.data import faults, order
from mmkeras.data.balance import check_balance, line
from mmkeras.data.examples import Examples
from mmkeras.data.fingerprint import fingerprint
from mmkeras.data.full import check_size, never_none, of_size
from mmkeras.data.ready import ready_batches
from mmkeras.data.shards import Shards
from mmkeras.data.store import materialise
from mmkeras.data.weights import check_unbalanced, has_weights, with_weights
from mmkeras.preprocess import PresetIds, TokenIds

_READ_AT_ONCE = 64


def train_batches(raw, preprocess, heads, batch_size=32, seed=0, cache=None, bucket_by=None, augment=None,
                  balance=None, shuffle_buffer=10_000, on_error=None, verbose=True):  # fmt: skip
    """Shuffled batches (inputs, labels[, sample weights]), dicts by name; one iteration is one epoch.

    The order is repeatable: a function of `seed` and the number of the epoch. The last examples that do not fill a
    batch are left out of an epoch (other ones each time), so that every replica of a strategy gets the same share.
    Keras may look at a batch before it trains (it does under MirroredStrategy), which counts as an epoch here; with
    `train.callbacks(run_dir, batches)` the epochs are those of `fit`.

    Args:
        raw: `Examples`, shuffled as a whole; or what `from_tfrecord` gives, whose shards are shuffled, then records
            by buffer; or any `tf.data.Dataset` of raw examples, shuffled by buffer.
        preprocess: model from raw to ready, adapted.
        heads: list of heads; their labels are among the raw examples. Heads with class weights give sample weights;
            those of the examples themselves (`from_csv(..., weights=)`) are multiplied with them.
        batch_size: examples of a batch, over all replicas.
        seed: of order and augmentation.
        cache: None decodes in every epoch; "memory" decodes now and keeps the *ready* tensors; a path keeps them in
            that folder, for later runs too (a folder for each data set: one for training, one for validation). A
            cached data set is shuffled as a whole.
        bucket_by: name of a text: batches hold texts of similar length and are cut to the longest of them.
        augment: function (ready dict, labels dict, seed (2,) int64) -> (ready, labels) of a batch, such as those of
            `mmkeras.augment`, or a list of them; each gets its own seed. Never cached, and never in evaluation.
        balance: name of a classification head, or a list of them: rows are drawn so that each of its classes comes
            equally often, in as many steps as without; see `data.balance` for several heads and several labels. Needs
            `Examples` or `cache`; not for heads with class weights, which are the other way to the same end, nor for
            examples with weights.
        shuffle_buffer: for a `raw` that is not `Examples` and not cached.
        on_error: "raise" or "skip"; None takes that of `raw`. What is skipped stands in `batches.skipped`.
        verbose: show a progress bar while the cache is filled.

    Returns:
        tf.data.Dataset with three attributes more: `epoch`, the `tf.Variable` that `train.callbacks` sets on resuming
        (None where the order cannot be replayed), `fingerprint` by which it knows the examples and their order again,
        and `skipped`, a list of faults.

    Raises:
        ValueError: fewer examples than one batch (of a stream: at the end of an epoch); heads that the labels were not
            read with; a call within `strategy.scope()`; or a broken file, named with row, modality and cause.
    """
    _check_scope()
    augmented, balanced = in_turn(augment or []), check_balance(balance, heads)
    source = _Source(raw, preprocess, heads, cache, on_error, verbose)
    if source.weighted:
        check_unbalanced(balance)
    rows, epoch = source.rows, None
    check_size(int(raw.cardinality()) if rows is None else rows, batch_size)
    if rows is None:
        _check_bucket(bucket_by, None, raw)
        _check_rows(balance, raw)
        keyed, epoch = source.shuffled(batch_size, shuffle_buffer, seed)
    else:
        lengths = source.lengths(bucket_by) if bucket_by else None
        drawn = line(source.labels, balanced, seed) if balanced else None
        keyed, epoch = order.epochs(rows, batch_size, seed, lengths, drawn)

    def finish(key, x, y):
        if not source.drops:
            x, y = tf.nest.map_structure(lambda tensor: of_size(tensor, batch_size), (x, y))
        x = _cut(x, bucket_by) if bucket_by else x
        x, y = augmented(x, y, key) if augment else (x, y)
        return with_weights(x, y, heads, source.weighted, training=True)

    steps = None if source.count is None or source.drops else source.count // batch_size
    batches = source.ready(keyed, finish)
    batches = never_none(batches, batch_size) if steps is None else batches
    made = _finished(batches, steps, epoch, source.skipped)
    settings = seed, batch_size, bucket_by, [head.name for head in balanced]
    made.fingerprint = fingerprint(raw, preprocess, heads, *settings, stamps=False, verbose=verbose)
    return made


def eval_batches(raw, preprocess, heads=(), batch_size=64, cache=None, on_error=None, verbose=True):
    """Batches (inputs, labels) in the order of the examples, the last one smaller; none is lost, none augmented.

    Without heads, batches of inputs alone, for `model.predict`. Examples with weights give (inputs, labels, weights)
    here, too; class weights do not count. Args and attributes: as in `train_batches`.
    """
    source = _Source(raw, preprocess, heads, cache, on_error, verbose)

    def finish(key, x, y):
        return with_weights(x, y, heads, source.weighted, training=False) if heads else x

    batches = source.ready(source.in_order(batch_size), finish)
    steps = None if source.count is None or source.drops else -(-source.count // batch_size)
    return _finished(batches, steps, None, source.skipped)


class _Source:
    """Where ready batches come from: a store, the rows of a table, or a stream."""

    def __init__(self, raw, preprocess, heads, cache, on_error, verbose):
        _check_raw(raw, preprocess, heads)
        self.on_error = on_error or getattr(raw, "on_error", "raise")
        faults.check_on_error(self.on_error)
        self.skipped = list(getattr(raw, "skipped", ()))
        self.weighted = bool(heads) and has_weights(raw, preprocess.input, heads)
        self.labelled = [head.name for head in heads] + [SAMPLE_WEIGHT] * self.weighted
        wanted = [*preprocess.input, *self.labelled]  # other files are not read
        self.raw = raw.select(wanted) if hasattr(raw, "select") else raw
        self.preprocess, self.store = preprocess, None
        self.rows = len(raw.frame) if isinstance(raw, Examples) else None
        self.drops = self.on_error == "skip"
        if cache:
            batches = self.ready(self.in_order(_READ_AT_ONCE), lambda key, x, y: (key, x, y))
            content = None if cache == "memory" else fingerprint(raw, preprocess, heads, self.on_error, verbose=verbose)
            rows = _count(raw)
            steps = -(-rows // _READ_AT_ONCE)
            self.store = materialise(batches, rows, steps, cache, content, self.skipped, verbose)
            self.rows, self.drops = self.store.rows, False

    @property
    def count(self):
        """How many examples there are; None where it is not known."""
        return self.raw.rows if self.rows is None and isinstance(self.raw, Shards) else self.rows

    def in_order(self, batch_size):
        if self.rows is None and isinstance(self.raw, Shards):
            return self.raw.records().batch(batch_size).map(lambda *records: (0, records))
        if self.rows is None:
            return _marked(self.raw).enumerate().batch(batch_size).map(lambda *payload: (0, payload))
        return tf.data.Dataset.range(self.rows).batch(batch_size).map(lambda rows: (0, rows))

    def shuffled(self, batch_size, buffer, seed):
        """Batches of a stream, shuffled by buffer; and the number of the epoch where the order follows from it."""
        if isinstance(self.raw, Shards):
            return self.raw.epochs(batch_size, buffer, seed)
        batches = _marked(self.raw).enumerate().shuffle(buffer, seed).batch(batch_size, drop_remainder=True)
        seeds = tf.data.Dataset.random(seed, rerandomize_each_iteration=True).batch(2)
        return tf.data.Dataset.zip(seeds, batches).map(lambda key, payload: (key, payload)), None

    def ready(self, keyed, finish):
        """Batches of (key, rows) -> of what `finish(key, inputs, labels)` makes; one function where it can be."""
        if self.store:
            inputs, labels = list(self.preprocess.output), self.labelled

            def stored(key, rows):
                batch = self.store.read(rows)
                return finish(key, {name: batch[name] for name in inputs}, {name: batch[name] for name in labels})

            return keyed.map(stored, tf.data.AUTOTUNE).with_options(self.store.options)
        read, describe = self._reading()
        locate = getattr(self.raw, "locate", faults.locate)
        made = ready_batches(keyed, read, describe, self.preprocess, self.labelled, self.on_error, self.skipped, locate)
        return made.map(finish, tf.data.AUTOTUNE)

    def _reading(self):
        if self.rows is not None:
            return self.raw.read, self._row
        if isinstance(self.raw, Shards):
            return (lambda payload, name=None: self.raw.parse(payload[1])), self.raw.describe
        return (lambda payload, name=None: payload[1]), _position

    def _row(self, rows):
        position = int(rows[0])
        return self.raw.frame.index[position], lambda name: self.raw.origin(position, name)

    @property
    def labels(self):
        return self.store.arrays if self.store else self.raw.table

    def lengths(self, name):
        """How long each row's text is: in tokens where they are known already, else in bytes."""
        _check_bucket(name, self.preprocess, self.raw)
        if self.store:
            return np.sum(self.store.arrays[f"{name}_mask"], axis=1)
        return np.array([len(text) for text in self.raw.table[name]])


def _count(raw):
    if raw.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise ValueError("cache= needs a finite data set. Received: an infinite one. Take a part of it: raw.take(n).")
    known = int(raw.cardinality())
    raw = getattr(raw, "dataset", raw)  # a stream has as many, which need not be converted to be counted
    return known if known >= 0 else int(raw.reduce(np.int64(0), lambda n, *_: n + 1))


def _marked(raw):
    """A stream in which a file that cannot be converted is marked, for `ready_batches` to name or to skip."""
    return getattr(raw, "marked", raw)


def _position(payload):
    return int(payload[0][0]), lambda name: ""


def _check_scope():
    if tf.distribute.has_strategy():
        raise ValueError(
            "train_batches counts its epochs in a variable, which must not be mirrored. Received: a call within "
            "strategy.scope(). Make the batches outside; only the model belongs inside."
        )


def _check_raw(raw, preprocess, heads):
    wanted = [*preprocess.input, *(head.name for head in heads)]
    received = raw.element_spec if isinstance(raw.element_spec, dict) else {}
    missing = [f"{name!r} {did_you_mean(name, received)}".strip() for name in wanted if name not in received]
    _check_heads(getattr(raw, "heads", ()), heads)
    clash = [head.name for head in heads if head.name in preprocess.output]
    if missing or clash:
        raise ValueError(
            f"Raw examples must be dicts with each raw name and each head's label. Missing: {missing}. "
            f"Received: {list(received)}. Heads that are called like an input: {clash}. Rename the keys."
        )


def _check_heads(encoded, heads):
    """Labels were encoded by heads; others of the same name would read them wrongly."""
    known = {head.name: head for head in encoded}
    for head in heads:
        first = known.get(head.name, head)
        if (first.label, first.classes) != (head.label, head.classes):
            raise ValueError(
                f"The labels of '{head.name}' were read with another head. Expected: {first}. Received: {head}. "
                "Read the table with the heads that you train."
            )


def _check_bucket(name, preprocess, raw):
    if name and preprocess is None:
        raise ValueError(f"bucket_by='{name}' needs mm.data.Examples or cache=. Received: {type(raw).__name__}.")
    texts = [layer.modality for layer in getattr(preprocess, "layers", ()) if isinstance(layer, TokenIds | PresetIds)]
    if name and name not in texts:
        raise ValueError(f"bucket_by names a text. Received: {name!r}. {did_you_mean(name, texts)}")


def _check_rows(balance, raw):
    if balance:
        raise ValueError(
            f"balance={balance!r} needs all labels beforehand: mm.data.Examples, or cache=. "
            f"Received: {type(raw).__name__}. Set cache='memory' or a folder, or class_weights of the heads."
        )


def _cut(ready, name):
    """Cuts a text to the longest of the batch."""
    longest = tf.maximum(1, tf.reduce_max(tf.reduce_sum(tf.cast(ready[f"{name}_mask"], tf.int32), axis=1)))
    return ready | {key: ready[key][:, :longest] for key in (name, f"{name}_mask")}


def _finished(batches, steps, epoch, skipped):
    if steps is not None:
        batches = batches.apply(tf.data.experimental.assert_cardinality(steps))
    options = tf.data.Options()
    options.deterministic = True
    batches = batches.prefetch(tf.data.AUTOTUNE).with_options(options)
    batches.epoch, batches.skipped, batches.fingerprint = epoch, skipped, None
    return batches


def select_inputs(batches, model):
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
    for name in ("epoch", "skipped", "fingerprint"):
        setattr(made, name, getattr(batches, name, None))
    return made
