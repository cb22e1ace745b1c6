"""Parts of a data set that share nothing they must not share."""

import warnings

import numpy as np
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold, train_test_split

_FOLDS = 20


def split(raw, fractions=(0.8, 0.2), seed=0, stratify="auto", group=None):
    """Divides `Examples` into parts, the same ones for the same seed.

    Args:
        raw: `Examples`.
        fractions: shares of the parts; they add up to 1.
        seed: int.
        stratify: name of the single-label head whose classes are spread evenly over the parts; "auto" takes the first
            one where its classes have enough examples; None spreads nothing.
        group: a column of the table (a speaker, a scene, a patient): all rows of a group stay in one part. Fractions
            are then met as well as the groups allow, in steps of 5 %.

    Returns:
        A tuple of `Examples`, one per fraction; none is empty.

    Raises:
        ValueError: fractions do not add up to 1; the head or the column does not exist; a part would be empty.
    """
    if abs(sum(fractions) - 1) > 1e-6 or min(fractions) <= 0:
        raise ValueError(f"fractions must be positive and add up to 1. Received: {fractions}.")
    labels = _labels(raw, stratify, len(fractions))
    if group is None:
        parts = _by_row(np.arange(len(raw.frame)), labels, fractions, seed)
    else:
        parts = _by_group(_groups(raw, group), labels, fractions, seed)
    if any(len(part) == 0 for part in parts):
        raise ValueError(f"A part would be empty. Received: {len(raw.frame)} rows for fractions={fractions}.")
    return tuple(raw.subset(np.sort(part)) for part in parts)


def _labels(raw, stratify, parts):
    single = [head.name for head in raw.heads if getattr(head, "label", None) == ((), "int32")]
    if stratify == "auto":
        enough = [name for name in single if np.unique(raw.table[name], return_counts=True)[1].min() >= 2 * parts]
        return raw.table[enough[0]] if enough else None
    if stratify is not None and stratify not in single:
        raise ValueError(f"stratify names a single-label classification head. Received: {stratify!r}. Heads: {single}.")
    return None if stratify is None else raw.table[stratify]


def _groups(raw, group):
    if group not in raw.frame.columns:
        raise ValueError(f"group names a column of the table. Received: {group!r}. Columns: {list(raw.frame.columns)}.")
    return raw.frame[group].to_numpy()


def _by_row(rows, labels, fractions, seed):
    if len(fractions) == 1:
        return [rows]
    share = fractions[0] / sum(fractions)
    chosen = None if labels is None else labels[rows]
    first, rest = train_test_split(rows, train_size=share, random_state=seed, stratify=chosen)
    return [first, *_by_row(rest, labels, fractions[1:], seed)]


def _by_group(groups, labels, fractions, seed):
    folds = min(_FOLDS, len(np.unique(groups)))
    if folds < len(fractions):
        raise ValueError(f"Each part needs a group of its own. Received: {folds} group(s), {len(fractions)} parts.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a class may be rarer than there are folds
        if labels is None:
            made = GroupKFold(folds, shuffle=True, random_state=seed).split(groups, groups=groups)
        else:
            made = StratifiedGroupKFold(folds, shuffle=True, random_state=seed).split(groups, labels, groups)
        pieces = [rows for _, rows in made]
    ends = np.round(np.cumsum(fractions) * folds).astype(int)
    ends = np.maximum(ends, np.arange(1, len(ends) + 1))
    return [np.concatenate(pieces[a:b]) if b > a else [] for a, b in zip([0, *ends[:-1]], ends, strict=True)]
