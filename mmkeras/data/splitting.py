"""Splits a data set into disjoint parts, optionally by groups or in the order of time."""

import functools
import numbers
import warnings
from collections.abc import Sequence

import numpy as np
from sklearn.model_selection import train_test_split

from mmkeras.data.examples import Examples
from mmkeras.data.timeline import in_order
from mmkeras.data_checks import check_examples


def split(
    raw: Examples,
    fractions: Sequence[float] = (0.8, 0.2),
    *,
    seed: int = 0,
    stratify: str | None = "auto",
    group: str | None = None,
    order: str | None = None,
) -> tuple[Examples, ...]:
    """Splits `Examples` into parts, reproducibly for a given seed.

    Args:
        raw: `Examples`.
        fractions: shares of the parts; they add up to 1.
        seed: seed of the random assignment.
        stratify: name of the single-label head to stratify by; None for no stratification. "auto" uses the first head
            whose classes all have two rows for each part, or else the first head: rarer classes are then assigned at
            random, with a `UserWarning`.
        group: a column of the table (a speaker, a scene, a patient): all rows of a group stay in one part. The
            fractions are then approximate.
        order: a column of the table (numbers, dates, or ISO 8601 text): the first part has the earliest rows and the
            last part the latest, as in forecasting. Rows of the same time stay in one part. It can't be combined with
            `group` or `stratify`.

    Returns:
        A tuple of `Examples`, one per fraction, none of them empty. Faults of rows that were left out of `raw` are
        listed in `skipped` of the first part only, so that they are counted once.

    Raises:
        TypeError: `raw` is a stream without random access, or `fractions` is not a list of numbers.
        ValueError: fractions do not add up to 1; the head or the column does not exist, or has missing values; classes
            are too rare for `stratify`; a part would be empty.
    """
    _check_fractions(fractions)
    if not isinstance(raw, Examples):
        check_examples("split", raw)
        raise TypeError(
            f"split needs mm.data.Examples, which know their rows. Received: {type(raw).__name__}. Read the parts that "
            "the data set "
            'already has, e.g. tfds.load(..., split="train[:90%]"), or cut it with take and skip.'
        )
    if order is not None:
        return _with_faults(raw, in_order(raw, order, fractions, group, stratify))
    head = stratified_head(raw, stratify, least=2 * len(fractions))
    labels, rare = None if head is None else raw.table[head.name], None if stratify != "auto" else set()
    groups = np.arange(len(raw.frame)) if group is None else groups_of(raw, group)
    _check_enough(groups, fractions)
    try:
        spread = labels if rare is None or labels is None else joined(labels, 2 * len(fractions), rare)
        divide = _by_group if group is not None else functools.partial(_by_row, rare=rare)
        parts = divide(groups, spread, fractions, seed)
    except ValueError as error:
        if labels is None:
            raise
        raise ValueError(
            f"Each class needs enough examples for every part. Received: stratify={stratify!r}, fractions={fractions}; "
            f"{error} Join rare classes, or give stratify='auto' or None."
        ) from error
    tell_rare(head, labels, rare)
    return _with_faults(raw, parts)


def _with_faults(raw, parts):
    made = tuple(raw.subset(np.sort(part)) for part in parts)
    made[0].skipped = raw.skipped
    return made


def _check_fractions(fractions):
    shares = list(fractions) if isinstance(fractions, list | tuple | np.ndarray) else [None]
    if not all(isinstance(share, numbers.Real) for share in shares):
        raise TypeError(
            f"fractions must be a list of shares, one for each part. Received: {fractions!r}. For nine tenths and the "
            "rest give (0.9, 0.1)."
        )
    if abs(sum(shares) - 1) > 1e-6 or min(shares) <= 0:
        raise ValueError(
            f"fractions must be positive and add up to 1. Received: {fractions}. For nine tenths and the rest give "
            "(0.9, 0.1); numbers of rows are divided by their sum."
        )


def _check_enough(groups, fractions):
    count = len(np.unique(groups))
    if count < len(fractions):
        raise ValueError(
            f"Each part needs at least one row or group. Received: {count} for fractions={fractions}. Give more rows, "
            "or fewer parts."
        )


def stratified_head(raw, stratify, least):
    """The head to stratify by, or None; "auto" prefers the first whose classes all have `least` rows."""
    single = {head.name: head for head in raw.heads if head.label == ((), "int32")}
    if stratify == "auto":
        fewest = {name: np.unique(raw.table[name], return_counts=True)[1].min() for name in single}
        return next((single[name] for name in single if fewest[name] >= least), next(iter(single.values()), None))
    if stratify is not None and stratify not in single:
        raise ValueError(
            f"stratify must name a single-label classification head. Received: {stratify!r}. Heads: {list(single)}."
        )
    return None if stratify is None else single[stratify]


