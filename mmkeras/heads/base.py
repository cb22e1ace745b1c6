"""The base class of heads: the interface that the rest of the package uses."""

import abc
import dataclasses
from collections.abc import Sequence
from typing import Any, Self

import keras
import numpy as np
from keras import ops

from mmkeras.config import Config


def is_absent(value):
    """Whether a cell of a table is empty, None, NaN or pandas' NA (compared by name, without pandas)."""
    return not value.strip() if isinstance(value, str | bytes) else str(value) in ("None", "nan", "NaT", "<NA>")


@dataclasses.dataclass(frozen=True)
class Head(Config, abc.ABC):
    """One answer of a model: its output layer, loss, metrics, label encoding and decoding.

    The rest of the package uses this interface only and does not check for particular kinds. To add a kind, write a
    frozen dataclass that derives from this class, and register under its `kind` the module that scores it in
    `mmkeras.evaluate.KINDS` and the module that decodes it on a device in `mmkeras.edge.ANSWERS`.
    `tests/test_new_kinds.py` adds one from outside the package.

    With several heads, a label may be missing: it has weight 0 in the loss, the metrics and the report. A missing label
    is encoded as -1 (integers) or NaN (floats).

    Args:
        name: key of the label, the output, the metrics and the answer.
        required: whether rows without this label are refused, even if other heads have one.

    Attributes of the class:
        kind: name of the kind, and of the modules that score it and decode it on a device.
        reads: "vector", the fused vector (B, D); or "tokens", joint tokens (B, T, D) and their mask (B, T).
        activation: "softmax", "sigmoid" or "linear", which determines how outputs of several models are combined.
        classes: names of its classes; () if it has none.
        needs_targets: whether the loss takes the arrays of `targets` instead of those of `encode`. Texts need this:
            they are read before a vocabulary exists, and their ids depend on it.
        teacher_forcing: whether it is trained with teacher forcing: `output` is then a layer of `mmkeras.decoding`, and
            the loss takes the logits of that layer, see `mmkeras.contract.teaching`.
    """

    kind = ""
    reads = "vector"
    activation = "linear"
    classes = ()
    needs_adapt = False
    needs_targets = False
    teacher_forcing = False

    name: str
    required: bool = dataclasses.field(default=False, kw_only=True)

    @property
    @abc.abstractmethod
    def label(self) -> tuple[tuple[int, ...], str]:
        """Shape and dtype of one encoded label, such as `((), "int32")`."""

    @property
    def target(self) -> tuple[tuple[int, ...], str]:
        """Shape and dtype of one target of the loss."""
        return self.label

    def targets(self, labels: np.ndarray) -> np.ndarray:
        """Converts labels of `encode` (n, ...) to targets of the loss (n, ...), both NumPy; batches contain targets."""
        return labels

    @property
    @abc.abstractmethod
    def width(self) -> int:
        """Size of the last axis of the output."""

    @abc.abstractmethod
    def encode(self, column: Sequence[Any], rows: Sequence[Any] | None = None) -> np.ndarray:
        """Encodes labels of a table as an array (n, *shape), with the shape and dtype of `label`.

        Args:
            column: n labels.
            rows: row names for error messages; None numbers the rows.

        Raises:
            ValueError: a label is missing or invalid; the message names the head and the row.
        """

    def is_missing(self, value: Any) -> bool:
        """Whether a value of a table is a missing label: an empty text, None, NaN or pandas' NA."""
        return is_absent(value)

    @property
    def meaning(self) -> tuple[Any, ...]:
        """What two heads must have in common so that one can decode the outputs of a model built with the other."""
        return self.kind, self.label, tuple(self.classes)

    @property
    def blank(self) -> np.ndarray:
        """The encoding of a missing label: an array with the shape and dtype of `label`."""
        shape, dtype = self.label
        return np.full(shape, -1 if "int" in dtype else np.nan, dtype)

    def shown(self, label: Any) -> str:
        """One encoded or mixed label as readable text; "" if it is missing."""
        if not np.asarray(self.labelled(np.asarray(label)[None]))[0]:
            return ""
        return ", ".join(f"{number:.4g}" for number in np.ravel(label).tolist())

    def labelled(self, labels: Any) -> Any:
        """Whether each of the encoded or mixed labels (B, ...) is present, as (B,) bool."""
        labels = ops.convert_to_tensor(labels)
        if "int" in keras.backend.standardize_dtype(labels.dtype):
            return ops.all(ops.reshape(labels, (ops.shape(labels)[0], -1)) >= 0, axis=1)
        return ops.logical_not(ops.any(ops.isnan(ops.reshape(labels, (ops.shape(labels)[0], -1))), axis=1))

    def filled(self, labels: Any) -> Any:
        """Replaces missing labels by 0, so that the loss, which has weight 0 there, is finite."""
        labels = ops.convert_to_tensor(labels)
        whole = "int" in keras.backend.standardize_dtype(labels.dtype)
        return ops.maximum(labels, 0) if whole else ops.where(ops.isnan(labels), 0.0, labels)

    @abc.abstractmethod
    def output(self, features: Any, name: str | None = None) -> Any:
        """Outputs (B, ...) float32 of what the head `reads`, by a layer called `name`, by default like the head."""

    @abc.abstractmethod
    def loss(self) -> keras.losses.Loss:
        """A `keras.losses.Loss` of encoded labels and outputs."""

    def metrics(self, prefix: str = "") -> list[keras.metrics.Metric]:
        """List of the Keras metrics shown during training, their names prefixed with `prefix`."""
        return []

    def adapted(self, labels: Any, weights: Any = None) -> Self:
        """Returns this head with what it learned from encoded training labels, if it `needs_adapt`.

        Args:
            labels: array (n, ...), without missing labels.
            weights: sample weights (n,), or None for unweighted examples.
        """
        return self

    def sample_weights(self, labels: Any) -> Any:
        """Sample weights (B,) float32 of encoded labels (B, ...), or None if all are weighted equally."""
        return None

    def named(self, value: Any, row: Any = 0) -> Any:
        """Converts a label of another library's data set, such as a class index, to the label of a table.

        Raises:
            ValueError: the class does not exist; the message names the `row`.
        """
        return value

    def averageable(self, labels: Any) -> Any:
        """Encoded labels (B, ...) as float32 that can be averaged with weights (MixUp); NaN if missing."""
        return ops.cast(labels, "float32")

    def constant(self, labels: Any, weights: Any = None) -> np.ndarray:
        """The best answer without looking at the inputs: the mean of the labels, ignoring missing ones, float64.

        Args:
            labels: encoded labels (n, ...), or targets if the head `needs_targets`.
            weights: sample weights (n,), or None.
        """
        values = np.asarray(self.averageable(labels), "float64").reshape(len(labels), -1)
        return np.average(values, axis=0, weights=weights)

    @abc.abstractmethod
    def decode(self, outputs: Any) -> dict[str, Any]:
        """Decodes outputs (B, ...) into a dict of named answers (B, ...), as returned by a served model."""

    @property
    def output_key(self) -> str | None:
        """Key of the answer of `decode` that is the raw output; None if there is none, as for texts."""
        return self.name

    @property
    def unit(self) -> dict[str, Any]:
        """The unit in which outputs are compared, see `mmkeras.export.distance`."""
        return {"kind": "values", "std": None}

    @abc.abstractmethod
    def describe(self) -> dict[str, Any]:
        """Dict of plain values: `name`, `kind`, and what a device needs to decode the outputs."""
