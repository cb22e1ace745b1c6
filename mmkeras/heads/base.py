"""The contract of a head: all that the other rooms may ask of it."""

import abc
import dataclasses
from collections.abc import Sequence
from typing import Any, Self

import keras
import numpy as np
from keras import ops

from mmkeras.config import Config


def is_absent(value):
    """Whether a cell of a table is empty, None, NaN, or pandas' NA, which is told by its name: no pandas here."""
    return not value.strip() if isinstance(value, str | bytes) else str(value) in ("None", "nan", "NaT", "<NA>")


@dataclasses.dataclass(frozen=True)
class Head(Config, abc.ABC):
    """What a model answers under one name: output layer, loss, metrics, label encoding and decoding.

    No other room asks what kind of head it has before it. To add a kind, write a frozen dataclass that derives from
    this one, and give `mmkeras.evaluate.KINDS` and `mmkeras.edge.ANSWERS` the modules that score it and answer for it
    on a device, under its `kind`. `tests/test_new_kinds.py` adds one from outside the package.

    A label may be missing where a table has several heads: its weight is 0 in the loss, the metrics and the report. An
    encoded label that is missing holds -1 (whole numbers) or NaN.

    Args:
        name: key of the label, the output, the metrics and the answer.
        required: refuse rows that lack this label, although other heads have one.

    Attributes of the class:
        kind: name of the kind; the files that score it and that answer on a device are called so.
        reads: "vector", the fused vector (B, D); or "tokens", joint tokens (B, T, D) and their mask (B, T).
        activation: "softmax", "sigmoid" or "linear": what its outputs are, and so how several are combined.
        classes: names of the classes it tells apart; () where it has none.
        needs_targets: whether the loss takes other arrays than `encode` gives, those of `targets`: a text is read
            before there is a vocabulary, and its ids depend on one.
        teacher_forcing: whether it learns from the true tokens before each token: `output` is then by a layer of
            `mmkeras.decoding`, and the loss takes that layer's logits, see `mmkeras.contract.teaching`.
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
        """Labels as `encode` gave them (n, ...) -> targets of the loss (n, ...), both NumPy; batches hold targets."""
        return labels

    @property
    @abc.abstractmethod
    def width(self) -> int:
        """Size of the last axis of the output."""

    @abc.abstractmethod
    def encode(self, column: Sequence[Any], rows: Sequence[Any] | None = None) -> np.ndarray:
        """Labels as they stand in a table -> array (n, *shape) of `label`.

        Args:
            column: n labels.
            rows: what error messages call their rows; None numbers them.

        Raises:
            ValueError: a label is missing or not understood; the message names the head and the row.
        """

    def is_missing(self, value: Any) -> bool:
        """Whether a value of a table is no label: an empty text, None, NaN or pandas' NA."""
        return is_absent(value)

    @property
    def meaning(self) -> tuple[Any, ...]:
        """What must be equal in two heads for the outputs of a model of one to be read by the other."""
        return self.kind, self.label, tuple(self.classes)

    @property
    def blank(self) -> np.ndarray:
        """An encoded label that is missing: an array of the shape and dtype of `label`."""
        shape, dtype = self.label
        return np.full(shape, -1 if "int" in dtype else np.nan, dtype)

    def shown(self, label: Any) -> str:
        """One encoded or mixed label as text, for people to look at; "" where it is missing."""
        if not np.asarray(self.labelled(np.asarray(label)[None]))[0]:
            return ""
        return ", ".join(f"{number:.4g}" for number in np.ravel(label).tolist())

    def labelled(self, labels: Any) -> Any:
        """Encoded or mixed labels (B, ...) -> (B,) bool, False where they are missing."""
        labels = ops.convert_to_tensor(labels)
        if "int" in keras.backend.standardize_dtype(labels.dtype):
            return ops.all(ops.reshape(labels, (ops.shape(labels)[0], -1)) >= 0, axis=1)
        return ops.logical_not(ops.any(ops.isnan(ops.reshape(labels, (ops.shape(labels)[0], -1))), axis=1))

    def filled(self, labels: Any) -> Any:
        """The same labels with 0 in place of what is missing, so that a loss of weight 0 is a number."""
        labels = ops.convert_to_tensor(labels)
        whole = "int" in keras.backend.standardize_dtype(labels.dtype)
        return ops.maximum(labels, 0) if whole else ops.where(ops.isnan(labels), 0.0, labels)

    @abc.abstractmethod
    def output(self, features: Any, name: str | None = None) -> Any:
        """What the head `reads` -> its outputs (B, ...) float32, by a layer called `name`, by default its own name."""

    @abc.abstractmethod
    def loss(self) -> keras.losses.Loss:
        """A `keras.losses.Loss` of encoded labels and outputs."""

    def metrics(self, prefix: str = "") -> list[keras.metrics.Metric]:
        """List of the Keras metrics shown while training, their names begin with `prefix`."""
        return []

    def adapted(self, labels: Any, weights: Any = None) -> Self:
        """This head with what it learns from encoded training labels, where it `needs_adapt`.

        Args:
            labels: array (n, ...), none of them missing.
            weights: sample weights (n,), or None where the examples have none.
        """
        return self

    def sample_weights(self, labels: Any) -> Any:
        """Encoded labels (B, ...) -> float32 weights (B,), or None where all weigh the same."""
        return None

    def named(self, value: Any, row: Any = 0) -> Any:
        """A label as a data set of another library stores it, such as the number of a class, as it stands in a table.

        Raises:
            ValueError: there is no such class; the message names the `row`.
        """
        return value

    def averageable(self, labels: Any) -> Any:
        """Encoded labels (B, ...) as float32 of which weighted means may be taken (MixUp); NaN where missing."""
        return ops.cast(labels, "float32")

    def constant(self, labels: Any, weights: Any = None) -> np.ndarray:
        """What one would answer without looking at the inputs: the mean of labels that are not missing, float64.

        Args:
            labels: encoded labels (n, ...), or targets where there are such.
            weights: how much each counts (n,), or None.
        """
        values = np.asarray(self.averageable(labels), "float64").reshape(len(labels), -1)
        return np.average(values, axis=0, weights=weights)

    @abc.abstractmethod
    def decode(self, outputs: Any) -> dict[str, Any]:
        """Outputs (B, ...) -> dict of named answers (B, ...), as a served model gives them."""

    @property
    def output_key(self) -> str | None:
        """Which of the answers of `decode` are the outputs themselves; None where none is, as of a text."""
        return self.name

    @property
    def unit(self) -> dict[str, Any]:
        """In what its outputs are compared, see `mmkeras.export.distance`."""
        return {"kind": "values", "std": None}

    @abc.abstractmethod
    def describe(self) -> dict[str, Any]:
        """Dict of plain values: `name`, `kind`, and what a device needs to turn outputs into answers."""
