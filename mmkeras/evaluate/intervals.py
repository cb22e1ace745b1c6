"""Intervals of scores."""

import numpy as np
from scipy import stats


def effective(weights):
    """Number of equally weighted examples whose mean has the same variance (Kish 1965, section 11.7)."""
    return float(weights.sum() ** 2 / (weights**2).sum())


def wilson(right, n, level=0.95):
    """Interval of a share: stays within [0, 1] and serves small samples; of weighted ones, both are real numbers.

    Example:

    >>> [round(end, 3) for end in wilson(8, 10)]
    [0.49, 0.943]
    """
    z = stats.norm.ppf((1 + level) / 2)
    middle, spread = right + z**2 / 2, z * np.sqrt(right * max(n - right, 0) / n + z**2 / 4)
    return [float(np.clip((middle + side * spread) / (n + z**2), 0, 1)) for side in (-1, 1)]


def of_mean(values, level=0.95):
    """Interval of a mean: Wilson's of zeros and ones, else Student's; [None, None] of fewer than two values.

    >>> [round(end, 2) for end in of_mean([1.0, 2.0, 3.0])]
    [-0.48, 4.48]
    """
    values = np.asarray(values, "float64")
    if len(values) and np.isin(values, (0, 1)).all():
        return wilson(values.sum(), len(values), level)
    if len(values) < 2:
        return [None, None]
    spread = stats.t.ppf((1 + level) / 2, len(values) - 1) * stats.sem(values)
    return [float(values.mean() - spread), float(values.mean() + spread)]
