"""Text -> token ids: the steps of `mmkeras.preprocess.text` in plain Python."""

import re
import unicodedata
from collections.abc import Sequence

import numpy as np

from mmkeras.edge.errors import refusal
from mmkeras.edge.modality import Modality

_MARKUP = re.compile(r"<[/!?a-zA-Z][^<>]*>|&(?:#[0-9]+|#[xX][0-9a-fA-F]+|[a-zA-Z][a-zA-Z0-9]*);")
# Blocks of Thai and Lao, Myanmar, Khmer, kana, kana extensions, Han (extension A, compatibility, planes 2 and 3).
_UNSPACED = (
    (0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x3040, 0x30FF), (0x31F0, 0x31FF),
    (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x323AF),
)  # fmt: skip
# Joiners, fillers, variation selectors: Unicode's Default_Ignorable_Code_Point, which NFKC_Casefold drops. The
# TensorFlow graph uses the tables of Unicode 13; characters assigned later may differ.
_IGNORABLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_LONGEST_WORD = 100  # UTF-8 bytes
_BYTES_PER_TOKEN, _LEAST_TOKENS = 1024, 64  # determine how many bytes of a long text are read


class Text(Modality):
    """A string -> ids (1, T) int32 and mask (1, T) bool.

    Args:
        name: name of the modality.
        vocabulary: all tokens in the order of their ids; padding is 0, the unknown token 1.
        max_tokens, tokenizer, lowercase, strip_markup, optional: as in `mmkeras.Text`.

    Call arguments:
        value: str, or its UTF-8 bytes; None or empty if absent.

    Raises:
        ValueError: not UTF-8, or a required text is empty or has no tokens.

    Example:

    >>> read = Text("question", vocabulary=["[PAD]", "[UNK]", "what", "?"], max_tokens=4)
    >>> read("What now?")["question"].tolist()
    [[2, 1, 3, 0]]
    """

    meaning = "token ids, int32; {tokenizer}, at most {max_tokens}"

    unknown, suffix = 1, "##"

    def __init__(
        self,
        name: str,
        *,
        vocabulary: Sequence[str],
        max_tokens: int = 64,
        tokenizer: str = "words",
        lowercase: bool = True,
        strip_markup: bool = True,
        optional: bool = False,
    ) -> None:
        self.name, self.max_tokens, self.tokenizer = name, max_tokens, tokenizer
        self.lowercase, self.strip_markup, self.optional = lowercase, strip_markup, optional
        self.ids = {token: i for i, token in enumerate(vocabulary)}
        self.longest = max(map(len, vocabulary))

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return self._masked((self.max_tokens,), (self.max_tokens,))

    def __call__(self, value):
        text = self._checked(value)
        ids = self.tokens(self._beginning(text))
        if not ids and not self.optional:
            rule = "a required text must hold at least one token; markup, blanks and control characters are none."
            raise refusal(self.name, rule, repr(text[:40]), "Give one with words; it is not optional.")
        padded = np.zeros((1, self.max_tokens), "int32")
        padded[0, : len(ids)] = ids
        return {self.name: padded, f"{self.name}_mask": np.arange(self.max_tokens)[None] < len(ids)}

    def tokens(self, text: str) -> list[int]:
        """At most `max_tokens` ids."""
        return [i for word in self.words(text) for i in self._lookup(word)][: self.max_tokens]

    def _checked(self, value):
        try:
            value = value.decode() if isinstance(value, bytes) else "" if value is None else value
            value.encode()
        except (UnicodeError, AttributeError) as error:
            rule, remedy = "text must be UTF-8.", "Was a file of another modality fed under this name?"
            raise refusal(self.name, rule, f"{type(value).__name__}, {error}", remedy) from error
        if not value and not self.optional:
            raise refusal(self.name, "a required text must not be empty.", "''", "Give one; it is not optional.")
        return value

    def _beginning(self, text):
        """The first bytes of the text, cut at a character boundary, as in `mmkeras.preprocess`."""
        most = _BYTES_PER_TOKEN * max(self.max_tokens, _LEAST_TOKENS)
        return text[:most].encode()[:most].decode(errors="ignore")

    def words(self, text: str) -> list[str]:
        """The normalised text, split into words or characters."""
        text = _MARKUP.sub(" ", text) if self.strip_markup else text
        text = unicodedata.normalize("NFKC", text)
        if self.lowercase:
            text = unicodedata.normalize("NFKC", _IGNORABLE.sub("", text.casefold()))
        text = "".join(map(_blank, text))
        if self.tokenizer == "characters":
            text = re.sub(" +", "▁", text.strip(" "))
        return _split(text, (lambda character: True) if self.tokenizer == "characters" else _stands_alone)

    def _lookup(self, word):
        if self.tokenizer != "wordpiece":
            return [self.ids.get(word, self.unknown)]
        return self._pieces(word) if len(word.encode()) <= _LONGEST_WORD else [self.unknown]

    def _pieces(self, word):
        """Greedy longest-match pieces; the unknown token if there is no match."""
        found, start = [], 0
        while start < len(word):
            lead = self.suffix if start else ""
            ends = range(min(len(word), start + self.longest), start, -1)
            end = next((end for end in ends if lead + word[start:end] in self.ids), None)
            if end is None:
                return [self.unknown]
            found.append(self.ids[lead + word[start:end]])
            start = end
        return found


def _blank(character):
    """Removes format characters; control and separator characters become spaces."""
    category = unicodedata.category(character)
    return "" if category == "Cf" else " " if category in ("Cc", "Co", "Zs", "Zl", "Zp") else character


def _stands_alone(character):
    unspaced = any(low <= ord(character) <= high for low, high in _UNSPACED)
    return unspaced or unicodedata.category(character)[0] in "PS"


def _split(text, alone):
    """Splits at spaces; punctuation and characters of unspaced scripts become tokens, with their combining marks."""
    tokens, open_word = [], False  # open_word: whether the next character may extend the last token
    marks_only = False  # whether only a combining mark may extend it
    for character in text:
        mark = unicodedata.category(character)[0] == "M"
        if character == " ":
            open_word = False
        elif mark and open_word and marks_only:
            tokens[-1] += character
        elif alone(character):
            tokens.append(character)
            open_word = marks_only = True
        elif open_word and not marks_only:
            tokens[-1] += character
        else:
            tokens.append(character)
            open_word, marks_only = True, False
    return tokens
