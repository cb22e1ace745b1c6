"""Does the loss of an example give away that the model was trained on it?"""

from typing import Any

import keras
import numpy as np
from sklearn import metrics

from mmkeras.heads import Head


def membership(
    head: Head, train: tuple[Any, Any], test: tuple[Any, Any], *, draws: int = 200, seed: int = 0
) -> dict[str, Any]:
    """The loss-threshold attack: AUC of telling training examples from others by their lower loss.

    Args:
        head: a head.
        train: encoded labels, and outputs of the model, of training examples.
        test: the same of examples it was not trained on.
        draws: of the bootstrap for the interval.
        seed: of the draws.

    Returns:
        Dict: `auc`, 0.5 is chance and 1 gives all of them away; `interval`, 95 %; `train_loss` and `test_loss`, means.

    Example:

    >>> from mmkeras import heads
    >>> mood = heads.classification("mood", classes=["good", "bad"])
    >>> sure, unsure = np.tile([0.99, 0.01], (9, 1)), np.tile([0.6, 0.4], (9, 1))
    >>> membership(mood, (np.zeros(9, int), sure), (np.zeros(9, int), unsure))["auc"]
    1.0

    Source: Yeom et al., Privacy Risk in Machine Learning, arXiv 1709.01604, section 3.2, with every threshold.
    """
    inside, outside = _losses(head, *train), _losses(head, *test)
    rng, drawn = np.random.default_rng(seed), []
    for _ in range(draws):
        drawn.append(_auc(rng.choice(inside, len(inside)), rng.choice(outside, len(outside))))
    return {
        "auc": _auc(inside, outside),
        "interval": [float(end) for end in np.quantile(drawn, [0.025, 0.975])],
        "train_loss": float(inside.mean()),
        "test_loss": float(outside.mean()),
    }


def _auc(inside, outside):
    member = np.repeat([1, 0], [len(inside), len(outside)])
    return float(metrics.roc_auc_score(member, -np.concatenate([inside, outside])))


def _losses(head, labels, outputs):
    """Loss of each example (n,)."""
    loss = head.loss()
    config = loss.get_config() | {"reduction": "none"}
    each = type(loss).from_config(config)(keras.ops.convert_to_tensor(labels), keras.ops.convert_to_tensor(outputs))
    return np.asarray(each, "float64").reshape(len(labels), -1).mean(-1)
