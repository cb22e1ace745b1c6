"""A table of examples as a `tf.data.Dataset`."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from mmkeras.contract.raw_examples import RawExamples
from mmkeras.data.files.archives import as_given
from mmkeras.data.modalities import kind_of
from mmkeras.data.viewing.describe import Description, describe
from mmkeras.data.viewing.page import View
from mmkeras.data.viewing.show import show_examples
from mmkeras.specs import Spec

if TYPE_CHECKING:
    import pandas as pd

    from mmkeras.heads import Head


class Examples(RawExamples, tf.data.Dataset):
    """Raw examples of a table, flat dicts of raw tensors and encoded labels; files are read lazily.

    It is an ordinary `tf.data.Dataset` that also knows its rows: `split` can divide them, `train_batches` shuffles all
    of them before a file is opened, and errors name row and file. `take`, `map` and other operations of tf.data return
    a plain data set without this knowledge: unreadable files are TensorFlow's own errors there, and nothing is skipped.
    `split` and `subset` keep it.

    Args:
        frame: `pandas.DataFrame` of the rows; its index names them in error messages.
        columns: dict, raw or head name -> numpy array with a value, or vector, per row. A column of files holds `str`
            paths (for videos also of folders), `bytes`, or `b""` if absent, as objects.
        specs: list of specs.
        heads: list of heads whose labels are among the columns.
        on_error: "raise" or "skip", what `train_batches` and `eval_batches` do with a file that cannot be decoded.
        skipped: faults of rows that were omitted already.
    """

    def __init__(
        self,
        frame: "pd.DataFrame",
        columns: Mapping[str, np.ndarray],
        specs: Sequence[Spec],
        heads: Sequence["Head"] = (),
        *,
        on_error: str = "raise",
        skipped: Sequence[Any] = (),
        _shared: Any = None,
    ) -> None:
        self.frame = frame
        self.table = columns
        self.specs = list(specs)
        self.heads = list(heads)
        self.on_error = on_error
        self.skipped = list(skipped)
        self._tensors, self._readers, self._positions = _shared or self._as_tensors()
        rows = tf.data.Dataset.range(len(frame)).batch(64)
        self._examples = rows.map(self.read, tf.data.AUTOTUNE).unbatch()
        self._examples = self._examples.apply(tf.data.experimental.assert_cardinality(len(frame)))
        super().__init__(self._examples._variant_tensor)

    @property
    def missing_labels(self) -> dict[str, int]:
        """Dict, head name -> how many rows have no label for it."""
        counts = {head.name: np.count_nonzero(~np.asarray(head.labelled(self.table[head.name])))
                  for head in self.heads if head.name in self.table}  # fmt: skip
        return {name: int(count) for name, count in counts.items() if count}

    def _as_tensors(self):
        readers = {name: reader for name, reader in self._file_readers() if name in self.table}
        with tf.device("CPU:0"):
            tensors = {
                name: tf.constant(_marked(values) if name in readers else values) for name, values in self.table.items()
            }
        return tensors, readers, None

    def _file_readers(self):
        for spec in self.specs:
            reader = kind_of(spec).reader(spec, self.table.get(spec.name, ()))
            if reader is not None:
                yield spec.name, reader

    def read(self, rows: Any, name: str | None = None) -> dict[str, Any]:
        """Positions (B,) int64 -> raw tensors and labels (B, ...) by name, or one of them; in graphs and eagerly."""
        rows = rows if self._positions is None else tf.gather(self._positions, rows)
        batch = {name: tf.gather(self._tensors[name], rows) for name in ([name] if name else self.table)}
        return batch | {name: reader(batch[name]) for name, reader in self._readers.items() if name in batch}

    def batches(self, batch_size: int) -> tf.data.Dataset:
        """As `batch`, but files are read by the batch, not one by one."""
        return tf.data.Dataset.range(len(self.frame)).batch(batch_size).map(self.read, tf.data.AUTOTUNE).prefetch(1)

    def columns(self, names: Sequence[str]) -> dict[str, Any]:
        """Dict, name -> array (n, ...) as it stands in the table."""
        return {name: self.table[name] for name in names}

    def origin(self, position: int, name: str) -> str:
        """The path of a file as given, or its size if it was given as bytes; empty for a vector."""
        value = self.table[name][position]
        if isinstance(value, np.ndarray):
            return ""
        return f"{len(value)} bytes given in the table" if isinstance(value, bytes) else as_given(str(value))

    def __getitem__(self, key: Any) -> "Examples | dict[str, Any]":
        """A row as a dict of arrays, as iterating gives it, where `key` is its position; else those rows: `Examples`.

        Args:
            key: int; or a slice, a list or array of positions, or an array of bool.
        """
        positions = np.arange(len(self.frame))[key]
        if np.ndim(positions):
            return self.subset(positions)
        return {name: value.numpy()[0] for name, value in self.read(tf.constant([positions])).items()}

    def head(self, n: int = 5) -> "Examples":
        """The first n rows, as `Examples`: a notebook shows them with their pictures, sounds and clips."""
        return self[:n]

    def describe(self, *, sample: int = 1000, seed: int = 0) -> Description:
        """Counts, missing and repeated values, lengths of texts, sizes of files, ranges of numbers, classes.

        Files are measured by their headers where these tell their size (sounds other than WAV and FLAC are decoded), in
        several threads. Two values are the same where the table has the same path, text or numbers.

        Args:
            sample: how many files of a modality are measured, at most; of more, so many are drawn, which is told.
            seed: of the draw.

        Returns:
            `Description`, which prints as a table.
        """
        return describe(self, sample, seed)

    def show(self, n: int = 5) -> View:
        """The first n rows with their pictures, sounds, clips, texts and labels, as they are before `preprocess`.

        Returns:
            A `View`: the last line of a notebook's cell shows it, `save(path)` writes it as HTML. `data.show` shows
            what becomes of them in a batch.
        """
        return show_examples(self, n)

    def _repr_html_(self):
        return self.show()._repr_html_()

    def __repr__(self):
        inputs = [f"{name} ({spec.kind})" for spec in self.specs for name in spec.raw if name in self.table]
        heads = [f"{head.name} ({head.kind})" for head in self.heads if head.name in self.table]
        return f"<Examples: {len(self.frame):,} rows; {', '.join(inputs)}{' -> ' if heads else ''}{', '.join(heads)}>"

    def select(self, names: Sequence[str]) -> "Examples":
        """The same rows with some of the columns only; files of the others are not read."""
        columns = {name: self.table[name] for name in names}
        shared = self._tensors, self._readers, self._positions
        return Examples(
            self.frame, columns, self.specs, self.heads, on_error=self.on_error, skipped=self.skipped, _shared=shared
        )

    def subset(self, positions: Any) -> "Examples":
        """The rows at these positions, in this order, without `skipped`, whose rows are in no subset."""
        positions = np.asarray(positions)
        columns = {name: values[positions] for name, values in self.table.items()}
        # The indices refer to the whole table's tensors, so strings are not copied for each part.
        with tf.device("CPU:0"):
            chosen = tf.constant(np.arange(len(self.frame))[positions] if self._positions is None
                                 else self._positions.numpy()[positions])  # fmt: skip
        shared = self._tensors, self._readers, chosen
        return Examples(
            self.frame.iloc[positions],
            columns,
            self.specs,
            self.heads,
            on_error=self.on_error,
            skipped=(),
            _shared=shared,
        )


def _marked(values):
    """Paths and contents of one column as bytes: b"@path", b"=content", or b"=" if absent."""
    marked = [b"@" + value.encode() if isinstance(value, str) else b"=" + value for value in values]
    return np.array(marked, object)
