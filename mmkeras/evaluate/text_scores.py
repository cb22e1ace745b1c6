"""Errors of texts: words and characters inserted, deleted or replaced, by the shortest way to the right text."""

import dataclasses

import numpy as np

_DRAWS, _SEED = 1000, 0  # of the bootstrap


def alignment(received, expected):
    """The shortest way from one sequence to the other (Levenshtein).

    Args:
        received, expected: sequences, such as lists of words.

    Returns:
        List of pairs (received, expected), in order; None stands where one of them has nothing.

    >>> alignment("a b d".split(), "a c d e".split())
    [('a', 'a'), ('b', 'c'), ('d', 'd'), (None, 'e')]
    """
    cost = _table(received, expected)
    i, j, pairs = len(received), len(expected), []
    while i or j:
        if i and j and cost[i, j] == cost[i - 1, j - 1] + (received[i - 1] != expected[j - 1]):
            i, j = i - 1, j - 1
            pairs.append((received[i], expected[j]))
        elif i and cost[i, j] == cost[i - 1, j] + 1:
            i -= 1
            pairs.append((received[i], None))
        else:
            j -= 1
            pairs.append((None, expected[j]))
    return pairs[::-1]


def errors(received, expected):
    """How many parts must be inserted, deleted or replaced.

    >>> errors("kitten", "sitting")
    3
    """
    start = _shared(received, expected)
    received, expected = received[start:], expected[start:]
    end = _shared(received[::-1], expected[::-1])
    return int(_table(received[: len(received) - end], expected[: len(expected) - end])[-1, -1])


def _shared(a, b):
    """Length of the beginning that both have; it costs nothing, and most answers are nearly right."""
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def _table(received, expected):
    """Costs of making each beginning of the one into each beginning of the other."""
    cost = np.zeros((len(received) + 1, len(expected) + 1), int)
    cost[0], places = np.arange(len(expected) + 1), np.arange(len(expected) + 1)
    for i, part in enumerate(received, 1):
        replaced = cost[i - 1, :-1] + np.array([part != other for other in expected], int)
        best = np.minimum(cost[i - 1] + 1, np.concatenate([[i], replaced]))
        cost[i] = np.minimum.accumulate(best - places) + places  # whatever is missing before may be inserted
    return cost


@dataclasses.dataclass(frozen=True)
class Texts:
    """Texts that were answered beside the right ones.

    Args:
        received, expected: lists of n texts.
        weights: how much each counts, (n,), or None.
    """

    received: list
    expected: list
    weights: np.ndarray | None = None

    def rate(self, split):
        """Errors per part over all texts, and its 95 % interval: of words by `str.split`, of characters by `list`.

        >>> Texts(["a b", "c"], ["a c", "c"]).rate(str.split)[0]
        0.3333333333333333
        """
        return self._mean(*self.counts(split).T)

    def counts(self, split):
        """Errors and parts of each pair of texts, (n, 2)."""
        parts = [(split(a), split(b)) for a, b in zip(self.received, self.expected, strict=True)]
        return np.array([(errors(*pair), len(pair[1])) for pair in parts], "float64").reshape(-1, 2)

    def exact(self):
        """Share of the texts without any error, and its 95 % interval."""
        right = np.array([a == b for a, b in zip(self.received, self.expected, strict=True)], "float64")
        return self._mean(right, np.ones_like(right))

    def scores(self):
        """Dict: `wer`, `cer` and `exact`, and the interval of each, `wer_interval` and so on."""
        found = {"wer": self.rate(str.split), "cer": self.rate(list), "exact": self.exact()}
        ends = {f"{key}_interval": interval for key, (_, interval) in found.items()}
        return {key: score for key, (score, _) in found.items()} | ends

    def drawn(self):
        """Function of (rows, weights) -> `wer`, `cer` and `exact` of these texts, which are aligned once."""
        right = np.array([a == b for a, b in zip(self.received, self.expected, strict=True)], "float64")
        counts = {"wer": self.counts(str.split), "cer": self.counts(list), "exact": np.stack([right, right**0], -1)}

        def rates(rows, weights):
            weights = np.ones(len(rows)) if weights is None else weights
            sums = {key: weights @ each[rows] for key, each in counts.items()}
            return {key: wrong / parts if parts else float("nan") for key, (wrong, parts) in sums.items()}

        return rates

    def _mean(self, values, sizes):
        """Sum of the values over that of the sizes, and the 2.5th and 97.5th percentile over draws of the examples."""
        weights = np.ones(len(values)) if self.weights is None else np.asarray(self.weights, "float64")
        values, sizes = values * weights, sizes * weights
        if not sizes.sum():
            return (0.0 if not values.sum() else float("inf")), [float("nan")] * 2
        drawn = np.random.default_rng(_SEED).multinomial(len(values), np.full(len(values), 1 / len(values)), _DRAWS)
        sums = drawn @ sizes
        ends = np.percentile((drawn @ values)[sums > 0] / sums[sums > 0], [2.5, 97.5])
        return float(values.sum() / sizes.sum()), ends.tolist()
