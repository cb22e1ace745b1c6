"""Class balancing: how often each row is drawn, so that the classes of a head are equally frequent.

A class is drawn uniformly from those that occur, then a row of this class. Rows without any label of a multi-label head
count as a separate class. A row with several labels may be drawn for each of them, so labels that occur together with
others are seen more often than their share. With several heads, one of them is drawn first: the probability of a row is
the mean of its probabilities for each head, and a class of a head with N classes occurs in at least 1 / (heads * N) of
the draws. For nested heads (group, subgroup), no probabilities make *all* classes equally frequent if the groups have
different numbers of subgroups.

Rows are drawn by systematic sampling: they are placed on a line, each with a length equal to its probability, grouped
by class, and `order.epochs` takes those at equal distances.

Source: class-aware sampling, Shen, Lin and Huang, Relay Backpropagation, arXiv 1512.05830; for several labels, Wu
et al., Distribution-Balanced Loss, arXiv 2007.09654.
"""

import numpy as np

from mmkeras.checks import did_you_mean


def check_balance(balance, heads):
    """Names of heads -> these heads.

    Raises:
        ValueError: a name is not that of a classification head of `heads`, or is repeated; or its head has class
            weights, which would correct the same imbalance twice.
    """
    known = {head.name: head for head in heads if head.classes}
    names = [balance] if isinstance(balance, str) else list(balance or [])
    for name in names:
        if name not in known or names.count(name) > 1:
            raise ValueError(
                f"balance must name classification heads, each once. Received: {balance!r}. "
                f"{did_you_mean(str(name), known)} Classification heads here: {list(known)}."
            )
        if known[name].class_weights is not None:
            raise ValueError(
                f"balance and class_weights would both correct the imbalance of head '{name}'. "
                f"Received: balance={balance!r} and class_weights={known[name].class_weights}. Leave one of them out."
            )
    return [known[name] for name in names]


def line(labels, heads, seed):
    """Assigns each row an interval of [0, 1] whose length is the row's probability.

    Args:
        labels: dict, head name -> encoded labels, (rows,) class numbers or (rows, N) of 0 and 1.
        heads: the heads to balance.
        seed: int, of the order within a class.

    Returns:
        rows (rows,) int64 in the order of their intervals, and the ends (rows,) float64 of the intervals. Rows are
        grouped by class of the first head, within it by class of the second one, and so on.
    """
    for head in heads:
        _check_labelled(head, np.asarray(labels[head.name]))
    shares = [_share(np.asarray(labels[head.name])) for head in heads]
    chances = np.mean([chance for chance, _ in shares], axis=0)
    mixed = np.random.default_rng(seed).permutation(len(chances))
    rows = mixed[np.lexsort([rank[mixed] for _, rank in shares][::-1])]
    ends = np.cumsum(chances[rows])
    return rows, ends / ends[-1]


def _check_labelled(head, labels):
    missing = np.count_nonzero(~np.asarray(head.labelled(labels)))
    if missing:
        raise ValueError(
            f"balance needs a label in every row. Received: {missing} row(s) without one for head '{head.name}'. Leave "
            "these rows out, or give the head class_weights instead."
        )


def _share(labels):
    """Probabilities (rows,), and numbers (rows,) by which the rows of a class are grouped."""
    if labels.ndim == 1:
        count = np.bincount(labels)
        return 1 / (count[labels] * np.count_nonzero(count)), labels
    count = labels.sum(axis=0, dtype="float64")
    rank = np.full(len(labels), len(count))  # rows without any label keep this value
    for number in np.argsort(-count):
        rank[labels[:, number] > 0] = number  # ends as the rarest label of each row
    none = rank == len(count)
    count = np.append(count, np.count_nonzero(none))
    each = np.divide(1, count, where=count > 0, out=np.zeros(len(count))) / np.count_nonzero(count)
    return labels @ each[:-1].astype("float32") + none * each[-1], rank
