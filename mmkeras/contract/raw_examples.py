"""What raw examples know in addition to being a `tf.data.Dataset` of flat dicts."""

import abc
import types

import numpy as np

from mmkeras.contract import SAMPLE_WEIGHT


class RawExamples(abc.ABC):
    """The contract of the data sets that `mmkeras.data` makes: of a table, of TFRecord shards, of a stream.

    Each is a `tf.data.Dataset`, too. Other data sets are taken wherever these are; of them only the values are known.

    Attributes:
        specs: list of the specs they were read with.
        heads: list of the heads whose labels they hold.
        on_error: "raise" or "skip", what becomes of a file that cannot be decoded.
        skipped: list of faults of examples that were left out already.
        missing_labels: mapping, head name -> how many examples have no label for it; without those that have all.
    """

    _examples = None  # the `tf.data.Dataset` that this object stands for
    specs = heads = skipped = ()
    on_error = "raise"
    missing_labels = types.MappingProxyType({})

    def _inputs(self):
        return [self._examples]

    @property
    def element_spec(self):
        return self._examples.element_spec

    @abc.abstractmethod
    def select(self, names):
        """The same examples with some of the names only; the files of the others are not read."""

    def batches(self, batch_size):
        """A `tf.data.Dataset` of dicts of tensors (B, ...), in the order of the examples."""
        return self.batch(batch_size)

    def columns(self, names):
        """Dict, name -> array (n, ...) of the values of all examples."""
        return _stacked(self.select(names), names)


def columns_of(raw, names):
    """As `RawExamples.columns`, for any `tf.data.Dataset` of dicts."""
    return raw.columns(names) if isinstance(raw, RawExamples) else _stacked(raw, names)


def selected(raw, names):
    """As `RawExamples.select`; any other `tf.data.Dataset` is returned unchanged."""
    return raw.select(names) if isinstance(raw, RawExamples) else raw


def heads_known_to(raw):
    """The heads that raw examples were read with; None for any other data set."""
    return list(raw.heads) if isinstance(raw, RawExamples) else []


def has_weights(raw, inputs, heads):
    """Whether raw examples have weights; an input or a head may be called so in those that have none.

    Args:
        raw: `tf.data.Dataset` of raw examples.
        inputs: raw names.
        heads: list of heads.
    """
    names = raw.element_spec if isinstance(raw.element_spec, dict) else {}
    return SAMPLE_WEIGHT in names and SAMPLE_WEIGHT not in [*inputs, *(head.name for head in heads)]


def _stacked(raw, names):
    rows = list(raw.map(lambda example: {name: example[name] for name in names}).as_numpy_iterator())
    return {name: np.stack([row[name] for row in rows]) if rows else _empty(raw.element_spec[name]) for name in names}


def _empty(spec):
    return np.zeros((0, *(size or 0 for size in spec.shape)), spec.dtype.as_numpy_dtype)
