"""One class, or any number of classes, out of N."""

import dataclasses
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

import keras
import numpy as np
from keras import ops

from mmkeras.checks import check, check_name, check_share, did_you_mean
from mmkeras.heads.base import Head, is_absent
from mmkeras.heads.mixed_labels import Accuracy, Crossentropy, LabelsCrossentropy, check_focal
from mmkeras.specs import as_text


@keras.saving.register_keras_serializable("mmkeras")
@dataclasses.dataclass(frozen=True, kw_only=True)
class Classification(Head):
    """Names the class, or the classes, of an example.

    Args:
        name: key of the label, the output and the metrics.
        classes: names of the N classes, in the order of the scores. Names and labels that are not strings (1, True)
            count as their `str`, a whole float (1.0) as an integer; spaces around them do not count. A label that is
            no class as it stands is one in another spelling: composed or decomposed Unicode, "1.0" for "1", "true" for
            "True", or the other way round.
        multi_label: any number of classes may hold at once: sigmoid and binary crossentropy, instead of softmax and
            categorical crossentropy. In a column, the names are joined by "|", or stand in a list or set; an
            empty field (or None, NaN) is none.
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

    Raises:
        ValueError: the name is no identifier; fewer than two classes, or one twice, or weights of unknown classes;
            `positive_weights` without `multi_label`.

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

    def __post_init__(self):
        check_name(self.name)
        check_share(self.name, dropout=self.dropout, label_smoothing=self.label_smoothing)
        given = (self.classes,) if isinstance(self.classes, str) else self.classes
        classes = tuple(map(_named, given))
        object.__setattr__(self, "classes", classes)
        if len({*classes} - {""}) < max(len(classes), 1 if self.multi_label else 2):
            raise ValueError(f"Head '{self.name}' needs two or more classes, each once. Received: {list(classes)}.")
        for argument in ("class_weights", "positive_weights"):
            _check_weights(self.name, argument, getattr(self, argument), classes)
        check_focal(self.name, self.focal)
        check(self.multi_label or self.positive_weights is None,
              f"positive_weights of '{self.name}' are for multi_label=True.", f"{self.positive_weights!r}",
              "Give class_weights instead.")  # fmt: skip

    @property
    def label(self) -> tuple[tuple[int, ...], str]:
        """Shape and dtype of one encoded label."""
        return ((len(self.classes),), "float32") if self.multi_label else ((), "int32")

    def is_missing(self, value: Any) -> bool:
        """Of several labels, none is a label, too."""
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
            rows: what the message calls their rows; None numbers them.

        Raises:
            ValueError: a label is missing, is not one of the classes, or could be several; the message names its row.
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
        """The number of a class; a list of them where there may be several."""
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
        """Numbers of the classes that a label may stand for: [] for none, several where its spelling is ambiguous."""
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
        if not self.multi_label:
            return Crossentropy(self.label_smoothing, self.focal)
        if self.positive_weights == "balanced":
            raise ValueError(self._not_learned("positive_weights", "compile_for"))
        named = {_named(name): weight for name, weight in (self.positive_weights or {}).items()}
        return LabelsCrossentropy(self.label_smoothing, self.focal, [named[name] for name in self.classes if named])

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
        named = {_named(name): weight for name, weight in self.class_weights.items()}
        weights = ops.convert_to_tensor([named[name] for name in self.classes], "float32")
        if len(labels.shape) == 1:
            return ops.take(weights, labels, axis=0)
        count = ops.sum(labels, axis=-1)
        return ops.where(count > 0, ops.matmul(labels, weights) / ops.where(count > 0, count, 1.0), 1.0)

    def _not_learned(self, argument: str, where: str) -> str:
        return (
            f"Head '{self.name}' has {argument}='balanced', which are not learned yet. "
            f"Call heads = mm.heads.adapt(heads, raw) before {where}."
        )

    def decode(self, scores: Any) -> dict[str, Any]:
        """Probabilities (B, N) -> the named answers: top class (B,), scores (B, N), and whose they are (B, N)."""
        names = ops.convert_to_tensor(np.array(self.classes, object), dtype="string")
        every = ops.broadcast_to(names, ops.shape(scores))
        answers = {f"{self.name}_scores": scores, f"{self.name}_classes": every}
        if self.multi_label:
            return answers
        return {self.name: ops.take(names, ops.argmax(scores, axis=-1), axis=0), **answers}

    def averageable(self, labels: Any) -> Any:
        """Class numbers (B,) as distributions (B, N); distributions, and several labels, as they are."""
        if len(labels.shape) > 1:
            return ops.cast(labels, "float32")
        shares = ops.one_hot(labels, len(self.classes), dtype="float32")
        return ops.where(ops.expand_dims(self.labelled(labels), -1), shares, np.nan)

    @property
    def named_by_numbers(self) -> bool:
        """Whether integer labels are the classes' names ("3", "7.0"), and not their numbers in the list (0, 1)."""
        return all(re.fullmatch(r"[+-]?\d+(\.0+)?", name) for name in self.classes)

    def named(self, value: Any, row: Any = 0) -> Any:
        """The number of a class as its name; lists of them likewise."""
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
        return {"name": self.name, "kind": self.kind, **classes}


def _check_weights(name, argument, weights, classes):
    if isinstance(weights, dict) and set(map(_named, weights)) != set(classes):
        raise ValueError(
            f"{argument} of head '{name}' must name every class once. Received: {list(weights)}, classes are "
            f"{list(classes)}."
        )
    if isinstance(weights, str) and weights != "balanced":
        raise ValueError(f"{argument} of '{name}' is 'balanced' or a dict. Received: {weights!r}.")


def _named(label):
    return as_text(label).strip()


def _spelling(name):
    """What names of classes are compared by where they differ: composed Unicode, 1 for 1.0, true for True.

    >>> _spelling("1.0"), _spelling("True"), _spelling("cafe\u0301") == "café", _spelling("01")
    ('1', 'true', True, '01')
    """
    name = unicodedata.normalize("NFC", name)
    name = re.sub(r"^([+-]?\d+)\.0+$", r"\1", name)
    return name.lower() if name.lower() in ("true", "false") else name


def _several(labels):
    """The labels of one example with several classes."""
    if isinstance(labels, str | bytes):
        labels = as_text(labels).split("|")
    elif not isinstance(labels, Iterable):
        labels = [labels]
    return [label for label in labels if not is_absent(label)]
