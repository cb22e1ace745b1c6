"""A `tf.data.Dataset` of decoded examples -> raw examples, in the graph."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from mmkeras.contract import SAMPLE_WEIGHT
from mmkeras.contract.raw_examples import RawExamples
from mmkeras.data import faults
from mmkeras.data.modalities import kind_of
from mmkeras.data.modalities.base import as_string, refusal
from mmkeras.data.python_function import python_function
from mmkeras.data.sources.attempts import attempted
from mmkeras.specs import Spec

if TYPE_CHECKING:
    from mmkeras.heads import Head


class Stream(RawExamples, tf.data.Dataset):
    """Raw examples converted from another `tf.data.Dataset`, one by one.

    It is an ordinary `tf.data.Dataset`. `train_batches` shuffles it with a buffer, or as a whole with `cache=`; `split`
    does not support it.

    Args:
        dataset: `tf.data.Dataset`, whose elements hold a tensor for each name.
        leaves: dict, raw or head name -> function that extracts its tensor from an element.
        specs: list of specs.
        heads: list of heads.
        on_error: "raise" or "skip", what `train_batches` and `eval_batches` do with a file that cannot be decoded; a
            wrong label, and a sound of another scale, are always errors.
        sample_rate: sample rate of decoded sounds, in Hz.
        names: raw and head names of the examples; None for all of them.
    """

    def __init__(
        self,
        dataset: tf.data.Dataset,
        leaves: Mapping[str, Callable[[Any], Any]],
        specs: Sequence[Spec],
        heads: Sequence["Head"] = (),
        *,
        on_error: str = "raise",
        sample_rate: int | None = None,
        names: Sequence[str] | None = None,
    ) -> None:
        self.dataset, self.leaves, self.sample_rate = dataset, leaves, sample_rate
        self.specs, self.heads, self.on_error = list(specs), list(heads), on_error
        makers = dict(self._makers(names or list(leaves)))

        def convert(position, *element):
            element = element if len(element) > 1 else element[0]
            return {name: make(leaves[name](element), position) for name, make in makers.items()}

        files = [spec.name for spec in specs if kind_of(spec).media and spec.name in makers]
        files = [name for name in files if self._spec(name).dtype == tf.string]  # decoded tensors are not files
        self._faults = {}  # position of an example -> Fault
        self._examples = attempted(dataset, convert, makers, files, leaves, self._faults, mark=False)
        self.marked = attempted(dataset, convert, makers, files, leaves, self._faults, mark=True)
        super().__init__(self._examples._variant_tensor)

    def select(self, names: Sequence[str]) -> "Stream":
        """The same examples with some of the names only; files of the others are not encoded."""
        return Stream(
            self.dataset,
            self.leaves,
            self.specs,
            self.heads,
            on_error=self.on_error,
            sample_rate=self.sample_rate,
            names=list(names),
        )

    def _makers(self, names):
        """List of (name, function from a tensor and its position to the raw tensor or the label)."""
        kinds = {name: (kind_of(spec).converter, spec) for spec in self.specs for name in spec.raw}
        kinds |= {head.name: (_label, head) for head in self.heads}
        kinds.setdefault(SAMPLE_WEIGHT, (_weight, None))
        for name in names:
            kind, owner = kinds[name]
            yield name, kind(owner, name, self._spec(name), self)

    def _spec(self, name):
        leaf = self.leaves[name](self.dataset.element_spec)
        if not isinstance(leaf, tf.TensorSpec):
            raise refusal(name, "one dense tensor", leaf, "Turn it into one, e.g. ragged.to_tensor().")
        return leaf

    def locate(self, error: Any, batch: Any, preprocess: Any, row: int, origin: Any) -> Any:
        """As `faults.locate`, including faults of the conversion."""
        return self._faults.get(row) or faults.locate(error, batch, preprocess, row, origin)

    def first(self, name: str, count: int) -> list[Any]:
        """The values of the first examples."""
        return [self.leaves[name](element) for element in self.dataset.take(count).as_numpy_iterator()]


def leaves(structure, prefix=""):
    """Names of the columns; nested ones are written "a.b"."""
    if isinstance(structure, tuple) and not isinstance(structure, tf.TensorSpec):
        structure = dict(enumerate(structure))
    if not isinstance(structure, dict):
        return [prefix[:-1]]
    return [leaf for key, inner in structure.items() for leaf in leaves(inner, f"{prefix}{key}.")]


def picker(key):
    """Function that extracts the value of the column `key` from an element."""

    def pick(element):
        if isinstance(element, dict) and key in element:
            return element[key]
        for part in key.split("."):
            element = element[int(part)] if isinstance(element, tuple) else element[part]
        return element

    return pick


def _label(head, name, leaf, stream):
    """Encodes labels with the Python code of their head, unless they are numbers with the shape of an encoded label."""
    shape, dtype = head.label
    if shape and leaf.shape == shape and leaf.dtype != tf.string:
        return lambda value, position: _finite(head, tf.ensure_shape(tf.cast(value, dtype), shape), position)
    if leaf.shape.rank is not None and leaf.shape.rank > 1:
        raise refusal(name, "one label in each example", leaf, "Is the data set batched? Then call dataset.unbatch().")

    def encode(value, position):
        named = head.named(np.asarray(value).tolist(), position)
        return head.encode([named], [position])[0].astype(dtype)

    return lambda value, position: tf.ensure_shape(python_function(encode, [value, position], dtype), shape)


def _weight(_, name, leaf, stream):
    if not (leaf.dtype.is_floating or leaf.dtype.is_integer) or leaf.shape.rank not in (0, None):
        raise refusal(name, "one number in each example", leaf)

    def weight(value, position):
        value = tf.cast(value, tf.float32)
        known = tf.math.is_finite(value) & (value >= 0)
        return _require(known, "Sample weights", "finite numbers of 0 or more", value, position)

    return weight


def _finite(head, label, position):
    if not label.dtype.is_floating:
        return label
    known = tf.reduce_all(tf.math.is_finite(label))
    return _require(known, f"Head '{head.name}': labels", "finite numbers", label, position)


def _require(holds, what, rule, value, position):
    received = tf.strings.reduce_join(as_string(value), separator="|")
    text = [f"{what} must be {rule}. Received: ", received, " in example ",
            tf.strings.as_string(position), ". Leave it out: dataset.filter(...)."]  # fmt: skip
    text = tf.strings.join(text)
    with tf.control_dependencies([tf.raw_ops.Assert(condition=holds, data=[text], summarize=1)]):
        return tf.identity(value)
