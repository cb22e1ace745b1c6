"""Checks of vocabularies, and of how many ids were learned."""

import collections
import numbers
from pathlib import Path

from mmkeras.checks import check


def check_learned(name, learned, most, columns):
    """How many ids `adapt` has found in each column, as a tuple, or None; ValueError where that cannot be."""
    if learned is None:
        return None
    sizes = tuple(learned)
    possible = [isinstance(size, numbers.Integral) and 2 <= size <= most for size in sizes]
    rule = f"learned of '{name}' must be {columns} number(s) of ids, each from 2 to {most}."
    check(len(sizes) == columns and all(possible), rule, list(sizes), "Leave it out: preprocess.specs has it.")
    return sizes


def check_vocabulary(name, vocabulary):
    """The tokens of a vocabulary, or of its file, without the special ones; ValueError unless each is there once."""
    if isinstance(vocabulary, str | Path):
        vocabulary = Path(vocabulary).read_text(encoding="utf-8-sig").split("\n")
    tokens = tuple(token for token in vocabulary if token not in ("", "[PAD]", "[UNK]"))
    repeated = [token for token, count in collections.Counter(tokens).items() if count > 1]
    rule = f"vocabulary of '{name}' must hold tokens, each once."
    check(tokens and not repeated, rule, repeated[:5] or "no token", "Give one token per line.")
    return tokens
