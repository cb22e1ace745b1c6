"""A text, made token by token."""

import dataclasses
import warnings
from collections.abc import Sequence
from typing import Any, Self

import keras
import numpy as np

from mmkeras.checks import check, check_choice, check_name, check_share, check_whole
from mmkeras.decoding import Beam, Greedy
from mmkeras.heads.base import is_absent
from mmkeras.heads.text_head import LearnsUnits
from mmkeras.heads.token_loss import TokenAccuracy, TokenCrossentropy
from mmkeras.heads.units import KINDS, Units, from_code_points, normalised, to_code_points
from mmkeras.layers import TokenDecoder


@keras.saving.register_keras_serializable("mmkeras")
@dataclasses.dataclass(frozen=True, kw_only=True)
class Generation(LearnsUnits):
    """Writes a text: a Transformer decoder that reads the tokens of all branches, for `mm.encoder_decoder`.

    It learns under teacher forcing in plain `fit`: each token from the true ones before it. Asked, it makes one token
    after the other, by the most probable one or by a beam search; `decoding.decode_with` gives a trained model another
    way, such as sampling.

    Args:
        name: key of the label, the output, the metrics and the answer.
        max_tokens: longest text, in units.
        units: "words" (split at blanks), "characters" or "wordpiece".
        vocabulary_size: how many units `heads.adapt` learns at most, the most frequent ones.
        vocabulary: None, learned by `heads.adapt`; or the pieces, as in `heads.units`: a word begins with a blank.
        lowercase: whether labels are made lower case.
        too_long: "refuse" labels of more than `max_tokens` with their rows, or "cut" them, with a warning that counts
            them.
        max_characters: longest label in characters, of which it is kept until there is a vocabulary.
        dim: width of the decoder.
        num_heads: attention heads; they divide `dim`.
        num_layers: of the decoder.
        dropout: in the decoder, while training.
        label_smoothing: share of the target that is spread over all units, in [0, 1).
        beams: 1 for greedy decoding, else the width of the beam search.
        length_penalty: of the beam search, see `decoding.Beam`.

    Raises:
        ValueError: the name is no identifier, or a size or share is out of its range.

    Example:

    >>> from mmkeras import heads
    >>> head = heads.generation("caption", max_tokens=4, vocabulary=[" a", " red", " dot"])
    >>> head.targets(head.encode(["a red dot"])).tolist()
    [[2, 3, 4, 5, 0]]
    """

    kind = "generation"
    reads = "tokens"
    teacher_forcing = True

    max_tokens: int = 32
    units: str = "words"
    vocabulary_size: int = 8000
    vocabulary: tuple | None = None
    lowercase: bool = False
    too_long: str = "refuse"
    max_characters: int = 256
    dim: int = 128
    num_heads: int = 4
    num_layers: int = 2
    dropout: float = 0.1
    label_smoothing: float = 0.0
    beams: int = 1
    length_penalty: float = 0.0

    def __post_init__(self):
        check_name(self.name)
        check_choice(self.name, "units", self.units, KINDS)
        check_choice(self.name, "too_long", self.too_long, ("refuse", "cut"))
        sizes = ("max_tokens", "vocabulary_size", "max_characters", "dim", "num_heads", "num_layers", "beams")
        check_whole(self.name, **{size: getattr(self, size) for size in sizes})
        check_share(self.name, dropout=self.dropout, label_smoothing=self.label_smoothing)
        if self.vocabulary is not None:
            object.__setattr__(self, "vocabulary", tuple(self.vocabulary))

    @property
    def label(self) -> tuple[tuple[int, ...], str]:
        """Shape and dtype of one label as it is read: code points."""
        return (self.max_characters,), "int32"

    @property
    def target(self) -> tuple[tuple[int, ...], str]:
        """Shape and dtype of one target: ids, the end, 0 behind it."""
        return (self.width,), "int32"

    @property
    def width(self) -> int:
        return self.max_tokens + 1

    @property
    def end(self) -> int:
        """The id that ends a text."""
        return len(self.coding.pieces)

    def encode(self, column: Sequence[Any], rows: Sequence[Any] | None = None) -> np.ndarray:
        """Labels as they stand in a table -> code points (n, max_characters) int32, zeros behind each.

        Raises:
            ValueError: labels are missing, or too long; the message names their rows.
        """
        rows = range(len(column)) if rows is None else rows
        if missing := [rows[i] for i, value in enumerate(column) if is_absent(value)]:
            raise ValueError(
                f"Head '{self.name}': every example needs a text. Received: none in {len(missing)} row(s), "
                f"{_some(missing)}. Fill them in, or drop these rows."
            )
        texts = [normalised(value, self.lowercase) for value in column]
        known = self.units != "wordpiece"
        texts = self._short(texts, rows, "max_tokens", Units(self.units)) if known else texts
        return to_code_points(self._short(texts, rows, "max_characters", Units("characters")), self.max_characters)

    def _short(self, texts, rows, argument, units):
        """The texts with at most `argument` units each: longer ones are refused or cut."""
        lengths, most = [len(units.ids(text)) for text in texts], getattr(self, argument)
        long = [row for row, length in zip(rows, lengths, strict=True) if length > most]
        if not long:
            return texts
        rule = f"Head '{self.name}': texts have at most {argument}={most} {units.kind}."
        received = f"{len(long)} of {len(texts)} are longer, up to {max(lengths)}: row(s) {_some(long)}"
        hint = f"Give a larger {argument}, too_long='cut', or drop these rows."
        check(self.too_long == "cut", rule, received, hint)
        warnings.warn(f"{rule} {received}; what is beyond is cut off.", stacklevel=4)
        return [_first(text, most, units.kind) for text in texts]

    def adapted(self, labels: Any, weights: Any = None) -> Self:
        """This head with the vocabulary of `labels`, code points as `encode` gives them."""
        units = Units.learned(from_code_points(labels), self.units, self.vocabulary_size)
        return dataclasses.replace(self, vocabulary=units.vocabulary)

    def targets(self, labels: Any) -> np.ndarray:
        """Code points (n, max_characters) -> ids (n, max_tokens + 1) int32: the units, the end, 0 behind it.

        A label that is missing is -1 throughout. Word pieces beyond `max_tokens` are cut off, or refused.
        """
        texts, units = from_code_points(labels), self.coding
        if self.units == "wordpiece" and self.too_long == "refuse":
            self._short(texts, range(len(texts)), "max_tokens", units)
        found = units.padded(texts, self.max_tokens)
        found = np.pad(found, ((0, 0), (0, 1)))
        found[np.arange(len(found)), np.count_nonzero(found, axis=1)] = self.end
        found[np.asarray(labels)[:, 0] < 0] = -1
        return found

    def constant(self, labels: Any, weights: Any = None) -> np.ndarray:
        """The most frequent of the targets (n, L)."""
        return self.most_frequent(labels, weights)

    def output(self, features: Any, name: str | None = None) -> Any:
        """Tokens (B, M, any width) and their mask (B, M) -> ids (B, L) int32, called `name`."""
        name, size = name or self.name, self.end + 1
        options = {key: getattr(self, key) for key in ("dim", "num_heads", "num_layers", "dropout")}
        decoder = TokenDecoder(size, max_tokens=self.width, name=f"{name}_decoder", **options)
        if self.beams == 1:
            return Greedy(decoder, name=name)(*features)
        return Beam(decoder, beams=self.beams, length_penalty=self.length_penalty, name=name)(*features)

    def loss(self) -> keras.losses.Loss:
        """The Keras loss of ids and logits."""
        return TokenCrossentropy(self.label_smoothing)

    def metrics(self, prefix: str = "") -> list[keras.metrics.Metric]:
        """The Keras metrics shown while training; `mmkeras.evaluate` judges the answers themselves."""
        return [TokenAccuracy(name=f"{prefix}token_accuracy"), TokenAccuracy(True, name=f"{prefix}exact_match")]

    def decode(self, outputs: Any) -> dict[str, Any]:
        """Ids (B, L) -> the text (B,), and the ids."""
        # Needs TensorFlow, imported only where answers are decoded to strings.
        from mmkeras.preprocess.pieces import join_pieces

        return {self.name: join_pieces(outputs, self.coding.pieces), f"{self.name}_ids": outputs}

    @property
    def output_key(self) -> str:
        return f"{self.name}_ids"

    @property
    def unit(self) -> dict[str, Any]:
        return {"kind": "tokens"}

    def describe(self) -> dict[str, Any]:
        pieces = [*self.coding.pieces]
        return {"name": self.name, "kind": self.kind, "size": self.width, "pieces": pieces}


def _first(text, most, kind):
    return text[:most].rstrip() if kind == "characters" else " ".join(text.split(" ")[:most])


def _some(rows):
    more = f" and {len(rows) - 10} more" if len(rows) > 10 else ""
    return f"{', '.join(map(str, rows[:10]))}{more}"
