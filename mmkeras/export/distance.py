"""How far exported answers are from Python's, in units that mean the same for every head, and how far they may be.

| head | distance of one example | unit |
|---|---|---|
| one class of N | half the sum of the absolute differences of its N probabilities | total variation, 0 to 1 |
| several classes | largest absolute difference of a probability | probability |
| regression | largest absolute difference of its K values over their `std` | standard deviations |
| transcription of T time steps | mean over them of the total variation of the probabilities | total variation |
| ids of a sequence | places where they differ, over those that hold an id in either | share of the tokens, 0 to 1 |

Total variation is the share of the probability that lies on other classes. Unlike the largest difference of one
probability it does not shrink as N grows: of an untrained model with 100 classes no probability exceeds 0.03, so that
exchanging its rows moved none of them by more than 0.023, while the total variation was 0.15 on average.

This file imports only NumPy, because `litert.quantize` uses it in a process that is kept small.
"""

import numpy as np

# For comparison: a head that answers everything with the mean has 1, exchanged rows have 1.2 to 1.6, and correct int8
# files had at most 0.04.
RELATIVE = 0.25
# Answers that change class without a near tie: the rate accepted for a correct file, and the risk of a false alarm.
FLIPS, RISK = 0.02, 1e-3
_ROUNDING = 1e-5  # mean difference due to float32 rounding
_UNITS = {"classes": "total variation", "labels": "probability", "values": "standard deviations",
          "texts": "total variation of the time steps", "tokens": "of the tokens"}  # fmt: skip


def limits(tolerance):
    """What follows from the largest difference that one example may have.

    Returns:
        Dict: "mean", the largest mean distance; "tokens", that of sequences; "negligible", a mean distance that needs
        no comparison with the variation of the answers; "margin", which makes another class more than a near tie.

    Example:

    >>> limits(0.1)
    {'mean': 0.025, 'tokens': 0.05, 'negligible': 0.005, 'margin': 0.05}
    """
    mean = max(tolerance / 4, 10 * _ROUNDING)
    return {"mean": mean, "tokens": tolerance / 2, "negligible": max(tolerance / 20, _ROUNDING), "margin": 2 * mean}


def distances(unit, received, expected, half=False):
    """Distance of each example, (n,); infinite where the shapes differ.

    Args:
        unit: {"kind": "classes", "labels", "values", "texts" or "tokens", "std": K numbers, of values}; None in place
            of `std` takes the deviation of the expected values.
        received, expected: arrays (n, N) or (n, K); of texts logits (n, T, V), the blank first; of tokens ids (n, L),
            0 behind the end.
        half: constants of the file have 11 bits. A value is not further off than its own rounding makes it: two units
            in the last place of float32, or half a unit of float16, are taken off.

    Example:

    >>> distances({"kind": "values", "std": [5.0]}, np.array([[2010.0]]), np.array([[2000.0]])).round(3).tolist()
    [2.0]
    >>> distances({"kind": "classes"}, np.array([[0.5, 0.5, 0.0]]), np.array([[0.5, 0.25, 0.25]])).tolist()
    [0.25]
    """
    received, expected = np.asarray(received), np.asarray(expected)
    if received.shape != expected.shape:
        return np.full(max(len(expected), 1), np.inf)
    if unit["kind"] == "texts":
        return np.abs(_shares(received) - _shares(expected)).sum(-1).mean(-1) / 2
    if unit["kind"] == "tokens":
        real = np.maximum(((received > 0) | (expected > 0)).sum(-1), 1)
        return (received != expected).sum(-1) / real
    flat = len(expected), int(np.prod(expected.shape[1:]))
    expected = expected.astype("float64").reshape(flat)
    apart = np.abs(received.astype("float64").reshape(flat) - expected)
    if unit["kind"] == "classes":
        return apart.sum(-1) / 2
    if unit["kind"] == "values":
        apart = np.maximum(apart - _last_place(expected, half), 0) / _deviations(unit, expected)
    return apart.max(-1)  # NaN stays NaN


def _last_place(values, half):
    rounding = 2 * np.spacing(np.abs(values).astype("float32"))
    return np.maximum(rounding, np.abs(values) * 2.0**-11) if half else rounding