def joined(labels, least, rare, most=None):
    """Labels in which rare classes count as one; as the most frequent class where they are too few even together.

    Args:
        labels: (rows,) class numbers.
        least: how many rows a class needs.
        rare: set to which the numbers of rare classes are added.
        most: how many classes there may be in the end; the least frequent others are rare, too.

    Returns:
        (rows,) numbers, or None where less than two classes are left.
    """
    classes, place, count = np.unique(labels, return_inverse=True, return_counts=True)
    order = np.argsort(-count, kind="stable")
    keep = int(np.count_nonzero(count >= least))
    if most is not None and keep + (keep < len(classes)) > most:
        keep = max(most - 1, 0)
    rest = order[keep:]
    rare.update(classes[rest].tolist())
    number = classes.copy()
    number[rest] = classes[order[0]] if count[rest].sum() < least else classes[-1] + 1
    joined = number[place]
    return joined if len(np.unique(joined)) > 1 else None


def tell_rare(head, labels, rare):
    if head is None or not rare:
        return
    told = [f"{head.classes[i]!r} ({np.count_nonzero(labels == i)})" for i in sorted(rare) if i in labels]
    listed = ", ".join(told[:10]) + (f" and {len(told) - 10} more" if len(told) > 10 else "")
    others = "The others are" if len(told) < len(np.unique(labels)) else "No class is"
    warnings.warn(
        f"Classes of head '{head.name}' with too few rows (their number in brackets) to have a share in every part are "
        f"spread at random: {listed}. {others} stratified.",
        stacklevel=3,
    )


def groups_of(raw, group):
    if group not in raw.frame.columns:
        raise ValueError(
            f"group must name a column of the table. Received: {group!r}. Columns: {list(raw.frame.columns)}."
        )
    numbers = raw.frame[group].factorize()[0]
    if (numbers < 0).any():
        raise ValueError(
            f"Every row needs a group. Received: {(numbers < 0).sum()} row(s) without a value in column {group!r}. "
            "Fill them in, or leave these rows out."
        )
    return numbers


def _by_row(groups, labels, fractions, seed, rare):
    rest, parts = np.arange(len(groups)), []
    for i, fraction in enumerate(fractions[:-1]):
        size = round(len(rest) * fraction / sum(fractions[i:]))
        size = min(max(size, 1), len(rest) - len(fractions[i + 1 :]))  # leave at least one row for each remaining part
        chosen = None if labels is None else labels[rest]
        # `train_test_split` needs two rows of each class, and a row for each class in both parts.
        if chosen is not None and rare is not None:
            chosen = joined(chosen, 2, rare, min(size, len(rest) - size))
        part, rest = train_test_split(rest, train_size=size, random_state=seed, stratify=chosen)
        parts.append(part)
    return [*parts, rest]


def _by_group(groups, labels, fractions, seed):
    """Assigns groups, largest first, each to the part that needs its classes most.

    That is, the part for which the sum over classes of (rows there - rows wanted)**2 / rows wanted grows least.

    Source: the order and the greed are those of Sechidis, Tsoumakas and Vlahavas, On the Stratification of Multi-Label
    Data, ECML PKDD 2011; the distance is Pearson's chi-squared.
    """
    labels = np.zeros(len(groups), "int64") if labels is None else labels
    starts, classes, counts = _contents(groups, labels)
    wanted = np.outer(fractions, np.bincount(labels))
    over, filled = -wanted, np.zeros(len(fractions), bool)
    part_of = np.empty(len(starts) - 1, "int64")
    sizes = np.add.reduceat(counts, starts[:-1])
    mixed = np.random.default_rng(seed).permutation(len(sizes))
    order = mixed[np.argsort(-sizes[mixed], kind="stable")]
    for left, group in zip(range(len(order), 0, -1), order, strict=True):
        held = slice(starts[group], starts[group + 1])
        kinds, rows = classes[held], counts[held]
        grows = (rows * (2 * over[:, kinds] + rows) / wanted[:, kinds]).sum(axis=1)
        if left <= np.count_nonzero(~filled):
            grows[filled] = np.inf  # leave at least one group for each empty part
        part = part_of[group] = np.argmin(grows)
        over[part, kinds] += rows
        filled[part] = True
    return [np.flatnonzero(part_of[groups] == part) for part in range(len(fractions))]


def _contents(groups, labels):
    """Classes and row counts of all groups; those of group i are at starts[i] to starts[i + 1]."""
    classes = labels.max() + 1
    pairs, counts = np.unique(groups * np.int64(classes) + labels, return_counts=True)
    starts = np.searchsorted(pairs // classes, np.arange(groups.max() + 2))
    return starts, pairs % classes, counts
