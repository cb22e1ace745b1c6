"""Joins the pieces of ids to strings, and learns word pieces from words."""

import tensorflow as tf

_JOINER = "\0"  # marks a piece that does not begin a word; it occurs in no text


def join_pieces(ids, pieces):
    """The text of each row of ids, in the graph: their pieces joined, without the blanks at both ends.

    Args:
        ids: (..., T) int; negative ones are passed over.
        pieces: N strings.

    Returns:
        (...) string.

    >>> join_pieces(tf.constant([[1, 2, 0, -1], [2, 0, 0, 0]]), ["", " at", " two"]).numpy().tolist()
    [b'at two', b'two']
    """
    ids = tf.convert_to_tensor(ids)
    found = tf.gather(tf.constant(list(pieces)), tf.maximum(ids, 0))
    return tf.strings.strip(tf.strings.reduce_join(tf.where(ids < 0, "", found), axis=-1))


def learn_pieces(words, size):
    """Word pieces of words: what begins a word begins with a blank.

    Args:
        words: list of (word, count).
        size: how many pieces at most, about.

    Returns:
        List of pieces; every character of the words is one, at the beginning of a word and within.

    >>> sorted(learn_pieces([("abab", 40), ("ab", 20)], 8))
    [' a', ' ab', ' abab', ' b', 'a', 'b']
    """
    from tensorflow_text.tools.wordpiece_vocab import wordpiece_tokenizer_learner_lib as learner

    # The learner keeps 1,000 characters by default, but Han has many more.
    found = learner.learn(words, size, [], max_unique_chars=size, lower_thresh=1, joiner=_JOINER)
    pieces = [piece[1:] if piece.startswith(_JOINER) else f" {piece}" for piece in found]
    return [piece for piece in pieces if piece][:size]
