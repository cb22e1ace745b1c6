"""Intervals of all scores, by drawing the examples anew."""

from typing import Any

import numpy as np

from mmkeras.evaluate.kinds import kind_of
from mmkeras.heads import Head

_COUNTS = ("examples", "support", "confusion", "effective_examples", "accuracy_interval")


def bootstrap(
    head: Head,
    labels: Any,
    outputs: Any,
    *,
    weights: Any = None,
    group: Any = None,
    samples: int = 500,
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, Any]:
    """Percentile bootstrap intervals of every number that `scores` gives.

    Args:
        head: a head.
        labels, outputs, weights: as in `scores`.
        group: (n,) values; examples of one group (a speaker, a patient) are drawn together, since they are alike.
            Without it, intervals of grouped examples are too narrow.
        samples: how often the examples are drawn.
        level: of the intervals.
        seed: of the draws.

    Returns:
        Dict like that of `scores`, with [low, high] in place of each score; [None, None] where it is never defined.

    Raises:
        ValueError: `group` has another length, or there are fewer than two groups.

    Example:

    >>> from mmkeras import heads
    >>> mood = heads.classification("mood", classes=["good", "bad"])
    >>> found = bootstrap(mood, np.arange(100) % 2, np.tile([0.9, 0.1], (100, 1)))
    >>> 0.35 < found["accuracy"][0] < 0.5 < found["accuracy"][1] < 0.65
    True

    Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13; by group: Davison and Hinkley,
    Bootstrap Methods and their Application (1997), section 3.8.
    """
    labels, outputs = np.asarray(labels), np.asarray(outputs, "float64")
    members, kind = _members(group, len(labels)), kind_of(head.kind)
    scored = kind.drawn(head, labels, outputs) if hasattr(kind, "drawn") else _scored(kind, head, labels, outputs)
    rng, drawn = np.random.default_rng(seed), []
    for _ in range(samples):
        rows = np.concatenate([members[i] for i in rng.integers(0, len(members), len(members))])
        own = None if weights is None else np.asarray(weights)[rows]
        if own is None or own.any():
            drawn.append(_numbers(scored(rows, own)))
    return _ends(drawn, (1 - level) / 2)


def _scored(kind, head, labels, outputs):
    return lambda rows, weights: kind.scores(head, labels[rows], outputs[rows], weights)


def _members(group, n):
    """List of the positions of each group."""
    if group is None:
        return np.arange(n)[:, None]
    group = np.asarray(group)
    _, numbers = np.unique(group.astype(str), return_inverse=True)
    if group.shape != (n,) or numbers.max(initial=0) < 1:
        raise ValueError(
            f"group= holds one value for each of the {n} examples, two different ones or more. Received: shape "
            f"{group.shape}, {numbers.max(initial=-1) + 1} group(s). Give the column of the speaker or the patient."
        )
    order = np.argsort(numbers, kind="stable")
    return np.split(order, np.cumsum(np.bincount(numbers))[:-1])


def _numbers(found):
    """The scores alone."""
    if isinstance(found, dict):
        kept = {key: value for key, value in found.items() if key not in _COUNTS and not isinstance(value, str | bool)}
        return {key: _numbers(value) for key, value in kept.items()}
    if isinstance(found, list):
        return [_numbers(each) for each in found]
    return float("nan") if found is None else float(found)


def _ends(drawn, tail):
    first = drawn[0]
    if isinstance(first, dict):
        return {key: _ends([each[key] for each in drawn], tail) for key in first}
    if isinstance(first, list):
        return [_ends(list(column), tail) for column in zip(*drawn, strict=True)]
    values = np.array(drawn)[np.isfinite(drawn)]
    return [float(end) for end in np.quantile(values, [tail, 1 - tail])] if len(values) else [None, None]
