"""Classification: one of N classes, or any number of them."""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any, Self

import keras
import numpy as np
from keras import ops

from mmkeras.checks import check, check_name, check_share, did_you_mean
from mmkeras.heads._classes import check_weights, checked_thresholds, named, several, spelling
from mmkeras.heads.base import Head, is_absent
from mmkeras.heads.mixed_labels import Accuracy, Crossentropy, LabelsCrossentropy, check_focal


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
        positive_weights: of several labels: None; or "balanced", learned by `heads.adapt` as negatives / positives of
            each class; or a dict, class -> weight. The loss of a label that holds is multiplied by it, so that rare
            ones are found more often. Scores are then no longer the chances of the labels.
        focal: 0 for plain crossentropy; above, the loss of what is answered rightly with certainty counts less, by the
            factor (1 - p)^focal, where p is the score of the truth. 2 is usual for rare classes among many easy
            examples.
        dropout: share of the fused vector that is dropped before the output layer while training.
        thresholds: None, the most probable class, or of several classes those of 0.5 and more; or from what probability
            on the second of two classes is answered, a number; or of several, a number for each class.
            `evaluate.with_thresholds` chooses them. They are part of every export.

    Raises:
        ValueError: the name is no identifier; fewer than two classes, or one twice, or weights of unknown classes;
            `positive_weights` without `multi_label`; or thresholds that are none.

    Example:

    >>> from mmkeras import heads
    >>> heads.classification("mood", classes=["good", "bad"]).encode(["bad", "good"]).tolist()
    [1, 0]

    Source: focal: Lin et al., arXiv 1708.02002, equation 4, without its weight alpha.
    """

    kind = "classification"

    classes: Sequence[Any] = dataclasses.field(default=(), kw_only=False)
    multi_label: bool = False
    label_smoothing: float = 0.0
    class_weights: str | Mapping[Any, float] | None = None
    dropout: float = 0.0
    positive_weights: str | Mapping[Any, float] | None = None
    focal: float = 0.0
    thresholds: Sequence[float] | float | None = None

    def __post_init__(self):
        check_name(self.name)
        check_share(self.name, dropout=self.dropout, label_smoothing=self.label_smoothing)
        given = (self.classes,) if isinstance(self.classes, str) else self.classes
        classes = tuple(map(named, given))
        object.__setattr__(self, "classes", classes)
        if len({*classes} - {""}) < max(len(classes), 1 if self.multi_label else 2):
            raise ValueError(f"Head '{self.name}' needs two or more classes, each once. Received: {list(classes)}.")
        for argument in ("class_weights", "positive_weights"):
            check_weights(self.name, argument, getattr(self, argument), classes)
        check_focal(self.name, self.focal)
        check(self.multi_label or self.positive_weights is None,
              f"positive_weights of '{self.name}' are for multi_label=True.", f"{self.positive_weights!r}",
              "Give class_weights instead.")  # fmt: skip
        if self.thresholds is not None:
            object.__setattr__(self, "thresholds", checked_thresholds(self))

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
            # Tables have many rows but few distinct labels, so cache them by label. The type is part of the key because
            # 1 == True; lists are not hashable and are not cached.
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
            return [self._number(each, row) for each in several(label)]
        return self._number(label, row)

    def _number(self, label, row):
        if is_absent(label):
            raise ValueError(
                f"Head '{self.name}': every example needs a label. Received: {label!r}, row {row} has no label. "
                "Fill it in, or drop the row."
            )
        label, meant = named(label), self.meant(label)
        if len(meant) == 1:
            return meant[0]
        hint = f"It could be any of {[self.classes[i] for i in meant]}." if meant else did_you_mean(label, self.classes)
        raise ValueError(
            f"Head '{self.name}': a label must be one of {list(self.classes)}. Received: {label!r} in row {row}. "
            f"{hint} Clean the column, or add the class."
        )

    def meant(self, label: Any) -> list[int]:
        """Numbers of the classes that a label may mean: [] for none, several if its spelling is ambiguous."""
        label = named(label)
        if label in self.classes:
            return [self.classes.index(label)]
        return [i for i, name in enumerate(self.classes) if spelling(name) == spelling(label)]

    def output(self, features: Any, name: str | None = None) -> Any:
        """Features (B, D) -> probabilities (B, N) float32, called `name`, by default that of the head."""
        name = name or self.name
        if self.dropout:
            features = keras.layers.Dropout(self.dropout, name=f"{name}_dropout")(features)
        # Stay in float32 under mixed precision: bfloat16 has only 128 values between 1 and 2, too coarse for answers.
        logits = keras.layers.Dense(len(self.classes), dtype="float32", name=f"{name}_logits")(features)
        return keras.layers.Activation(self.activation, dtype="float32", name=name)(logits)

    def loss(self) -> keras.losses.Loss:
        """The Keras loss of this head's labels and probabilities; labels may be mixed (`augment.mix`)."""
        if not self.multi_label:
            return Crossentropy(self.label_smoothing, self.focal)
        if self.positive_weights == "balanced":
            raise ValueError(self._not_learned("positive_weights", "compile_for"))
        by_class = {named(name): weight for name, weight in (self.positive_weights or {}).items()}
        weights = [by_class[name] for name in self.classes if by_class]
        return LabelsCrossentropy(self.label_smoothing, self.focal, weights)

    def metrics(self, prefix: str = "") -> list[keras.metrics.Metric]:
        """The Keras metrics shown while training; `mmkeras.evaluate` has the rest."""
        return [Accuracy(self.multi_label, f"{prefix}accuracy")]

    @property
    def needs_adapt(self) -> bool:
        return "balanced" in (self.class_weights, self.positive_weights)

    def adapted(self, labels: Any, weights: Any = None) -> Self:
        """This head with the weights of encoded `labels`, with which the classes' shares of the loss are equal.

        Sample weights are multiplied with class weights in training, so they count here, too: the share of a class is
        the sum of the weights of its examples.
        """
        labels = np.asarray(labels)
        weights = np.ones(len(labels)) if weights is None else np.asarray(weights, "float64")
        share = weights @ labels if self.multi_label else np.bincount(labels, weights, len(self.classes))
        total, found = weights.sum(), {}
        if self.class_weights == "balanced":
            found["class_weights"] = total / (len(self.classes) * np.where(share > 0, share, 1.0))
        if self.positive_weights == "balanced":
            found["positive_weights"] = (total - share) / np.where(share > 0, share, 1.0)
        named = {key: dict(zip(self.classes, each.tolist(), strict=True)) for key, each in found.items()}
        return dataclasses.replace(self, **named)

    def sample_weights(self, labels: Any) -> Any:
        """Encoded or mixed labels (B,) or (B, N) -> float32 weights (B,), or None; several labels weigh their mean."""
        if self.class_weights is None:
            return None
        if self.class_weights == "balanced":
            raise ValueError(self._not_learned("class_weights", "train_batches"))
        by_class = {named(name): weight for name, weight in self.class_weights.items()}
        weights = ops.convert_to_tensor([by_class[name] for name in self.classes], "float32")
        if len(labels.shape) == 1:
            return ops.take(weights, labels, axis=0)
        count = ops.sum(labels, axis=-1)
        return ops.where(count > 0, ops.matmul(labels, weights) / ops.where(count > 0, count, 1.0), 1.0)

    def _not_learned(self, argument: str, where: str) -> str:
        return (
            f"Head '{self.name}' has {argument}='balanced', which are not learned yet. "
            f"Call heads = mm.heads.adapt(heads, raw) before {where}, and give these heads to train_batches(raw, "
            "preprocess, heads), to the model and to compile_for: the examples know only the heads they were read with."
        )

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
