"""Sample weights: how much each example counts in the loss and in the scores.

In raw examples they are the column `sample_weight`, one number each, that travels with the labels: through `split`,
caches and shards. Batches hold them by head, as Keras takes them, times the class weights of the head.
"""

import numpy as np
import pandas as pd
import tensorflow as tf

from mmkeras.checks import plain
from mmkeras.contract import SAMPLE_WEIGHT


def weights_of(column):
    """A column of numbers -> float32 (n,).

    Raises:
        ValueError: some are no finite numbers of 0 or more, their rows named; or all of them are 0.
    """
    numbers = pd.to_numeric(column, errors="coerce").to_numpy("float64", na_value=np.nan)
    wrong = np.flatnonzero(~((numbers >= 0) & (numbers <= np.finfo("float32").max)))
    if len(wrong):
        listed = ", ".join(f"{plain(column.iloc[i])!r} in row {column.index[i]}" for i in wrong[:10])
        more = f" and {len(wrong) - 10} more" if len(wrong) > 10 else ""
        raise ValueError(
            f"Sample weights must be finite numbers of 0 or more. Received in column {column.name!r}: {listed}{more}. "
            "Fill them in, or drop these rows; 0 leaves a row out of the loss."
        )
    if not numbers.any():
        raise ValueError(
            f"At least one sample weight must be above 0. Received: {len(numbers)} times 0 in column {column.name!r}. "
            "Is it the right column?"
        )
    return numbers.astype("float32")


def check_weights(weights, names):
    """Raises ValueError if the examples have something else under the weights' name."""
    if weights is not None and SAMPLE_WEIGHT in names:
        raise ValueError(
            f"Examples store their weights as '{SAMPLE_WEIGHT}'. Received: weights={weights!r}, and an input or a head "
            "of that name. Rename it."
        )


def check_unbalanced(balance):
    """Raises ValueError for `balance` of weighted examples."""
    if balance:
        raise ValueError(
            f"balance= cannot be combined with sample weights, which would undo it. Received: balance={balance!r} and "
            "examples with weights. Give the heads class_weights instead: they are multiplied."
        )


def check_headless(heads, weighted):
    """Raises ValueError for weighted examples if no labels are requested."""
    if weighted and not heads:
        raise ValueError(
            "Sample weights need heads, whose losses they weight. Received: heads=() and examples with weights. Read "
            "them without weights=, or give heads=[...]."
        )


def check_learned(heads):
    """Raises ValueError for class weights that are not learned yet: before a cache is filled, and outside the graph."""
    for head in heads:
        head.sample_weights(head.filled(head.blank[None]))


def with_weights(ready, labels, heads, weighted, training, partly=()):
    """(ready, labels), or (ready, labels, {head: weights (B,)}) where examples or classes have weights.

    Args:
        ready: dict of ready tensors.
        labels: dict by head, with the weights of the examples where `weighted`.
        heads: list of heads.
        weighted: whether the examples have weights.
        training: whether the class weights of heads count, too.
        partly: names of the heads of which labels may be missing; their weight is 0.
    """
    labels = dict(labels)
    own = labels.pop(SAMPLE_WEIGHT) if weighted else None
    there = {head.name: head.labelled(labels[head.name]) for head in heads if head.name in partly}
    labels |= {head.name: head.filled(labels[head.name]) for head in heads if head.name in partly}
    weights = {head.name: head.sample_weights(labels[head.name]) if training else None for head in heads}
    for name, known in there.items():
        weight = 1.0 if weights[name] is None else weights[name]
        weights[name] = tf.cast(known, tf.float32) * weight
    if own is None and all(weight is None for weight in weights.values()):
        return ready, labels
    own = tf.ones([tf.shape(next(iter(labels.values())))[0]]) if own is None else tf.cast(own, tf.float32)
    return ready, labels, {name: own if weight is None else own * weight for name, weight in weights.items()}
