"""TFRecord shards as a `tf.data.Dataset`."""

import os

import tensorflow as tf

from mmkeras.contract import SAMPLE_WEIGHT
from mmkeras.contract.raw_examples import RawExamples
from mmkeras.data import faults, order
from mmkeras.data.python_function import python_function

_BUFFERS = 2**24  # bytes for the buffers of all open files together


class Shards(RawExamples, tf.data.Dataset):
    """Raw examples of TFRecord shards, in the order they were written; what `from_tfrecord` returns.

    It is an ordinary `tf.data.Dataset`. In addition, `train_batches` shuffles the shards in every epoch, then their
    records with a buffer, reproducibly for the same seed; records are parsed batch by batch; and messages about broken
    files name shard and record.

    Args:
        folder: `pathlib.Path` of the folder of the shards.
        description: dict, their manifest.
        specs: list of specs.
        heads: list of heads whose labels are read.
        numbers: numbers of the shards to read, in this order.
        on_error: "raise" or "skip", what `train_batches` and `eval_batches` do with a file that cannot be decoded.
        names: raw names and heads to read; None reads those of specs and heads.
    """

    def __init__(self, folder, description, specs, heads=(), numbers=None, on_error="raise", names=None):
        self.folder, self.description, self.on_error = folder, description, on_error
        self.specs, self.heads, self.numbers = list(specs), list(heads), list(numbers)
        self.skipped = [faults.Fault(*fault) for fault in description["skipped"]]
        self.missing_labels = description.get("missing_labels", {})
        self.rows = sum(description["shards"][number]["examples"] for number in self.numbers)
        columns = {name: tensor for spec in specs for name, tensor in spec.raw.items()}
        columns |= {head.name: head.label for head in heads}
        columns |= {SAMPLE_WEIGHT: ((), "float32")} if description.get("weighted") else {}
        self._columns = {name: columns[name] for name in (columns if names is None else names)}
        with tf.device("CPU:0"):
            self._paths = tf.constant([str(folder / shard["file"]) for shard in description["shards"]])
            self._counts = tf.constant([shard["examples"] for shard in description["shards"]], tf.int64)
        batches = self.records().batch(64).map(lambda _, records: self.parse(records), tf.data.AUTOTUNE)
        examples = batches.unbatch().apply(tf.data.experimental.assert_cardinality(self.rows))
        self._examples = examples
        super().__init__(examples._variant_tensor)

    @property
    def digest(self):
        """A string that identifies the examples."""
        return f"{self.description['digest']} {self.numbers}"

    def select(self, names):
        """The same examples with some of the columns only; others are not parsed."""
        return Shards(self.folder, self.description, self.specs, self.heads, self.numbers, self.on_error, names)

    def parse(self, records):
        """Serialized `tf.train.Example`s (B,) -> raw tensors and labels (B, ...) by name."""
        wide = {"int32": "int64"}
        features = {name: tf.io.FixedLenFeature(shape, wide.get(dtype, dtype))
                    for name, (shape, dtype) in self._columns.items()}  # fmt: skip
        parsed = tf.io.parse_example(records, features)
        return {name: tf.cast(parsed[name], dtype) if dtype in wide else parsed[name]
                for name, (_, dtype) in self._columns.items()}  # fmt: skip

    def records(self, numbers=None):
        """Data set of (position among all that was written () int64, record () string), shards in turns.

        Args:
            numbers: (n,) int64, the order of the shards; None for the order in which examples were written.
        """
        numbers = tf.constant(self.numbers, tf.int64) if numbers is None else numbers
        return tf.data.Dataset.from_tensor_slices(numbers).interleave(
            self._shard, len(self.numbers), 1, num_parallel_calls=min(len(self.numbers), os.cpu_count()),
            deterministic=True)  # fmt: skip

    def epochs(self, batch_size, buffer, seed):
        """Data set of (seed of the batch (2,) int64, (positions (batch_size,), records (batch_size,))); and the epoch.

        The order is a function of seed, buffer and the number of the epoch. Args: as in `train_batches`.
        """
        steps = self.rows // batch_size

        def batches(epoch):
            start = tf.stack([tf.constant(seed, tf.int64), epoch])
            numbers = tf.random.experimental.stateless_shuffle(tf.constant(self.numbers, tf.int64), start)
            # Fixes the op seeds in this traced function, so that the order does not depend on the global seed.
            tf.random.set_seed(1)
            drawn = tf.random.stateless_uniform([], start, maxval=2**31 - 1, dtype=tf.int64)
            records = self.records(numbers).shuffle(buffer, drawn, reshuffle_each_iteration=False)
            first = epoch * steps
            keys = tf.data.Dataset.range(first, first + steps).map(lambda step: tf.stack([start[0], step]))
            return tf.data.Dataset.zip(keys, records.batch(batch_size, drop_remainder=True))

        return order.counted(batches, steps)

    def describe(self, payload):
        """The row of a record, and a function from raw name to its current location."""
        position = int(payload[0][0])
        record, number = divmod(position, len(self.description["shards"]))
        return position, lambda name: f"{self.description['shards'][number]['file']}, record {record}"

    def _shard(self, number):
        size = min(2**18, _BUFFERS // len(self.numbers))
        path, count = self._paths[number], self._counts[number]
        whole = tf.data.TFRecordDataset(path, self.description["compression"], buffer_size=size).ignore_errors()
        # If a shard ends too early, the next step finds out why and raises the error.
        why = tf.data.Dataset.from_tensors(number).map(self._damaged)
        positions = tf.data.Dataset.range(number, tf.int64.max, len(self.description["shards"]))
        return tf.data.Dataset.zip(positions, whole.concatenate(why).take(count))

    def _damaged(self, number):
        return tf.ensure_shape(python_function(self._raise_damaged, [number], tf.string, eager=True), ())

    @tf.autograph.experimental.do_not_convert
    def _raise_damaged(self, number):
        shard, found, cause = self.description["shards"][int(number)], 0, "it ends there"
        try:
            for _ in tf.data.TFRecordDataset(str(self.folder / shard["file"]), self.description["compression"]):
                found += 1
        except tf.errors.OpError as error:
            cause = faults.cause_of(error)
        raise ValueError(
            f"Shard '{shard['file']}' in '{self.folder}' is damaged. Expected: {shard['examples']} records. Received: "
            f"{found} that are whole; {cause}. Copy it again, or write the set again."
        )
