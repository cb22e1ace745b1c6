"""Text -> token ids of BERT's tokenizer, equal to those of keras-hub in `mmkeras.preprocess.preset`."""

import functools
import re
import unicodedata
from collections.abc import Sequence

from mmkeras.edge.text import _IGNORABLE, _MARKUP, Text

# Ranges of CJK characters, as in BERT's tokenizer and keras-hub.
_CJK = (
    (0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F), (0x2B740, 0x2B81F), (0x2B820, 0x2CEAF),
    (0xF900, 0xFAFF), (0x2F800, 0x2FA1F),
)  # fmt: skip
_ASCII_MARK = re.compile(r"[!-/:-@\[-`{-~]")


class WordPiece(Text):
    """A string -> ids (1, T) int32 and mask (1, T) bool, with [CLS] and [SEP] around the word pieces.

    The steps, in this order: `strip_markup`; spaces around CJK characters; with `strip_accents`, NFD and removal of
    marks (Mn); splitting at ASCII blanks, control and format characters (Cc, Cf), where each punctuation mark (P*, and
    every ASCII sign) is a word of its own; with `lowercase`, NFKC_Casefold of each word; greedy longest-match pieces.

    Args:
        name: name of the modality.
        vocabulary: all tokens in the order of their ids.
        ends: ids of the start and the end token.
        unknown: token of words without matching pieces.
        suffix: prefix of every piece of a word but the first.
        split_on_cjk: whether CJK characters are words of their own.
        max_tokens, lowercase, strip_accents, strip_markup, optional: as in the preset.

    Example:

    >>> tokens = ["[UNK]", "[CLS]", "[SEP]", "go", "##es", "!"]
    >>> read = WordPiece("q", vocabulary=tokens, ends=[1, 2], max_tokens=6, lowercase=True)
    >>> read("Goes!")["q"].tolist()
    [[1, 3, 4, 5, 2, 0]]
    """

    meaning = "token ids, int32; {name}.vocabulary.txt between ids {ends}, at most {max_tokens}"

    def __init__(
        self,
        name: str,
        *,
        vocabulary: Sequence[str],
        ends: Sequence[int],
        max_tokens: int = 64,
        unknown: str = "[UNK]",
        suffix: str = "##",
        lowercase: bool = False,
        strip_accents: bool = False,
        split_on_cjk: bool = True,
        strip_markup: bool = True,
        optional: bool = False,
    ) -> None:
        super().__init__(
            name,
            vocabulary=vocabulary,
            max_tokens=max_tokens,
            tokenizer="wordpiece",
            lowercase=lowercase,
            strip_markup=strip_markup,
            optional=optional,
        )
        self.unknown, self.suffix, self.ends = self.ids[unknown], suffix, ends
        self.strip_accents, self.split_on_cjk = strip_accents, split_on_cjk

    def tokens(self, text: str) -> list[int]:
        ids = super().tokens(text)[: self.max_tokens - 2]
        return [self.ends[0], *ids, self.ends[1]] if ids else []

    def words(self, text: str) -> list[str]:
        text = _MARKUP.sub(" ", text) if self.strip_markup else text
        if self.split_on_cjk:
            text = "".join(f" {c} " if _is_cjk(c) else c for c in text)
        if self.strip_accents:
            text = unicodedata.normalize("NFD", text)
            text = "".join(c for c in text if unicodedata.category(c) != "Mn")
        text = "".join(map(self._apart, text))
        return [_folded(word) if self.lowercase else word for word in text.split("\0") if word]

    def _apart(self, character):
        if character in "\t\n\f\r " or unicodedata.category(character) in ("Cc", "Cf"):
            return "\0"
        sign = _ASCII_MARK.match(character) or unicodedata.category(character)[0] == "P"
        return f"\0{character}\0" if sign or (self.split_on_cjk and _is_cjk(character)) else character


def _is_cjk(character):
    return any(low <= ord(character) <= high for low, high in _CJK)


def _folded(word):
    """Applies Unicode's NFKC_Casefold."""
    return unicodedata.normalize("NFC", "".join(map(_folded_character, word)))


@functools.lru_cache(4096)
def _folded_character(character):
    before = None
    while before != character:
        before = character
        character = _IGNORABLE.sub("", unicodedata.normalize("NFKC", character.casefold()))
    return character
