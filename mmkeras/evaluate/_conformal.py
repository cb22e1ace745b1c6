"""Prediction intervals for regressions with guaranteed coverage (conformal prediction)."""

from typing import Any

import numpy as np


def conformal(labels: Any, outputs: Any, *, coverage: float = 0.9) -> np.ndarray:
    """Half widths of prediction intervals, by split conformal prediction.

    `outputs ± half width` holds the label of a new example with a chance of `coverage` or more, whatever the model,
    where new examples are drawn like these.

    Args:
        labels: (n, K) numbers of *validation* examples, which the model has not learned from.
        outputs: (n, K) what it answered.
        coverage: chance that the interval of one number is to hold.

    Returns:
        float array (K,), infinite where there are too few examples to promise that.

    Example:

    >>> conformal(np.arange(1.0, 20.0)[:, None], np.zeros((19, 1)), coverage=0.9).tolist()
    [18.0]

    Source: Lei et al., Distribution-Free Predictive Inference for Regression, JASA 113 (2018), algorithm 2.
    """
    if not 0 < coverage < 1:
        raise ValueError(f"coverage must be between 0 and 1. Received: {coverage!r}. Give 0.9, for example.")
    outputs = np.asarray(outputs, "float64")
    apart = np.sort(np.abs(np.asarray(labels, "float64").reshape(outputs.shape) - outputs), axis=0)
    place = int(np.ceil((len(apart) + 1) * coverage))
    return np.full(apart.shape[-1], np.inf) if place > len(apart) else apart[place - 1]
