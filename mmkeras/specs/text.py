import collections
import dataclasses
from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from mmkeras.checks import check, check_choice, check_name, check_whole
from mmkeras.specs.base import OneString, Tensor
from mmkeras.specs.learned import check_learned


@dataclasses.dataclass(frozen=True, kw_only=True)
class Text(OneString):
    """Text: raw, a UTF-8 string; ready, token ids (T,) int32 and their mask. Id 0 is padding, id 1 the unknown token.

    Args:
        name: key of this modality everywhere.
        max_tokens: longer texts are truncated to this number of tokens. Only the first 1024 * max_tokens bytes (at
            least 65,536) are read. Ready texts have a variable length T <= max_tokens.
        tokenizer: "words" (words, numbers, single punctuation marks; each character of scripts written without
            spaces); "wordpiece" (the same, then split into learned pieces: a smaller vocabulary without unknown words);
            or "characters" (each character, spaces too: for short, misspelt or damaged texts in any script).
        vocabulary_size: largest number of ids, including the two special ones.
        vocabulary: None to learn it with `adapt`, or a UTF-8 file with one token per line, or the tokens themselves
            (without the two special ones; wordpiece continuations begin with "##").
        lowercase: whether to fold case (Unicode case folding).
        strip_markup: whether to remove tags such as `<br />` and entities such as `&nbsp;`.
        optional: whether the text may be absent, which the empty string stands for, or a text without tokens (blanks,
            control characters or tags only). A required text must have a token.
        preset: keras-hub name or folder of a BERT-like model for `branches.text.pretrained`; its tokenizer is used.
        learned: number of ids that `adapt` learned, set in `preprocess.specs`; None if it is not known.
    """

    kind = "text"

    max_tokens: int = 64
    tokenizer: str = "words"
    vocabulary_size: int = 20_000
    vocabulary: str | PathLike[str] | Sequence[str] | None = None
    lowercase: bool = True
    strip_markup: bool = True
    optional: bool = False
    preset: str | None = None
    learned: int | None = None

    def __post_init__(self):
        check_name(self.name)
        check_whole(self.name, max_tokens=self.max_tokens, vocabulary_size=self.vocabulary_size)
        own = self.preset is None or (self.tokenizer == "words" and self.vocabulary is None and self.lowercase)
        check(
            own,
            f"'{self.name}' uses the tokenizer of its preset.",
            self,
            "Leave out tokenizer, vocabulary and lowercase.",
        )
        check_choice(self.name, "tokenizer", self.tokenizer, ("words", "wordpiece", "characters"))
        if self.vocabulary is not None:
            object.__setattr__(self, "vocabulary", _check_vocabulary(self.name, self.vocabulary))
            object.__setattr__(self, "vocabulary_size", len(self.vocabulary) + 2)
        check(self.vocabulary_size > 2, f"vocabulary_size of '{self.name}' must exceed 2.", self.vocabulary_size,
               "Two ids are reserved for padding and the unknown token.")  # fmt: skip
        learned = None if self.learned is None else [self.learned]
        check_learned(self.name, learned, self.vocabulary_size, columns=1)

    @property
    def ids(self) -> int:
        """Rows of the branch's embedding: the number of ids learned, or `vocabulary_size` before `adapt`."""
        return self.learned or self.vocabulary_size

    def about(self, name: str) -> str:
        return f"up to {self.max_tokens} tokens"

    @property
    def ready(self) -> dict[str, Tensor]:
        return {self.name: Tensor((None,), "int32"), f"{self.name}_mask": Tensor((None,), "bool")}


def _check_vocabulary(name, vocabulary):
    """The tokens of a vocabulary, or of its file, without the special ones; ValueError if one is repeated."""
    if isinstance(vocabulary, str | Path):
        vocabulary = Path(vocabulary).read_text(encoding="utf-8-sig").split("\n")
    tokens = tuple(token for token in vocabulary if token not in ("", "[PAD]", "[UNK]"))
    repeated = [token for token, count in collections.Counter(tokens).items() if count > 1]
    rule = f"vocabulary of '{name}' must hold tokens, each once."
    check(tokens and not repeated, rule, repeated[:5] or "no token", "Give one token per line.")
    return tokens
