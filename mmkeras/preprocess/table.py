"""Columns -> one row of numbers."""

import collections
import types

import keras
import numpy as np
import tensorflow as tf

from mmkeras.preprocess._layer import RawLayer


@keras.saving.register_keras_serializable("mmkeras")
class TableRow(RawLayer):
    """Columns of numbers and categories -> one row: standardised numbers, then category ids.

    This is the one numeric step on this side of the model, since its statistics are learned from the raw examples.

    Args:
        numeric, categorical, max_categories, optional: as in `mm.Table`.

    Call arguments:
        columns: dict, column name -> (B,) float32, NaN where missing; or (B,) string, "" where missing.

    Returns:
        row (B, N) float32, (x - mean) / std for numbers, and ids for categories (1 unknown), 0 where missing; and mask
        (B, N) bool, False where missing.

    Raises:
        ValueError: means and vocabularies are not learned yet.
        InvalidArgumentError: a number is infinite, or every column of a required row is missing.
    """

    adapts = True
    takes_columns = True

    def __init__(self, numeric=(), categorical=(), max_categories=100, optional=False, **kwargs):
        super().__init__(**kwargs)
        self.numeric = tuple(numeric)
        self.categorical = tuple(categorical)
        self.max_categories = max_categories
        self.optional = optional
        self.lookups = [
            keras.layers.StringLookup(max_categories, mask_token="", oov_token="[UNK]", name=f"{column}_lookup")
            for column in self.categorical
        ]

    @property
    def raw_names(self):
        return [*self.numeric, *self.categorical]

    def build(self, columns_shape):
        self.mean = self.add_weight(name="mean", shape=(len(self.numeric),), initializer="zeros", trainable=False)
        self.std = self.add_weight(name="std", shape=(len(self.numeric),), initializer="zeros", trainable=False)
        for lookup in self.lookups:
            lookup.build((None,))

    @property
    def learned(self):
        """How many ids each categorical column has, as `mm.Table(learned=)`; None before `adapt`."""
        sizes = tuple(int(lookup.vocabulary_size()) for lookup in self.lookups)
        return sizes if any(size > 2 for size in sizes) else None  # the two special ones are always there

    def reset_state(self):
        count, mean, squares = np.zeros((3, len(self.numeric)))
        values = [collections.Counter() for _ in self.categorical]
        # Keras would wrap bare lists and dicts to track them.
        self._seen = types.SimpleNamespace(count=count, mean=mean, squares=squares, values=values)

    def update_state(self, batch):
        """Adds a batch to the means, the squared deviations and the counts of categories."""
        for i, column in enumerate(self.numeric):
            numbers = batch[column].astype("float64")
            numbers = numbers[np.isfinite(numbers)]
            if len(numbers):
                self._merge(i, len(numbers), numbers.mean(), ((numbers - numbers.mean()) ** 2).sum())
        for counts, column in zip(self._seen.values, self.categorical, strict=True):
            counts.update(value for value in batch[column].tolist() if value)

    def _merge(self, i, count, mean, squares):
        """Chan, Golub and LeVeque's pairwise update: no precision is lost over many batches."""
        seen = self._seen
        total, delta = seen.count[i] + count, mean - seen.mean[i]
        seen.mean[i] += delta * count / total
        seen.squares[i] += squares + delta**2 * seen.count[i] * count / total
        seen.count[i] = total

    def finalize_state(self):
        """Sets means, deviations (1 for a constant column) and vocabularies; says what it learned."""
        seen = self._seen
        std = np.sqrt(seen.squares / np.maximum(seen.count, 1))
        self.mean.assign(seen.mean)
        self.std.assign(np.where(std > 0, std, 1.0))
        for lookup, counts in zip(self.lookups, seen.values, strict=True):
            values = sorted(counts, key=lambda value: (-counts[value], value))
            lookup.set_vocabulary(["", "[UNK]", *[value.decode() for value in values[: self.max_categories - 2]]])
        sizes = [f"{column} {len(counts):,}" for column, counts in zip(self.categorical, seen.values, strict=True)]
        return f"mean and deviation of {len(self.numeric)} columns; categories: {', '.join(sizes) or 'none'}"

    def call(self, columns):
        self._check_adapted()
        rows, masks = [], []
        if self.numeric:
            numbers = tf.stack([tf.cast(columns[column], tf.float32) for column in self.numeric], axis=1)
            there = ~tf.math.is_nan(numbers)
            rows.append(tf.where(there, (numbers - self.mean) / self.std, 0.0))
            masks.append(there)
        for lookup, column in zip(self.lookups, self.categorical, strict=True):
            ids = tf.expand_dims(tf.cast(lookup(columns[column]), tf.float32), 1)
            rows.append(ids)
            masks.append(ids > 0)
        row, mask = tf.concat(rows, axis=1), tf.concat(masks, axis=1)
        with tf.control_dependencies(self._checks(row, mask)):
            return tf.identity(row), mask

    def _checks(self, row, mask):
        finite = f"{self.modality}: numbers must be finite (a missing one is NaN). Columns: {self.raw_names}. Received:"
        checks = [tf.debugging.Assert(tf.reduce_all(tf.math.is_finite(row)), [finite, row])]
        if not self.optional:
            rule = f"{self.modality}: a required row needs at least one value. Give one, or declare it optional=True."
            checks.append(tf.debugging.Assert(tf.reduce_all(tf.reduce_any(mask, axis=1)), [rule]))
        return [check for check in checks if check is not None]

    def _check_adapted(self):
        with tf.init_scope():
            ready = (not self.numeric or bool(np.all(self.std.numpy() > 0))) and all(
                lookup.vocabulary_size() > 1 for lookup in self.lookups
            )
        if not ready:
            raise ValueError(
                f"{self.modality}: means and categories are not learned yet. "
                "Call preprocess = mm.adapt(preprocess, raw) before using it."
            )

    def compute_output_spec(self, columns):
        first = next(iter(columns.values()))
        shape = (first.shape[0], len(self.raw_names))
        return keras.KerasTensor(shape, "float32"), keras.KerasTensor(shape, "bool")

    def get_config(self):
        config = {"numeric": self.numeric, "categorical": self.categorical, "max_categories": self.max_categories}
        return super().get_config() | config | {"optional": self.optional}
