from typing import Any

from keras import ops


def edit_distance(received: Any, *, expected: Any) -> Any:
    """How many ids must be inserted, deleted or replaced to make one sequence of the other (Levenshtein).

    Args:
        received: (B, T) int; zeros are passed over wherever they are.
        expected: (B, U) int, zeros behind each sequence.

    Returns:
        (B,) float32.

    Example:

    >>> received = np.array([[0, 3, 0, 4], [1, 2, 0, 0]])
    >>> edit_distance(received, expected=np.array([[3, 5, 4], [0, 0, 0]])).numpy().tolist()
    [1.0, 2.0]
    """
    received, expected = ops.cast(received, "int32"), ops.cast(expected, "int32")
    places = ops.arange(expected.shape[1] + 1, dtype="float32")
    # Insertions: the cost at j is the minimum over all k <= j of cost[k] + j - k.
    steps = ops.expand_dims(places, 1) - ops.expand_dims(places, 0)
    skips = ops.where(steps >= 0, steps, float("inf"))

    def one_more(row, ids):
        """Distances to each prefix of `expected`, (B, U + 1), after one more received id (B,)."""
        ids = ops.expand_dims(ids, 1)
        replaced = row[:, :-1] + ops.cast(ops.not_equal(expected, ids), "float32")
        cost = ops.minimum(row + 1.0, ops.pad(replaced, ((0, 0), (1, 0)), constant_values=float("inf")))
        new = ops.min(ops.expand_dims(cost, 1) + skips, axis=-1)
        return ops.where(ids > 0, new, row), None

    # Derived from `expected`, because the batch size may only be known at run time.
    row = ops.pad(ops.cast(expected * 0, "float32"), ((0, 0), (1, 0))) + places
    row, _ = ops.scan(one_more, row, ops.transpose(received))
    lengths = ops.sum(ops.cast(expected > 0, "int32"), axis=1, keepdims=True)
    return ops.squeeze(ops.take_along_axis(row, lengths, axis=1), axis=1)
