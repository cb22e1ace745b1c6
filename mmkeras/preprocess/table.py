"""Columns -> one row of numbers."""

import collections
import json
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Unpack

import keras
import numpy as np
import tensorflow as tf

from mmkeras.checks import check_resolution
from mmkeras.edge.table import LIMIT
from mmkeras.formats.dates import PARTS
from mmkeras.layers.options import LayerOptions
from mmkeras.preprocess._layer import RawLayer
from mmkeras.preprocess.dates import date_parts
from mmkeras.preprocess.faults import check_numbers
from mmkeras.preprocess.headers import first_true, refuse

_MISSING, _UNKNOWN = "", "\0unknown"  # no category of a table can have these names
_FIRST = 10_000  # numbers of a column used to estimate its quartiles
_NOT_UTF8 = ("a category must be UTF-8.", "Was a file of another modality fed under this name?")


@keras.saving.register_keras_serializable("mmkeras")
class TableRow(RawLayer):
    """Columns of numbers, dates and categories -> one row: standardised numbers, parts of dates, category ids.

    This is the one numeric step on this side of the model, since its statistics are learned from the raw examples.
    Standardised numbers are clipped to -10 and 10 deviations: one absurd value must not drown all other modalities. By
    Chebyshev's inequality at most 1 % of the values that the deviation was learned from can lie beyond, and of normal
    ones none in 10^22.

    Args:
        numeric, dates, categorical, max_categories, optional: as in `mm.Table`.

    Call arguments:
        columns: dict, column name -> (B,) float32, NaN where missing; or (B,) string, "" where missing.

    Returns:
        row (B, N) float32, (x - mean) / std for numbers and years, clipped to [-10, 10], sines and cosines for the
        other parts of dates, and ids for categories (1 unknown), 0 where missing; and mask (B, N) bool, False where
        missing.

    Raises:
        ValueError: means and vocabularies are not learned yet; or, while learning, float32 cannot tell the numbers of a
            column apart, or a category is not UTF-8.
        InvalidArgumentError: a number is infinite, a text is no date, a category is not UTF-8, or every column of a
            required row is missing.

    Source: the bound is that of OpenAI Baselines' and Stable-Baselines3's `VecNormalize(clip_obs=10)`.
    """

    adapts = True
    takes_columns = True
    tells = True

    def __init__(
        self,
        *,
        numeric: Sequence[str] = (),
        dates: Sequence[str] = (),
        categorical: Sequence[str] = (),
        max_categories: int = 100,
        optional: bool = False,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        self.numeric = tuple(numeric)
        self.dates = tuple(dates)
        self.categorical = tuple(categorical)
        self.max_categories = max_categories
        self.optional = optional
        self.lookups = [
            Categories(max_categories, mask_token=_MISSING, oov_token=_UNKNOWN, name=f"{column}_lookup")
            for column in self.categorical
        ]

    @property
    def raw_names(self) -> list[str]:
        return [*self.numeric, *self.dates, *self.categorical]

    @property
    def numbers(self) -> list[str]:
        """Names of the numbers of a row: the numeric columns, and the parts of the dates."""
        return [*self.numeric, *(f"{date}_{part}" for date in self.dates for part in PARTS)]

    def build(self, columns_shape):
        count = len(self.numbers)
        self.mean = self.add_weight(name="mean", shape=(count,), initializer="zeros", trainable=False)
        self.std = self.add_weight(name="std", shape=(count,), initializer="zeros", trainable=False)
        for lookup in self.lookups:
            lookup.build((None,))

    @property
    def learned(self) -> Any:
        """How many ids each categorical column has, as `mm.Table(learned=)`; None before `adapt`."""
        sizes = tuple(int(lookup.vocabulary_size()) for lookup in self.lookups)
        return sizes if any(size > 2 for size in sizes) else None  # more than the two ids for missing and unknown

    def reset_state(self) -> None:
        count, mean, squares = np.zeros((3, len(self.numbers)))
        values = [collections.Counter() for _ in self.categorical]
        # Hide them in a namespace, because Keras would wrap bare lists and dicts to track them.
        self._seen = types.SimpleNamespace(count=count, mean=mean, squares=squares, values=values)
        self._seen.low, self._seen.high = np.full((2, len(self.numbers)), [[np.inf], [-np.inf]])
        self._seen.first = [np.zeros(0) for _ in self.numbers]

    def update_state(self, batch: Mapping[str, Any]) -> None:
        """Adds a batch to the means, the squared deviations, the extremes and the counts of categories."""
        for i, numbers in self._to_standardise(batch):
            numbers = numbers[np.isfinite(numbers)]
            if len(numbers):
                self._merge(i, len(numbers), numbers.mean(), ((numbers - numbers.mean()) ** 2).sum())
                self._seen.low[i] = min(self._seen.low[i], numbers.min())
                self._seen.high[i] = max(self._seen.high[i], numbers.max())
                self._seen.first[i] = np.concatenate([self._seen.first[i], numbers])[:_FIRST]
        for counts, column in zip(self._seen.values, self.categorical, strict=True):
            counts.update(value for value in batch[column].tolist() if value)

    def _to_standardise(self, batch):
        """Position and values of each number; of a date only the year, because its other parts are within 1."""
        for i, column in enumerate(self.numeric):
            yield i, batch[column].astype("float64")
        for i, column in enumerate(self.dates):
            years = date_parts(self._text(column, tf.constant(batch[column])), self._place(column))[:, 0]
            yield len(self.numeric) + i * len(PARTS), years.numpy().astype("float64")

    def _merge(self, i, count, mean, squares):
        """Pairwise update by Chan, Golub and LeVeque, which loses no precision over many batches."""
        seen = self._seen
        total, delta = seen.count[i] + count, mean - seen.mean[i]
        seen.mean[i] += delta * count / total
        seen.squares[i] += squares + delta**2 * seen.count[i] * count / total
        seen.count[i] = total

    def finalize_state(self) -> str:
        """Sets means, deviations (1 for a constant column) and vocabularies; says what it learned."""
        seen = self._seen
        std = np.sqrt(seen.squares / np.maximum(seen.count, 1))
        for column, mean, deviation in zip(self.numbers, seen.mean, std, strict=True):
            check_resolution(f"{self.modality}: column '{column}'", mean, deviation)
        self.mean.assign(seen.mean)
        self.std.assign(np.where(std > np.finfo("float32").tiny, std, 1.0))
        for lookup, column, counts in zip(self.lookups, self.categorical, seen.values, strict=True):
            values = [self._decoded(column, value) for value in sorted(counts, key=lambda v: (-counts[v], v))]
            known = [value for value in values if value != _UNKNOWN]
            lookup.set_vocabulary([_MISSING, _UNKNOWN, *known[: self.max_categories - 2]])
        sizes = [f"{column} {len(counts):,}" for column, counts in zip(self.categorical, seen.values, strict=True)]
        count = len(self.numeric) + len(self.dates)
        learned = f"mean and deviation of {count} columns; categories: {', '.join(sizes) or 'none'}"
        return "; ".join([learned, *self._outliers(std)])

    def _decoded(self, column, value):
        try:
            return value.decode()
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{self.modality}: categories must be UTF-8. Received: {value[:16]!r} in column '{column}'. Decode it "
                "with its own encoding first, or clean the column."
            ) from error

    def _outliers(self, std):
        """Warnings about columns with numbers that will be clipped, or with a deviation dominated by few numbers.

        A deviation is suspicious beyond ten times the interquartile range (for normal numbers, it is 0.74 times that).
        """
        seen = self._seen
        for i in np.flatnonzero(std > 0):
            farthest = max((seen.low[i], seen.high[i]), key=lambda value: abs(value - seen.mean[i]))
            away, quartiles = abs(farthest - seen.mean[i]) / std[i], np.ptp(np.quantile(seen.first[i], [0.25, 0.75]))
            if away > LIMIT or std[i] > 10 * quartiles > 0:
                told = f"{farthest:g} lies {away:.1f} deviations ({std[i]:.3g}) from the mean"
                yield f"outliers in {self.numbers[i]}: {told}{'; beyond 10 they are clipped' if away > LIMIT else ''}"

    def call(self, columns):
        self.check_adapted()
        rows, masks = [], []
        if self.numbers:
            numbers = self._numbers(columns)
            there = ~tf.math.is_nan(numbers)
            rows.append(tf.where(there, tf.clip_by_value((numbers - self.mean) / self.std, -LIMIT, LIMIT), 0.0))
            masks.append(there)
        for lookup, column in zip(self.lookups, self.categorical, strict=True):
            ids = tf.expand_dims(tf.cast(lookup(self._text(column, columns[column])), tf.float32), 1)
            rows.append(ids)
            masks.append(ids > 0)
        row, mask = tf.concat(rows, axis=1), tf.concat(masks, axis=1)
        with tf.control_dependencies(self._checks(numbers if self.numbers else row, mask)):
            return tf.identity(row), mask

    def _numbers(self, columns):
        given = [tf.expand_dims(tf.cast(columns[column], tf.float32), 1) for column in self.numeric]
        dates = [date_parts(self._text(column, columns[column]), self._place(column)) for column in self.dates]
        return tf.concat([*given, *dates], axis=1)

    def _place(self, column):
        return f"{self.modality}, column '{column}'"

    def _text(self, column, strings):
        recoded = tf.strings.unicode_transcode(strings, "UTF-8", "UTF-8", replace_control_characters=False)
        return refuse(strings, self._place(column), first_true(recoded != strings), [_NOT_UTF8])

    def _checks(self, numbers, mask):
        infinite = tf.math.is_inf(numbers)
        rule = f"numbers must be finite (a missing one is NaN). Columns: {self.numbers}. Received:"
        rows = tf.reduce_any(infinite, axis=1)
        checks = check_numbers(self.modality, infinite, rule, numbers, lambda: tf.boolean_mask(numbers, rows))
        if not self.optional:
            rule = "a required row needs at least one value. Give one, or declare it optional=True."
            checks += check_numbers(self.modality, ~tf.reduce_any(mask, axis=1), rule)
        return checks

    def check_adapted(self) -> None:
        with tf.init_scope():
            ready = (not self.numbers or bool(np.all(self.std.numpy() > 0))) and all(
                lookup.vocabulary_size() > 1 for lookup in self.lookups
            )
        if not ready:
            raise ValueError(
                f"{self.modality}: means and categories are not learned yet. "
                "Call preprocess = mm.adapt(preprocess, raw) before using it."
            )

    def compute_output_spec(self, columns):
        first = next(iter(columns.values()))
        shape = (first.shape[0], len(self.numbers) + len(self.categorical))
        return keras.KerasTensor(shape, "float32"), keras.KerasTensor(shape, "bool")

    def example(self, rng: np.random.Generator) -> dict[str, list[Any]]:
        numbers = dict.fromkeys(self.numeric, [0.0] * 2)
        return numbers | dict.fromkeys(self.dates, [b"2024-01-31"] * 2) | dict.fromkeys(self.categorical, [b"a"] * 2)

    def describe(self) -> dict[str, Any] | None:
        special = 2  # missing and unknown have ids of their own
        values = (lookup.get_vocabulary()[special:] for lookup in self.lookups)
        pairs = zip(self.categorical, values, strict=True)
        categories = {column: [str(value) for value in known] for column, known in pairs}
        learned = {"mean": self.mean.numpy().tolist(), "std": self.std.numpy().tolist(), "categories": categories}
        return {"kind": "table", "numeric": list(self.numeric), "dates": list(self.dates), **learned}

    def get_config(self):
        columns = {"numeric": self.numeric, "dates": self.dates, "categorical": self.categorical}
        return super().get_config() | columns | {"max_categories": self.max_categories, "optional": self.optional}


@keras.saving.register_keras_serializable("mmkeras")
class Categories(keras.layers.StringLookup):
    """A `StringLookup` whose vocabulary is saved as JSON.

    Keras writes a line per word and reads them with `str.splitlines`, so that a category with a line break in it would
    shift the ids of all that follow.
    """

    def save_assets(self, dir_path):
        known = self.get_vocabulary() if self.vocabulary_size() > 1 else None
        Path(dir_path, "vocabulary.json").write_text(json.dumps(known), encoding="utf-8")

    def load_assets(self, dir_path):
        known = json.loads(Path(dir_path, "vocabulary.json").read_text(encoding="utf-8"))
        if known is not None:
            self.set_vocabulary(known)
