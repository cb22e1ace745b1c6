"""Texts to ids and back."""

import numpy as np
import pytest
import tensorflow as tf

from mmkeras.heads.units import Units, from_code_points, normalised, to_code_points
from mmkeras.preprocess.pieces import join_pieces

TEXTS = ["Hello, world! ab", "ab abab (x) 'y'", "caf\u00e9 \U0001f600"]


@pytest.mark.parametrize("kind", ["words", "characters", "wordpiece"])
def test_texts_come_back_from_their_ids(kind):
    units = Units.learned(TEXTS * 2, kind, 80)
    ids = units.padded(TEXTS, 40)
    assert [units.text(row) for row in ids] == TEXTS
    assert [text.decode() for text in join_pieces(tf.constant(ids), units.pieces).numpy()] == TEXTS
    assert len(set(units.pieces)) == len(units.pieces) <= 80


def test_what_is_not_in_the_vocabulary_is_one_unknown_unit():
    assert Units("words", (" a",)).ids("a b a") == [2, 1, 2]
    assert Units("characters", ("a", " ")).ids("a ba") == [2, 3, 1, 2]
    assert Units("wordpiece", (" a", "b", " ab")).ids("abb ac") == [4, 3, 1]
    assert Units("wordpiece", (" a",)).text([2, 1]) == "a \N{REPLACEMENT CHARACTER}"


def test_the_most_frequent_units_are_kept():
    assert Units.learned(["b a a", "c"], "words", 4).vocabulary == (" a", " b")


def test_texts_are_kept_as_code_points():
    labels = to_code_points(TEXTS, 40)
    assert from_code_points(labels) == TEXTS
    assert from_code_points(np.full((1, 3), -1)) == [""]
    assert normalised("cafe\u0301\t a ") == "caf\u00e9 a"
