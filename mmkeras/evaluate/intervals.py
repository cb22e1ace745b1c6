"""Intervals of scores."""

import numpy as np
from scipy import stats


def effective(weights):
    """How many equal weights would give a mean of the same variance (Kish 1965, section 11.7)."""
    return float(weights.sum() ** 2 / (weights**2).sum())


def wilson(right, n):
    """95 % interval of a share: stays within [0, 1] and serves small samples; of weighted ones, both are real numbers.

    Example:

    >>> [round(end, 3) for end in wilson(8, 10)]
    [0.49, 0.943]
    """
    z = stats.norm.ppf(0.975)
    middle, spread = right + z**2 / 2, z * np.sqrt(right * max(n - right, 0) / n + z**2 / 4)
    return [float(np.clip((middle + side * spread) / (n + z**2), 0, 1)) for side in (-1, 1)]
