"""Base of the heads whose labels are texts: vocabulary, encoding, and targets."""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from keras import ops

from mmkeras.checks import check, check_choice, check_name, check_whole
from mmkeras.heads.base import Head, is_absent
from mmkeras.heads.units import (
    FIRST,
    KINDS,
    NO_MATCH,
    UNKNOWN_MARK,
    Units,
    from_code_points,
    normalised,
    split,
    to_code_points,
)


class LearnsUnits(Head):
    """A head whose answers are texts made of units: words, characters or word pieces.

    The subclasses have the fields `units` and `vocabulary`, which is None before `heads.adapt`.
    """

    needs_targets = True

    @functools.cached_property
    def coding(self) -> Units:
        """The units and how texts are made of them.

        Raises:
            ValueError: the vocabulary is not learned yet.
        """
        if self.vocabulary is None:
            raise ValueError(
                f"Head '{self.name}' does not know its vocabulary yet. Received: vocabulary=None. Call "
                "heads = mm.heads.adapt(heads, raw) first and give these heads to train_batches, eval_batches and the "
                "model; or give vocabulary=[...]."
            )
        return Units(self.units, self.vocabulary)

    @property
    def needs_adapt(self) -> bool:
        return self.vocabulary is None

    @property
    def meaning(self) -> tuple[Any, ...]:
        return *super().meaning, self.units, self.vocabulary

    def labelled(self, labels: Any) -> Any:
        """Encoded labels or targets (B, L) -> (B,) bool, False where they are missing."""
        return ops.convert_to_tensor(labels)[:, 0] >= 0

    def texts(self, ids: Any, unknown: str = UNKNOWN_MARK) -> list[str]:
        """Ids of units (n, L) -> list of texts. Others, such as padding, the end and -1, are left out."""
        units, size = self.coding, len(self.coding.pieces)
        return [units.text([i for i in row if 0 < i < size], unknown) for row in np.asarray(ids, int).tolist()]

    def references(self, labels: Any) -> list[str]:
        """Targets (n, L) -> the texts that answers are compared with.

        Targets don't tell what an unknown unit was. No answer matches it: `NO_MATCH` stands for it.
        """
        return self.texts(labels, NO_MATCH)

    def averageable(self, labels: Any) -> Any:
        raise ValueError(
            f"Texts cannot be averaged. Received: labels of head '{self.name}', a {self.kind}. Leave augment.mix out; "
            "the other augmentations keep the text."
        )

    def most_frequent(self, labels: Any, weights: Any = None) -> np.ndarray:
        """The most frequent row of targets (n, L), by the sum of their weights (n,)."""
        rows, inverse = np.unique(np.asarray(labels), axis=0, return_inverse=True)
        return rows[np.bincount(inverse.ravel(), weights).argmax()]


