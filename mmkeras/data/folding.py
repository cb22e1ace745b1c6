"""Cross-validation: splits a data set into parts, each of which serves as the test part once."""

from collections.abc import Iterator

import numpy as np
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

from mmkeras.checks import check_whole
from mmkeras.data.examples import Examples
from mmkeras.data.splitting import groups_of, joined, stratified_head, tell_rare
from mmkeras.data_checks import check_examples


def kfold(
    raw: Examples,
    folds: int = 5,
    *,
    group: str | None = None,
    stratify: str | None = "auto",
    seed: int = 0,
) -> Iterator[tuple[Examples, Examples]]:
    """Cross-validation: divides `Examples` into folds, and gives each of them once as the test part.

    Args:
        raw: `Examples`.
        folds: how many; 2 or more.
        group: a column of the table (a speaker, a patient): all rows of a group lie in one fold.
        stratify: as in `split`: a head, None, or "auto"; classes with fewer rows than folds are spread at random there.
        seed: int.

    Returns:
        An iterator over pairs (train, test) of `Examples`, in the order of the folds. Each row is in one test part.
        Rows that were left out of `raw` belong to none; `raw.skipped` tells of them.

    Raises:
        TypeError: `raw` is a stream, which does not know its rows.
        ValueError: there are fewer rows, groups, or rows of a class that `stratify` names, than folds.

    Example:

    >>> import mmkeras as mm, pandas as pd
    >>> raw = mm.data.from_dataframe(pd.DataFrame({"x": list("abcdef")}), [mm.Text("x")])
    >>> sorted("".join(test.frame.x) for train, test in kfold(raw, 3, seed=1))
    ['ae', 'bc', 'df']

    Source: scikit-learn's KFold, StratifiedKFold, GroupKFold and StratifiedGroupKFold, shuffled.
    """
    check_whole("kfold", folds=folds)
    check_examples("kfold", raw)
    if not isinstance(raw, Examples):
        raise TypeError(
            f"kfold needs mm.data.Examples, which know their rows. Received: {type(raw).__name__}. Read the data with "
            "from_csv, from_dataframe or from_dataset."
        )
    head = stratified_head(raw, stratify, least=folds)
    groups = None if group is None else groups_of(raw, group)
    labels = None if head is None else _labels(raw.table[head.name], folds, head, stratify)
    _check_enough(len(raw.frame) if groups is None else len(np.unique(groups)), folds)
    return _pairs(raw, _splitter(groups, labels)(folds, shuffle=True, random_state=seed), labels, groups)


def _pairs(raw, splitter, labels, groups):
    for train, test in splitter.split(np.zeros(len(raw.frame)), labels, groups):
        yield raw.subset(np.sort(train)), raw.subset(np.sort(test))


def _splitter(groups, labels):
    if groups is None:
        return KFold if labels is None else StratifiedKFold
    return GroupKFold if labels is None else StratifiedGroupKFold


def _labels(labels, folds, head, stratify):
    """Labels to stratify by; None if fewer than two classes are left."""
    if stratify != "auto":
        fewest = np.unique(labels, return_counts=True)[1].min()
        if fewest < folds:
            raise ValueError(
                f"Each class of '{head.name}' needs a row for each fold. Received: folds={folds}, and a class with "
                f"{fewest} row(s). Join rare classes, or give stratify='auto' or None."
            )
        return labels
    rare = set()
    found = joined(labels, folds, rare)
    tell_rare(head, labels, rare)
    return found


def _check_enough(count, folds):
    if count < folds or folds < 2:
        raise ValueError(
            f"kfold needs 2 folds or more, and a row or group for each. Received: {count} for folds={folds}. Use fewer "
            "folds, or give more rows."
        )
