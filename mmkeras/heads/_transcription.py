"""The text of a sequence of time steps: connectionist temporal classification (CTC)."""

import dataclasses
import functools
from typing import Any

import keras
import numpy as np

from mmkeras.checks import check_share, check_whole
from mmkeras.decoding import Automaton, ctc_allowed, ctc_beam_search, ctc_greedy
from mmkeras.heads.allowed import allowed, check_allowed
from mmkeras.heads.ctc import BlankWhereMasked, CTCLoss, ErrorRate
from mmkeras.heads.text_head import TextHead

CERTAIN = 100.0  # logit of a unit that is certain


@keras.saving.register_keras_serializable("mmkeras")
@dataclasses.dataclass(frozen=True, kw_only=True)
class Transcription(TextHead):
    """Transcribes a sequence whose text has the order of its time steps: speech, lips, handwriting, signs.

    It reads one token per time step, as `transcriber` joins them, and learns the alignment of units and time steps
    by itself. Prefer it to a decoder where the text follows the input in order: it needs fewer examples and a single
    pass.

    A label needs a time step for each of its units, and one more between two equal neighbours. GRID's sentences of six
    words have 34 to 61 time steps of 40 ms; words need 6 of them, characters 20 to 32: for characters, use shorter time
    steps.

    Masking: the output at masked time steps is the blank.

    Args:
        name: key of the label, the output, the metrics and the answer.
        units: "words" (split at blanks: small closed vocabularies), "characters", or "wordpiece" (words split into
            learned pieces).
        vocabulary: None to learn it with `heads.adapt`, or the units themselves (word pieces that begin a word with a
            blank before them).
        vocabulary_size: most ids of a learned vocabulary, those of the blank and of the unknown unit included.
        max_tokens: largest number of time steps that a label may need; a longer label is refused when it is read. The
            model must have at least as many.
        max_characters: most characters of a label; None is `max_tokens` for characters, 16 times as many otherwise.
        lowercase: write labels in lower case.
        allow_empty: an empty label is a text, as of a clip in which nothing is said; otherwise it is missing.
        beams: 1 for the labels of the best path; more for a beam search over all paths, of so many prefixes.
        lexicon: None, or a list of texts; an answer is one of them.
        grammar: None, or for each place a list of what may stand there: `[["bin", "set"], ["red", "blue"]]`. An answer
            is the best path of those that spell an allowed text.
        dropout: share of the tokens' values that is dropped before the output layer while training.

    Raises:
        ValueError: an argument is not possible, or the vocabulary names a unit twice.

    Example:

    >>> from mmkeras import heads
    >>> head = heads.transcription("said", vocabulary=["bin", "blue"], max_tokens=4)
    >>> head.targets(head.encode(["blue bin", "bin red"])).tolist()
    [[3, 2, 0, 0], [2, 1, 0, 0]]

    Source: Graves et al., Connectionist Temporal Classification, ICML 2006.
    """

    kind = "transcription"
    reads = "tokens"

    beams: int = 1
    lexicon: tuple | None = None
    grammar: tuple | None = None
    dropout: float = 0.0

    def __post_init__(self):
        super().__post_init__()
        check_whole(self.name, beams=self.beams)
        check_share(self.name, dropout=self.dropout)
        check_allowed(self)
        if self.vocabulary is not None:
            self.automaton  # noqa: B018 - building it raises an error if the vocabulary cannot spell an allowed text

    @functools.cached_property
    def automaton(self) -> Automaton | None:
        """The `decoding.Automaton` of the texts that are allowed; None where all are."""
        return allowed(self)

    def constant(self, labels: Any, weights: Any = None) -> np.ndarray:
        """Logits (T, V) that spell the most frequent of the targets (n, max_tokens), a blank between its units."""
        path = np.zeros(2 * self.max_tokens, "int32")
        path[::2] = self.most_frequent(labels, weights)
        return CERTAIN * np.eye(self.width)[path]

    def output(self, features: Any, name: str | None = None) -> Any:
        """Tokens and their mask, one token per time step -> logits (B, T, V) float32, called `name`.

        Raises:
            ValueError: there are fewer time steps than a label may need, or the input has none.
        """
        name = name or self.name
        tokens, mask = self._checked_tokens(features)
        if self.dropout:
            tokens = keras.layers.Dropout(self.dropout, name=f"{name}_dropout")(tokens)
        # Stay in float32 under mixed precision: with half-precision logits, the loss has errors of 3e-4 (float16) and
        # 3e-3 (bfloat16).
        logits = keras.layers.Dense(self.width, dtype="float32", name=f"{name}_logits")(tokens)
        return BlankWhereMasked(dtype="float32", name=name)(logits, mask)

    def _checked_tokens(self, features):
        pair = features if isinstance(features, list | tuple) and len(features) == 2 else (features, None)
        if pair[1] is None or len(pair[0].shape) != 3:
            raise ValueError(
                f"Head '{self.name}' reads tokens (B, T, D) and their mask (B, T), one token per time step. Received: "
                f"{features}. Build the model with mm.transcriber."
            )
        steps = pair[0].shape[1]
        if steps is not None and steps < self.max_tokens:
            raise ValueError(
                f"Head '{self.name}' needs as many time steps as a label may: max_tokens={self.max_tokens}. Received: "
                f"{steps} time steps. Pool time less in the branches, or give the head a smaller max_tokens=."
            )
        return pair

    def loss(self) -> keras.losses.Loss:
        """The Keras loss of this head's targets and logits."""
        return CTCLoss()

    def metrics(self, prefix: str = "") -> list[keras.metrics.Metric]:
        """Errors per unit of the labels: `wer` of words, `cer` of characters, `error_rate` of word pieces."""
        return [ErrorRate(prefix + {"words": "wer", "characters": "cer"}.get(self.units, "error_rate"))]

    def ids(self, logits: Any) -> tuple[Any, Any]:
        """Logits (B, T, V) -> ids of the units (B, T) int32, zeros behind them; and their log-probability (B,)."""
        if self.automaton is not None:
            return ctc_allowed(logits, automaton=self.automaton)
        return ctc_greedy(logits) if self.beams == 1 else ctc_beam_search(logits, beams=self.beams)

    def decode(self, logits: Any) -> dict[str, Any]:
        """Logits (B, T, V) -> the named answers: the text (B,), and its log-probability (B,).

        With one beam, or where texts are constrained, the probability is that of the best path; a text has many.
        """
        from mmkeras.preprocess.pieces import join_pieces  # needs TensorFlow: `keras.ops` has no strings

        ids, scores = self.ids(logits)
        return {self.name: join_pieces(ids, self.coding.pieces), f"{self.name}_score": scores}

    @property
    def output_key(self) -> str | None:
        return None

    @property
    def unit(self) -> dict[str, Any]:
        return {"kind": "texts"}

    def describe(self) -> dict[str, Any]:
        found = {"name": self.name, "kind": self.kind, "pieces": list(self.coding.pieces), "beams": self.beams}
        if self.automaton is None:
            return found
        return found | {"allowed": {key: value.tolist() for key, value in vars(self.automaton).items()}}