def _deviations(unit, expected):
    if unit.get("std") is not None:
        return np.asarray(unit["std"], "float64")
    deviation = expected.std(0) if len(expected) else np.ones(expected.shape[-1])
    return np.where(deviation > 0, deviation, np.maximum(np.abs(expected).max(0, initial=0), 1.0))


def compare(unit, received, expected, half=False):
    """Distances of all examples in a few numbers.

    Args:
        unit, received, expected, half: as in `distances`.

    Returns:
        Dict: "largest" and "mean" distance; "relative", the mean over that of a model which answers the mean of the
        expected answers to everything, None where the expected answers are all equal.

    Example:

    >>> rows = np.eye(4)
    >>> compare({"kind": "classes"}, rows[[1, 2, 3, 0]], rows)["relative"] > 1
    True
    """
    found = distances(unit, received, expected, half)
    if not len(found):
        return {"largest": 0.0, "mean": 0.0, "relative": None}
    expected = np.asarray(expected)
    constant = np.broadcast_to(_constant(unit, expected), expected.shape)
    spread = float(distances(unit, constant, expected).mean())
    mean = float(found.mean())
    return {"largest": float(found.max()), "mean": mean, "relative": mean / spread if spread > 0 else None}


def _constant(unit, expected):
    """The best constant answer: the mean, or for sequences the most frequent one."""
    if unit["kind"] != "tokens":
        return expected.mean(0, dtype="float64", keepdims=True)
    rows, counts = np.unique(expected, axis=0, return_counts=True)
    return rows[counts.argmax()]


