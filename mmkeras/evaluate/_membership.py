"""Does the loss of an example give away that the model was trained on it?"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from sklearn import metrics

from mmkeras.contract.teaching import label_name, taught_heads
from mmkeras.evaluate._predict import _own_inputs, _parts, _told, compiled
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
    return of_losses(_losses(head, *train), _losses(head, *test), draws=draws, seed=seed)


def of_losses(inside, outside, *, draws=200, seed=0):
    """As `membership`, from the losses of training examples (n,) and of others (m,)."""
    rng, drawn = np.random.default_rng(seed), []
    for _ in range(draws):
        drawn.append(_auc(rng.choice(inside, len(inside)), rng.choice(outside, len(outside))))
    return {
        "auc": _auc(inside, outside),
        "interval": [float(end) for end in np.quantile(drawn, [0.025, 0.975])],
        "train_loss": float(inside.mean()),
        "test_loss": float(outside.mean()),
    }


def losses(model, batches, heads):
    """Dict, head name -> loss of each example that has a label (n,), of all batches; outputs are not kept.

    Heads that make their text token by token are asked under teacher forcing, as in training.
    """
    taught, found = taught_heads(model), {head.name: [] for head in heads}
    call = compiled(model.taught() if taught else model)
    for x, y, weights in map(_parts, _told(batches)):
        labels = {label_name(name): tf.convert_to_tensor(y[name]) for name in taught}
        outputs = call(_own_inputs(model, x) | labels)
        for head in heads:
            own = weights[head.name] if isinstance(weights, dict) else weights
            there = slice(None) if own is None else np.asarray(own) > 0
            label, output = np.asarray(y[head.name])[there], np.asarray(outputs[head.name])[there]
            found[head.name].append(_losses(head, label, output) if len(label) else np.zeros(0))
    return {name: np.concatenate(each) for name, each in found.items()}


def _auc(inside, outside):
    member = np.repeat([1, 0], [len(inside), len(outside)])
    return float(metrics.roc_auc_score(member, -np.concatenate([inside, outside])))


def _losses(head, labels, outputs):
    """Loss of each example (n,)."""
    loss = head.loss()
    config = loss.get_config() | {"reduction": "none"}
    each = type(loss).from_config(config)(keras.ops.convert_to_tensor(labels), keras.ops.convert_to_tensor(outputs))
    return np.asarray(each, "float64").reshape(len(labels), -1).mean(-1)