@dataclasses.dataclass(frozen=True, kw_only=True)
class TextHead(LearnsUnits):
    """A head whose labels are texts.

    They are read as code points, since the vocabulary may be learned from them later, and become ids in the batches.

    Args:
        units, vocabulary, vocabulary_size, max_tokens, max_characters, lowercase, allow_empty: see `transcription`.
    """

    units: str = "words"
    vocabulary: tuple | None = None
    vocabulary_size: int = 1000
    max_tokens: int = 32
    max_characters: int | None = None
    lowercase: bool = False
    allow_empty: bool = False

    def __post_init__(self):
        check_name(self.name)
        check_choice(self.name, "units", self.units, KINDS)
        sizes = {"vocabulary_size": self.vocabulary_size, "max_tokens": self.max_tokens}
        sizes |= {} if self.max_characters is None else {"max_characters": self.max_characters}
        check_whole(self.name, **sizes)
        rule = f"vocabulary_size of '{self.name}' must exceed {FIRST}."
        check(self.vocabulary_size > FIRST, rule, self.vocabulary_size, "Two ids are those of padding and the unknown.")
        if self.vocabulary is not None:
            object.__setattr__(self, "vocabulary", self._checked(self.vocabulary))

    def _checked(self, vocabulary):
        """The pieces of a vocabulary; words get a leading blank."""
        given = () if isinstance(vocabulary, str) else vocabulary
        pieces = tuple(f" {piece.strip()}" if self.units == "words" else piece for piece in given)
        repeated = sorted({piece for piece in pieces if pieces.count(piece) > 1})
        rule = f"vocabulary of '{self.name}' must hold units, each once."
        check(pieces and all(pieces) and not repeated, rule, repeated[:5] or list(vocabulary)[:5], "Give it as a list.")
        return pieces

    @property
    def label(self) -> tuple[tuple[int, ...], str]:
        """Shape and dtype of one encoded label, the code points of the text."""
        each = 1 if self.units == "characters" else 16
        return (self.max_characters or each * self.max_tokens,), "int32"

    @property
    def target(self) -> tuple[tuple[int, ...], str]:
        """Shape and dtype of one target of the loss: the ids of its units, zeros behind them."""
        return (self.max_tokens,), "int32"

    @property
    def width(self) -> int:
        """V, the blank and the unknown unit included."""
        return len(self.coding.pieces)

    def is_missing(self, value: Any) -> bool:
        return super().is_missing(value) and not (self.allow_empty and isinstance(value, str | bytes))

    def encode(self, column: Sequence[Any], rows: Sequence[Any] | None = None) -> np.ndarray:
        """Texts as they stand in a table -> code points, int32 (n, max_characters), zeros behind each text.

        Args:
            column: n texts.
            rows: what the message calls their rows; None numbers them.

        Raises:
            ValueError: a text is missing, or needs more time steps or characters than there are; the message names its
                row.
        """
        rows = range(len(column)) if rows is None else rows
        texts = [self._text(value, row) for value, row in zip(column, rows, strict=True)]
        return to_code_points(texts, self.label[0][0])

    def _text(self, value, row):
        missing = self.is_missing(value) if self.allow_empty else is_absent(value)
        hint = "Fill it in or drop the row; where nothing is said in an example, say allow_empty=True."
        check(not missing, f"Head '{self.name}': every example needs a text.", f"{value!r} in row {row}", hint)
        text = normalised(value, self.lowercase)
        where, most = f"{_short(text)!r} in row {row}", self.label[0][0]
        check("\0" not in text, f"Head '{self.name}': a text holds no NUL character.", where, "Clean the column.")
        rule = f"Head '{self.name}': a text may have {most} characters."
        check(len(text) <= most, rule, f"{len(text)}, {where}", "Give a larger max_characters=, or shorter texts.")
        known = self.units != "wordpiece" or self.vocabulary is not None
        self._check_steps(text, row) if known else None
        return text

    def _check_steps(self, text, row):
        units = split(text, self.units) if self.units != "wordpiece" else self.coding.ids(text)
        needed = len(units) + sum(unit == before for unit, before in zip(units[1:], units, strict=False))
        rule = (
            f"Head '{self.name}': a text may need max_tokens={self.max_tokens} time steps, one for each unit and one "
            "more between equal neighbours."
        )
        hint = "Give a larger max_tokens= (the model must have as many time steps), or shorter texts."
        check(needed <= self.max_tokens, rule, f"{needed}, {_short(text)!r} in row {row}", hint)

    def targets(self, labels: np.ndarray) -> np.ndarray:
        """Code points (n, max_characters) -> ids (n, max_tokens) int32, zeros behind each; -1 where missing."""
        found = self.coding.padded(from_code_points(labels), self.max_tokens)
        found[np.asarray(labels)[:, 0] < 0] = -1
        return found

    def adapted(self, labels: Any, weights: Any = None) -> Self:
        """This head with the vocabulary of `labels` (n, max_characters), the most frequent units first.

        Raises:
            ValueError: there is no text; or with "wordpiece", one needs more time steps than `max_tokens`.
        """
        texts = [text for text in from_code_points(labels) if text]
        rule = f"Head '{self.name}' learns its vocabulary from texts."
        check(texts, rule, f"{len(labels)} labels, all of them empty", "Is it the right column?")
        found = dataclasses.replace(self, vocabulary=Units.learned(texts, self.units, self.vocabulary_size).vocabulary)
        if self.units == "wordpiece":
            for number, text in enumerate(texts):
                found._check_steps(text, number)
        return found


def _short(text):
    return text if len(text) <= 80 else f"{text[:80]}..."