def _shares(logits):
    powers = np.exp(logits.astype("float64") - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def _spelled(logits):
    """The ids of each text: the best id of each step, with repetitions merged and blanks removed."""
    best = logits.argmax(-1)
    new = (best > 0) & (best != np.pad(best, ((0, 0), (1, 0)))[:, :-1])
    return [row[some].tolist() for row, some in zip(best, new, strict=True)]


def _edits(received, expected):
    """Levenshtein distance."""
    row, places = np.arange(len(expected) + 1), np.arange(len(expected) + 1)
    for part in received:
        replaced = row[:-1] + np.array([part != other for other in expected], int)
        best = np.minimum(row + 1, np.concatenate([[row[0] + 1], replaced]))
        row = np.minimum.accumulate(best - places) + places
    return int(row[-1])


def changed_ids(received, expected, margin):
    """Ids of texts inserted, deleted or replaced, per id of the expected texts.

    Args:
        received, expected: logits (n, T, V).
        margin: a text does not count where in every time step with another best unit Python's own is more probable by
            at most so much: a near tie.

    >>> changed_ids(np.eye(4)[[[1, 2, 0]]], np.eye(4)[[[1, 0, 3]]] * 9, margin=0.1)
    0.5
    """
    ours, theirs = _spelled(expected), _spelled(received)
    shares, (a, b) = _shares(expected), (each.argmax(-1)[..., None] for each in (expected, received))
    lead = np.take_along_axis(shares, a, -1) - np.take_along_axis(shares, b, -1)
    counts = (lead > margin).any((1, 2))
    wrong = sum(_edits(*pair) for pair, some in zip(zip(theirs, ours, strict=True), counts, strict=True) if some)
    return wrong / max(sum(map(len, ours)), 1)


def flips(unit, received, expected, margin):
    """How many examples change class, or set of classes, where Python's answer is no near tie.

    Args:
        unit, received, expected: as in `distances`.
        margin: by how much Python must hold its own class for more probable than the received one; of several classes,
            by how much a probability must be above or below 1/2, twice.

    Example:

    >>> expected = np.array([[0.51, 0.49], [0.9, 0.1]])
    >>> flips({"kind": "classes"}, np.array([[0.49, 0.51], [0.1, 0.9]]), expected, margin=0.04)
    1
    """
    if unit["kind"] in ("values", "texts", "tokens") or not len(expected):
        return 0
    if unit["kind"] == "labels":
        return int((((received >= 0.5) != (expected >= 0.5)) & (np.abs(expected - 0.5) > margin / 2)).any(-1).sum())
    rows = np.arange(len(expected))
    lead = expected[rows, expected.argmax(-1)] - expected[rows, received.argmax(-1)]
    return int((lead > margin).sum())


def agreement(unit, received, expected):
    """Share of the examples of the same class, set of classes, or text.

    Example:

    >>> agreement({"kind": "classes"}, np.array([[0.4, 0.6], [0.9, 0.1]]), np.array([[0.1, 0.9]] * 2))
    0.5
    """
    if unit["kind"] == "tokens":
        return float(np.mean((np.asarray(received) == np.asarray(expected)).all(-1)))
    if unit["kind"] == "texts":
        pairs = zip(_spelled(np.asarray(received)), _spelled(np.asarray(expected)), strict=True)
        return float(np.mean([a == b for a, b in pairs]))
    both = [each >= 0.5 if unit["kind"] == "labels" else each.argmax(-1)[:, None] for each in (received, expected)]
    return float(np.mean((both[0] == both[1]).all(-1)))


def allowed_flips(n):
    """How many of n examples may change class: more of them have a chance below `RISK` at the rate `FLIPS`.

    Example:

    >>> [allowed_flips(n) for n in (1, 8, 64, 1000)]
    [1, 2, 6, 35]
    """
    from scipy.stats import binom  # imported here, so that the process of `litert.quantize` does not load it

    return int(binom.isf(RISK, n, FLIPS))


def faults(unit, received, expected, tolerance, half=False):
    """What speaks against these answers: sentences with the number, its unit and what is allowed; none, if they pass.

    Four conditions, of which the last three are about all examples together:

    1. No distance exceeds `tolerance`; not of sequences, where one token is a large part.
    2. The mean distance is at most a quarter of it, of sequences half of it (`limits`); of 64 normal errors, the
       largest is 3 times the mean.
    3. The mean distance is at most a quarter (`RELATIVE`) of that of answering the mean answer to everything, or is
       negligible: a twentieth of `tolerance`. It tells exchanged rows and other weights from rounding where all
       answers are near each other.
    4. No more examples change class than a rate of 2 % explains (binomial test at 0.001); near ties do not count. Of
       texts, no more units are others than the mean distance may be.

    Args:
        unit, received, expected, half: as in `distances`.
        tolerance: largest distance of one example.
    """
    received, expected = np.asarray(received), np.asarray(expected)
    found, most, name = compare(unit, received, expected, half), limits(tolerance), _UNITS[unit["kind"]]
    problems = []
    tokens = unit["kind"] == "tokens"
    if not tokens and not found["largest"] <= tolerance:  # written so that NaN fails, too
        problems.append(
            f"largest difference {found['largest']:.3g} {name}{_own(unit, found['largest'])}, allowed {tolerance:g}"
        )
    mean = most["tokens" if tokens else "mean"]
    if not found["mean"] <= mean:
        problems.append(f"mean difference {found['mean']:.3g} {name}{_own(unit, found['mean'])}, allowed {mean:g}")
    if found["relative"] is not None and not (found["mean"] <= most["negligible"] or found["relative"] <= RELATIVE):
        problems.append(
            f"mean difference {found['relative']:.3g} times that of a constant answer, allowed {RELATIVE:g}"
        )
    if received.shape == expected.shape and unit["kind"] == "texts":
        rate = changed_ids(received, expected, most["margin"])
        if not rate <= most["mean"]:
            problems.append(
                f"{rate:.3g} of the units of the texts are others, near ties left out, allowed {most['mean']:g}"
            )
    elif received.shape == expected.shape:
        changed, n = flips(unit, received, expected, most["margin"]), len(expected)
        if changed > allowed_flips(n):
            problems.append(
                f"another class in {changed} of {n} examples, near ties left out, allowed {allowed_flips(n)}"
            )
    return problems


def _own(unit, value):
    """The same difference in the label's unit if it is a single number."""
    std = unit.get("std")
    return f" ({value * std[0]:.3g} in the unit of the label)" if std is not None and len(std) == 1 else ""
