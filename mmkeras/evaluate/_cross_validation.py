"""Scores of a cross-validation: over all rows, for each fold, and their mean."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

from mmkeras.evaluate._report import as_json
from mmkeras.evaluate._scores import scores
from mmkeras.heads import Head, check_heads


def cross_validation(predictions: Sequence[tuple[Mapping[str, Any], ...]], heads: Sequence[Head]) -> dict[str, Any]:
    """Scores over the folds of `mm.data.kfold`.

    Args:
        predictions: list, for each fold what `evaluate.predict(model, test_batches)` gave: (labels, outputs), or
            (labels, outputs, weights).
        heads: list of heads.

    Returns:
        Dict that JSON holds, what is undefined as None: `models`, {"all folds": scores of all rows together, "fold 1":
        ...}, each a dict by head, as in `report`, so that `evaluate.table` shows them; and `means`, {head: {score:
        {"mean", "std", "interval"}}}, over the folds.

        The interval (95 %) is Student's with Nadeau and Bengio's correction: since folds share training rows, the
        variance of the mean of k folds is taken as (1/k + 1/(k - 1)) times that between them. That of "all folds" is of
        the rows alone, and knows nothing of how much training varies.

    Raises:
        ValueError: there are fewer than two folds.

    Example:

    >>> from mmkeras import evaluate, heads
    >>> price = heads.regression("price")
    >>> folds = [({"price": [[1.0], [2.0]]}, {"price": [[1.5], [2.0]]}), ({"price": [[3.0]]}, {"price": [[3.5]]})]
    >>> found = evaluate.cross_validation(folds, [price])
    >>> found["models"]["fold 1"]["price"]["mae"], found["means"]["price"]["mae"]["mean"]
    (0.25, 0.375)

    Source: Nadeau and Bengio, Inference for the Generalization Error, Machine Learning 52 (2003), equation 9.
    """
    check_heads(heads)
    if len(predictions) < 2:
        raise ValueError(f"A cross-validation needs two folds or more. Received: {len(predictions)}.")
    folds = [(*fold, None)[:3] for fold in predictions]
    rows = {"all folds": _scores(heads, *map(_stacked, zip(*folds, strict=True)))}
    rows |= {f"fold {i}": _scores(heads, *fold) for i, fold in enumerate(folds, 1)}
    each = [row for name, row in rows.items() if name != "all folds"]
    means = {head.name: _means([row[head.name] for row in each]) for head in heads}
    return as_json({"models": rows, "means": means})


def _stacked(parts):
    """Dicts of arrays, one per fold -> one dict; None if a fold has none."""
    if any(part is None for part in parts):
        return None
    return {name: np.concatenate([np.asarray(part[name]) for part in parts]) for name in parts[0]}


def _scores(heads, labels, outputs, weights):
    return {
        head.name: scores(
            head, labels[head.name], outputs[head.name], weights=None if weights is None else weights[head.name]
        )
        for head in heads
    }


def _means(folds):
    numbers = [key for key, value in folds[0].items() if isinstance(value, float)]
    return {key: _mean(np.array([fold[key] for fold in folds])) for key in numbers}


def _mean(values):
    count, mean, std = len(values), float(values.mean()), float(values.std(ddof=1))
    reach = stats.t.ppf(0.975, count - 1) * std * np.sqrt(1 / count + 1 / (count - 1))
    return {"mean": mean, "std": std, "interval": [float(mean - reach), float(mean + reach)]}
