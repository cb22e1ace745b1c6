"""Ranks of the right answers for each query."""

import numpy as np
from scipy import stats

CUTS = (1, 5, 10)
DRAWS = 1000
_BLOCK = 512  # queries that are ranked at a time


def ranks(queries, items, query_labels, item_labels):
    """Ranks all items for each query by the dot product.

    Items of equal scores stand in the worst order, so that a model that answers alike to everything gains nothing.

    Args:
        queries: (q, D) float.
        items: (n, D) float.
        query_labels, item_labels: (q,), (n,); items of the label of the query are right.

    Returns:
        Dict of (q,) arrays: "first", rank of the best right item, from 1 on, NaN where there is none; "precision",
        average precision; "right", how many items are right.

    Source: average precision of Manning et al., Introduction to Information Retrieval, section 8.4.
    """
    parts = []
    for start in range(0, len(queries), _BLOCK):
        block = slice(start, start + _BLOCK)
        parts.append(_block(queries[block] @ items.T, query_labels[block, None] == item_labels[None]))
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


def _block(scores, right):
    hits = np.take_along_axis(right, np.lexsort((right, -scores), axis=-1), axis=-1)
    places, count = np.arange(1, right.shape[1] + 1), right.sum(-1)
    precision = (hits * np.cumsum(hits, axis=-1) / places).sum(-1) / np.maximum(count, 1)
    return {"first": np.where(count > 0, hits.argmax(-1) + 1.0, np.nan), "precision": precision, "right": count}


def summarised(found, labels, items, seed=0):
    """Scores of the queries that have a right answer, with 95 % bootstrap intervals; `found` is that of `ranks`.

    Labels, with all their queries, are drawn, as queries of one label have their right answers in common.
    """
    known = found["right"] > 0
    first, precision = found["first"][known], found["precision"][known]
    kept, numbers = np.unique(np.asarray(labels)[known], return_inverse=True)
    scores = _scores(first, precision, np.ones((1, len(first))))
    drawn = np.random.default_rng(seed).multinomial(len(kept), np.full(len(kept), 1 / len(kept)), DRAWS)
    ends = np.quantile(list(_scores(first, precision, drawn[:, numbers]).values()), [0.025, 0.975], axis=1).T
    return {
        "queries": int(known.sum()),
        "items": int(items),
        **{name: float(value[0]) for name, value in scores.items()},
        "interval": dict(zip(scores, ends.tolist(), strict=True)),
    }


def _scores(first, precision, weights):
    """Dict of arrays (draws,), from ranks (q,) and how often each query was drawn (draws, q)."""
    total = weights.sum(1)
    found = {f"R@{k}": weights @ (first <= k) / total for k in CUTS}
    order = np.argsort(first)
    half = (np.cumsum(weights[:, order], axis=1) >= total[:, None] / 2).argmax(1)
    return found | {"median_rank": first[order][half], "mAP": weights @ precision / total}


def by_chance(found, items):
    """The expected scores of a random order, for queries with as many right answers as in `found`.

    Example:

    >>> round(float(by_chance({"right": np.array([1])}, 280)["R@10"]), 4)
    0.0357
    """
    right = found["right"][found["right"] > 0]
    # Probability of at least one right item among the first k.
    hit = stats.hypergeom.sf(0, items, right[:, None], np.arange(1, items + 1)[None])
    scores = {f"R@{k}": hit[:, min(k, items) - 1].mean() for k in CUTS}
    harmonic = np.sum(1 / np.arange(1, items + 1)) / items
    share = (right - 1) / max(items - 1, 1)
    median = (hit.mean(0) >= 0.5).argmax() + 1.0
    return scores | {"median_rank": median, "mAP": np.mean(harmonic + (1 - harmonic) * share)}
