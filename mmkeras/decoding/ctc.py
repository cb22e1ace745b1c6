"""Connectionist temporal classification: the labels that the outputs of all time steps spell. Id 0 is the blank."""

from typing import Any

from keras import ops

from mmkeras.decoding.automaton import Automaton

MASKED = -1e4  # logit of all units at masked steps, where the blank has 0; their probability is 0 in float32


def blank_where_masked(logits, mask):
    """Logits whose masked time steps are blank, so that neither the loss nor decoding needs to know the lengths.

    Args:
        logits: (B, T, V) float32.
        mask: (B, T) bool.

    Returns:
        (B, T, V) float32.
    """
    blank = MASKED * (1.0 - ops.one_hot(0, logits.shape[-1], dtype="float32"))
    return ops.where(ops.expand_dims(mask, -1), logits, blank)


def ctc_path(logits):
    """The most probable unit of each time step, and which of them count: no blank, no repetition of the one before.

    Args:
        logits: (B, T, V).

    Returns:
        ids (B, T) int32, counts (B, T) bool.
    """
    # LiteRT has no builtin op for `argmax` of floats (it needs BitwiseAnd), but it has one for `top_k`.
    ids = ops.cast(ops.squeeze(ops.top_k(logits, 1)[1], axis=-1), "int32")
    before = ops.concatenate([ops.zeros_like(ids[:, :1]), ids[:, :-1]], axis=1)
    return ids, ops.logical_and(ids > 0, ops.not_equal(ids, before))


def ctc_greedy(logits: Any) -> tuple[Any, Any]:
    """The labels of the most probable path: the best unit of each time step, repetitions merged, blanks dropped.

    Args:
        logits: (B, T, V) float32.

    Returns:
        ids (B, T) int32, zeros behind the labels; and the log-probability of that path, (B,) float32.

    Example:

    >>> path = np.eye(3)[[[1, 1, 0, 1, 2]]] * 9.0
    >>> ctc_greedy(path)[0].numpy().tolist()
    [[1, 1, 2, 0, 0]]

    Source: Graves et al., Connectionist Temporal Classification (ICML 2006), section 3.2, "best path decoding".
    """
    ids, counts = ctc_path(logits)
    best = ops.max(ops.log_softmax(logits, axis=-1), axis=-1)
    return _first(ids, counts), ops.sum(best, axis=1)


def _first(ids, counts):
    """Moves the ids (B, T) that count to the front, in order, followed by zeros."""
    size = ids.shape[1]
    # A stable sort; LiteRT supports it as `top_k` of distinct numbers.
    places = ops.arange(size, dtype="int32")
    rank = ops.where(counts, 2 * size - places, size - places)
    order = ops.cast(ops.top_k(ops.cast(rank, "float32"), size)[1], "int32")
    return ops.take_along_axis(ops.where(counts, ids, 0), order, axis=1)


def ctc_beam_search(logits: Any, *, beams: int) -> tuple[Any, Any]:
    """The labels that a beam search finds the most probable, over all paths that spell them.

    Args:
        logits: (B, T, V) float32.
        beams: how many prefixes are kept at each time step. 10 found the most probable labels in 99 of 100 cases
            checked by brute force, 100 in all of them, at 100 times the cost.

    Returns:
        ids (B, T) int32, zeros behind the labels; and their log-probability, (B,) float32.

    Example:

    >>> ctc_beam_search(np.eye(3)[[[1, 1, 0, 1, 2]]] * 9.0, beams=4)[0].numpy().tolist()
    [[1, 1, 2, 0, 0]]

    Source: Graves et al. (2006), section 3.2, "prefix search"; here TensorFlow's kernel where Keras runs on it.
    """
    size = logits.shape[1]
    lengths = ops.full((ops.shape(logits)[0],), size, dtype="int32")
    found, scores = ops.ctc_decode(
        logits, lengths, strategy="beam_search", beam_width=beams, top_paths=1, merge_repeated=False, mask_index=0
    )
    ids = ops.maximum(ops.cast(found[0], "int32"), 0)
    return ops.pad(ids, ((0, 0), (0, size)))[:, :size], ops.squeeze(scores, axis=-1)


def ctc_allowed(logits: Any, *, automaton: Automaton) -> tuple[Any, Any]:
    """The most probable path among those that spell an allowed sequence (Viterbi).

    Args:
        logits: (B, T, V) float32, of at least as many time steps as the shortest sequence needs.
        automaton: `decoding.Automaton` of the sequences.

    Returns:
        ids (B, T) int32, zeros behind the labels; and the log-probability of the path, (B,) float32.

    Example:

    >>> from mmkeras.decoding import Automaton
    >>> allowed = Automaton.of_sequences([[1, 2], [2]])
    >>> ctc_allowed(np.eye(3)[[[1, 1, 0, 1, 1]]] * 9.0, automaton=allowed)[0].numpy().tolist()
    [[1, 2, 0, 0, 0]]
    """
    shares = ops.log_softmax(ops.cast(logits, "float32"), axis=-1)
    shares = ops.transpose(ops.take(shares, automaton.units, axis=-1), (1, 0, 2))  # (T, B, N)
    row = shares[0] + ops.where(automaton.begins, 0.0, -float("inf"))

    def one_more(row, shares):
        ways = ops.take(row, automaton.before, axis=-1)  # (B, N, P)
        best, way = (ops.squeeze(part, -1) for part in ops.top_k(ways, 1))
        # On TensorFlow, `ops.scan` requires outputs of the carry's dtype.
        return best + shares, ops.cast(way, "float32")

    row, ways = ops.scan(one_more, row, shares[1:])
    ways = ops.cast(ways, "int32")
    scores, node = ops.top_k(row + ops.where(automaton.ends, 0.0, -float("inf")), 1)

    def one_back(node, way):
        way = ops.take_along_axis(way, node, axis=-1)
        before = ops.take(ops.convert_to_tensor(automaton.before), node, axis=0)  # (B, 1, P)
        return ops.squeeze(ops.take_along_axis(before, ops.expand_dims(way, -1), axis=-1), -1), node

    first, later = ops.scan(one_back, node, ways, reverse=True)
    nodes = ops.transpose(ops.squeeze(ops.concatenate([ops.expand_dims(first, 0), later], axis=0), -1))
    ids = ops.take(ops.convert_to_tensor(automaton.units), nodes, axis=0)
    left = ops.concatenate([-ops.ones_like(nodes[:, :1]), nodes[:, :-1]], axis=1)
    return _first(ids, ops.logical_and(ids > 0, ops.not_equal(nodes, left))), ops.squeeze(scores, -1)
