"""Converts texts to ids of words, characters or word pieces and back, for all heads whose answers are texts.

Id 0 pads (and is the blank of CTC), 1 is the unknown unit, the vocabulary begins at 2, as in `mm.Text`.
"""

import collections
import dataclasses
import functools
import unicodedata

import numpy as np

from mmkeras.specs import as_text

KINDS = ("words", "characters", "wordpiece")
PAD, UNKNOWN, FIRST = 0, 1, 2
UNKNOWN_MARK = "\N{REPLACEMENT CHARACTER}"
# Stands for an unknown unit of a right text. No answer contains it, so that an answered UNKNOWN_MARK is an error.
NO_MATCH = "\N{OBJECT REPLACEMENT CHARACTER}"


@dataclasses.dataclass(frozen=True)
class Units:
    """A vocabulary, and how texts are split into it.

    Every unit has a piece of text. The text of some ids is their pieces joined, without the blanks at both ends: the
    piece of a word begins with a blank, and so does the first piece of a word that is split. So texts come back as
    they were normalised, with the blanks (or none) beside punctuation.

    Args:
        kind: "words" (split at blanks), "characters" (blanks, too) or "wordpiece" (words split into the longest pieces
            of the vocabulary).
        vocabulary: pieces of the ids 2, 3, ...

    >>> words = Units("words", (" two", " at"))
    >>> words.ids("at two ten"), words.text([3, 2, 1, 0])
    ([3, 2, 1], 'at two �')
    """

    kind: str
    vocabulary: tuple = ()

    @functools.cached_property
    def pieces(self):
        """Pieces of all ids, those of padding and of the unknown unit first."""
        unknown = UNKNOWN_MARK if self.kind == "characters" else f" {UNKNOWN_MARK}"
        return ("", unknown, *self.vocabulary)

    @functools.cached_property
    def _numbers(self):
        return {piece: i for i, piece in enumerate(self.vocabulary, FIRST)}

    def ids(self, text):
        """A normalised text -> list of ids."""
        if self.kind == "wordpiece":
            return [number for word in _words(text) for number in self._split(word)]
        return [self._numbers.get(unit, UNKNOWN) for unit in split(text, self.kind)]

    def text(self, ids, unknown=UNKNOWN_MARK):
        """Ids (T,), of which 0 is padding -> the text, in which `unknown` stands for unknown units."""
        pieces = (self.pieces[i] if i != UNKNOWN else self.pieces[i].replace(UNKNOWN_MARK, unknown) for i in ids)
        return "".join(pieces).strip(" ")

    def padded(self, texts, size):
        """Texts -> ids (n, size) int32, zeros behind each; what does not fit is cut off."""
        found = np.zeros((len(texts), size), "int32")
        for row, text in zip(found, texts, strict=True):
            ids = self.ids(text)[:size]
            row[: len(ids)] = ids
        return found

    def _split(self, word):
        """Longest pieces from left to right; a word that cannot be composed of pieces is one unknown unit."""
        found, at = [], 0
        while at < len(word):
            ends = range(min(len(word), at + self._longest), at, -1)
            end = next((end for end in ends if word[at:end] in self._numbers), None)
            if end is None:
                return [UNKNOWN]
            found.append(self._numbers[word[at:end]])
            at = end
        return found

    @functools.cached_property
    def _longest(self):
        return max(map(len, self.vocabulary), default=0)

    @classmethod
    def learned(cls, texts, kind, size):
        """Units with a vocabulary of at most `size` ids from normalised texts, the most frequent units first."""
        count_as = "words" if kind == "wordpiece" else kind
        counts = collections.Counter(unit for text in texts for unit in split(text, count_as))
        ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        if kind != "wordpiece":
            return cls(kind, tuple(unit for unit, _ in ordered[: size - FIRST]))
        from mmkeras.preprocess.pieces import learn_pieces  # imported here because it loads TensorFlow Text

        return cls(kind, tuple(learn_pieces([(word[1:], count) for word, count in ordered], size - FIRST)))


def normalised(value, lowercase=False):
    """A cell of a table as the text that is learned: composed Unicode, single blanks between words, none at the ends.

    >>> normalised("  Bin  blue\\n", lowercase=True)
    'bin blue'
    """
    text = " ".join(unicodedata.normalize("NFC", as_text(value)).split())
    return text.lower() if lowercase else text


def split(text, kind):
    """A normalised text -> its units as they stand in a vocabulary: words with a blank before each, or characters.

    >>> split("at two", "words")
    [' at', ' two']
    """
    return list(text) if kind == "characters" else _words(text)


def _words(text):
    return [f" {word}" for word in text.split()]


def to_code_points(texts, size):
    """Texts -> their Unicode code points (n, size) int32, zeros behind each: a label that needs no vocabulary.

    >>> to_code_points(["at"], 3).tolist()
    [[97, 116, 0]]
    """
    found = np.zeros((len(texts), size), "int32")
    for row, text in zip(found, texts, strict=True):
        row[: len(text)] = [ord(character) for character in text]
    return found


def from_code_points(labels):
    """Code points (n, L), followed by zeros -> list of texts; a row of -1, a missing label, is the empty text."""
    return ["".join(map(chr, row[row > 0])) for row in np.asarray(labels)]
