"""Classification: one of N classes, or any number of them."""

import dataclasses
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

import keras
import numpy as np
from keras import ops

from mmkeras.checks import check_name, check_share, did_you_mean
from mmkeras.heads.base import Head, is_absent
from mmkeras.heads.mixed_labels import Accuracy, Crossentropy
from mmkeras.specs import as_text


@keras.saving.register_keras_serializable("mmkeras")
@dataclasses.dataclass(frozen=True, kw_only=True)
class Classification(Head):
    """Predicts the class, or the classes, of an example.

    Args:
        name: key of the label, the output and the metrics.
        classes: names of the N classes, in the order of the scores. Names and labels that are not strings (1, True) are
            converted by `str`, a whole float (1.0) as an integer; surrounding spaces are ignored. Labels may be spelt
            differently: in composed or decomposed Unicode, "1.0" for "1", "true" for "True", and the reverse.
        multi_label: whether an example may have any number of classes: sigmoid and binary crossentropy, instead of
            softmax and categorical crossentropy. In a column, the names are joined by "|", or given as a list or set;
            an empty field (or None, NaN) means no class.
        label_smoothing: share of the target that is spread over all classes, in [0, 1).
        class_weights: None; or "balanced", learned by `heads.adapt` as n / (N * count) (of n examples; where they have
            sample weights, n and count are sums of these); or a dict, class -> weight. They become per-head sample
            weights in `train_batches`, so that several heads may have them.
        dropout: share of the fused vector that is dropped before the output layer while training.
        thresholds: None, the most probable class, or of several classes those of 0.5 and more; or from what probability
            on the second of two classes is answered, a number; or of several, a number for each class.
            `evaluate.with_thresholds` chooses them. They are part of every export.

    Raises:
        ValueError: the name is no identifier; fewer than two classes, or one twice, or weights of unknown classes, or
            thresholds that are none.

    Example:

    >>> from mmkeras import heads
    >>> heads.classification("mood", classes=["good", "bad"]).encode(["bad", "good"]).tolist()
    [1, 0]
    """

    kind = "classification"

    classes: Sequence[Any] = dataclasses.field(default=(), kw_only=False)
    multi_label: bool = False
    label_smoothing: float = 0.0
    class_weights: str | Mapping[Any, float] | None = None
    dropout: float = 0.0
    thresholds: Sequence[float] | float | None = None

    def __post_init__(self):
        check_name(self.name)
        check_share(self.name, dropout=self.dropout, label_smoothing=self.label_smoothing)
        given = (self.classes,) if isinstance(self.classes, str) else self.classes
        classes = tuple(map(_named, given))
        object.__setattr__(self, "classes", classes)
        if len({*classes} - {""}) < max(len(classes), 1 if self.multi_label else 2):
            raise ValueError(f"Head '{self.name}' needs two or more classes, each once. Received: {list(classes)}.")
        if isinstance(self.class_weights, dict) and set(map(_named, self.class_weights)) != set(classes):
            raise ValueError(
                f"class_weights of head '{self.name}' must name every class once. Received: "
                f"{list(self.class_weights)}, classes are {list(classes)}."
            )
        if isinstance(self.class_weights, str) and self.class_weights != "balanced":
            raise ValueError(
                f"class_weights of '{self.name}' is 'balanced' or a dict. Received: {self.class_weights!r}."
            )
        if self.thresholds is not None:
            object.__setattr__(self, "thresholds", self._checked_thresholds())

    def _checked_thresholds(self) -> tuple[float, ...]:
        wanted = len(self.classes) if self.multi_label else 1
        given = self.thresholds if isinstance(self.thresholds, Iterable) else (self.thresholds,)
        thresholds = tuple(map(float, given))
        possible = self.multi_label or len(self.classes) == 2
        if not possible or len(thresholds) != wanted or not all(0 <= each <= 1 for each in thresholds):
            raise ValueError(
                f"thresholds of head '{self.name}' are probabilities: one for two classes, one for each where several "
                f"may hold at once. Received: {self.thresholds!r}, {len(self.classes)} classes, "
                f"multi_label={self.multi_label}. Leave them out: the most probable class is answered."
            )
        return thresholds

    @property
    def label(self) -> tuple[tuple[int, ...], str]:
        """Shape and dtype of one encoded label."""
        return ((len(self.classes),), "float32") if self.multi_label else ((), "int32")

    def is_missing(self, value: Any) -> bool:
        """A multi-label example without classes is not missing its label."""
        return not self.multi_label and super().is_missing(value)

    @property
    def width(self) -> int:
        return len(self.classes)

    @property
    def activation(self) -> str:
        return "sigmoid" if self.multi_label else "softmax"

    @property
    def output_key(self) -> str:
        return f"{self.name}_scores"

    @property
    def unit(self) -> dict[str, Any]:
        return {"kind": "labels" if self.multi_label else "classes"}

    def encode(self, column: Sequence[Any], rows: Sequence[Any] | None = None) -> np.ndarray:
        """Labels as they stand in a table -> int32 (n,) class numbers, or float32 (n, N) of 0 and 1.

        Args:
            column: n labels.
            rows: names of the rows in error messages; None for numbers.

        Raises:
            ValueError: a label is missing, unknown or ambiguous; the message names its row.
        """
        rows = range(len(column)) if rows is None else rows
        numbers, known = [], {}
        for i, label in enumerate(column):
            # A table has many rows and few different labels. As keys, 1 and True are equal; lists are none.
            key = label if type(label) is str else (type(label), label) if isinstance(label, int | float) else i
            if key not in known:
                known[key] = self._numbers(label, rows[i])
            numbers.append(known[key])
        if not self.multi_label:
            return np.array(numbers, "int32")
        encoded = np.zeros((len(column), len(self.classes)), "float32")
        lines = np.repeat(np.arange(len(column)), [len(several) for several in numbers])
        encoded[lines, [number for several in numbers for number in several]] = 1.0
        return encoded

    def _numbers(self, label, row):
        """The number of a class; a list of them for multi-label heads."""
        if self.multi_label:
            return [self._number(each, row) for each in _several(label)]
        return self._number(label, row)

    def _number(self, label, row):
        if is_absent(label):
            raise ValueError(
                f"Head '{self.name}': every example needs a label. Received: {label!r}, row {row} has no label. "
                "Fill it in, or drop the row."
            )
        label, meant = _named(label), self.meant(label)
        if len(meant) == 1:
            return meant[0]
        hint = f"It could be any of {[self.classes[i] for i in meant]}." if meant else did_you_mean(label, self.classes)
        raise ValueError(
            f"Head '{self.name}': a label must be one of {list(self.classes)}. Received: {label!r} in row {row}. "
            f"{hint} Clean the column, or add the class."
        )

    def meant(self, label: Any) -> list[int]:
        """Numbers of the classes that a label may mean: [] for none, several if its spelling is ambiguous."""
        label = _named(label)
        if label in self.classes:
            return [self.classes.index(label)]
        return [i for i, name in enumerate(self.classes) if _spelling(name) == _spelling(label)]

    def output(self, features: Any, name: str | None = None) -> Any:
        """Features (B, D) -> probabilities (B, N) float32, called `name`, by default that of the head."""
        name = name or self.name
        if self.dropout:
            features = keras.layers.Dropout(self.dropout, name=f"{name}_dropout")(features)
        # In float32 under mixed precision, too: bfloat16 has 128 numbers between 1 and 2, answers would be as coarse.
        logits = keras.layers.Dense(len(self.classes), dtype="float32", name=f"{name}_logits")(features)
        return keras.layers.Activation(self.activation, dtype="float32", name=name)(logits)

    def loss(self) -> keras.losses.Loss:
        """The Keras loss of this head's labels and probabilities; labels may be mixed (`augment.mix`)."""
        if self.multi_label:
            return keras.losses.BinaryCrossentropy(label_smoothing=self.label_smoothing)
        return Crossentropy(self.label_smoothing)

    def metrics(self, prefix: str = "") -> list[keras.metrics.Metric]:
        """The Keras metrics shown while training; `mmkeras.evaluate` has the rest."""
        return [Accuracy(self.multi_label, f"{prefix}accuracy")]

    @property
    def needs_adapt(self) -> bool:
        return self.class_weights == "balanced"

    def adapted(self, labels: Any, weights: Any = None) -> Self:
        """This head with the class weights of encoded `labels`, with which the classes' shares of the loss are equal.

        Sample weights are multiplied with class weights in training, so they count here, too: the share of a class is
        the sum of the weights of its examples.
        """
        labels = np.asarray(labels)
        weights = np.ones(len(labels)) if weights is None else np.asarray(weights, "float64")
        share = weights @ labels if self.multi_label else np.bincount(labels, weights, len(self.classes))
        balanced = weights.sum() / (len(self.classes) * np.where(share > 0, share, 1.0))
        return dataclasses.replace(self, class_weights=dict(zip(self.classes, balanced.tolist(), strict=True)))

    def sample_weights(self, labels: Any) -> Any:
        """Encoded or mixed labels (B,) or (B, N) -> float32 weights (B,), or None; several labels weigh their mean."""
        if self.class_weights is None:
            return None
        if self.needs_adapt:
            raise ValueError(
                f"Head '{self.name}' has class_weights='balanced', which are not learned yet. "
                "Call heads = mm.heads.adapt(heads, raw) before train_batches."
            )
        named = {_named(name): weight for name, weight in self.class_weights.items()}
        weights = ops.convert_to_tensor([named[name] for name in self.classes], "float32")
        if len(labels.shape) == 1:
            return ops.take(weights, labels, axis=0)
        count = ops.sum(labels, axis=-1)
        return ops.where(count > 0, ops.matmul(labels, weights) / ops.where(count > 0, count, 1.0), 1.0)

    def decode(self, scores: Any) -> dict[str, Any]:
        """Probabilities (B, N) -> the named answers: top class (B,), scores (B, N), and whose they are (B, N).

        Several classes with thresholds also say which of them hold, `NAME_holds` (B, N) bool.
        """
        names = ops.convert_to_tensor(np.array(self.classes, object), dtype="string")
        every = ops.broadcast_to(names, ops.shape(scores))
        answers = {f"{self.name}_scores": scores, f"{self.name}_classes": every}
        if self.multi_label:
            return answers if self.thresholds is None else answers | {f"{self.name}_holds": self.chosen(scores)}
        return {self.name: ops.take(names, self.chosen(scores), axis=0), **answers}

    def chosen(self, scores: Any) -> Any:
        """Probabilities (B, N) -> number of the class that is answered (B,), or which classes hold (B, N) bool."""
        if self.multi_label:
            thresholds = 0.5 if self.thresholds is None else ops.convert_to_tensor(self.thresholds, scores.dtype)
            return scores >= thresholds
        if self.thresholds is None:
            return ops.argmax(scores, axis=-1)
        return ops.cast(scores[:, 1] >= self.thresholds[0], "int32")

    def averageable(self, labels: Any) -> Any:
        """Class numbers (B,) as distributions (B, N); distributions, and several labels, as they are."""
        if len(labels.shape) > 1:
            return ops.cast(labels, "float32")
        shares = ops.one_hot(labels, len(self.classes), dtype="float32")
        return ops.where(ops.expand_dims(self.labelled(labels), -1), shares, np.nan)

    def shown(self, label: Any) -> str:
        """The class's name; of a mixed label those of its classes, with their shares."""
        if np.ndim(label) == 0:
            return self.classes[int(label)] if label >= 0 else ""
        pairs = [(name, share) for name, share in zip(self.classes, np.ravel(label), strict=True) if share > 0]
        return ", ".join(name if share == 1 else f"{name} {share:.2f}" for name, share in pairs)

    @property
    def named_by_numbers(self) -> bool:
        """Whether integer labels are names of classes ("3", "7.0") rather than their indices (0, 1)."""
        return all(re.fullmatch(r"[+-]?\d+(\.0+)?", name) for name in self.classes)

    def named(self, value: Any, row: Any = 0) -> Any:
        """The name of a class by its number; lists of them likewise."""
        if isinstance(value, list):
            return [self.named(each, row) for each in value]
        if self.named_by_numbers or isinstance(value, bool) or not isinstance(value, int):
            return value
        if not 0 <= value < len(self.classes):
            raise ValueError(
                f"Head '{self.name}': a label's number must be one of 0 to {len(self.classes) - 1}, for "
                f"{list(self.classes)}. Received: {value} in row {row}. Add the class, or filter the data set."
            )
        return self.classes[value]

    def describe(self) -> dict[str, Any]:
        classes = {"classes": list(self.classes), "multi_label": self.multi_label}
        thresholds = {} if self.thresholds is None else {"thresholds": list(self.thresholds)}
        return {"name": self.name, "kind": self.kind, **classes, **thresholds}


def _named(label):
    return as_text(label).strip()


def _spelling(name):
    """The normalised spelling by which class names are compared: composed Unicode, 1 for 1.0, true for True.

    >>> _spelling("1.0"), _spelling("True"), _spelling("cafe\u0301") == "café", _spelling("01")
    ('1', 'true', True, '01')
    """
    name = unicodedata.normalize("NFC", name)
    name = re.sub(r"^([+-]?\d+)\.0+$", r"\1", name)
    return name.lower() if name.lower() in ("true", "false") else name


def _several(labels):
    """The labels of one multi-label example."""
    if isinstance(labels, str | bytes):
        labels = as_text(labels).split("|")
    elif not isinstance(labels, Iterable):
        labels = [labels]
    return [label for label in labels if not is_absent(label)]
