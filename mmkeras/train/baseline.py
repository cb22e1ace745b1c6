"""Checks whether a model has learned more than the distribution of the labels."""

from os import PathLike
from pathlib import Path
from typing import Any

import keras
import numpy as np

from mmkeras.train.log import read_log

_MOST = 10_000  # maximum number of labels used
_BETTER = 0.99  # a head is better than the baseline if its loss is below this share of the baseline's loss


class Baseline(keras.callbacks.Callback):
    """Says at the end of `fit` which heads answer unseen examples no better than without looking at them.

    Compared are the best validation loss of a head and the loss of always giving the frequencies of its classes, or the
    mean of its numbers, in the training labels. Accuracy is not: where one class is frequent, a good model may name the
    majority as often as the baseline does, with scores that tell more.

    Args:
        run_dir: folder of the run, with the `log.csv` of `Log`.
        batches: training batches of `mmkeras.data.train_batches`, which know the labels; others are not judged.
    """

    def __init__(self, run_dir: str | PathLike[str], batches: Any = None) -> None:
        super().__init__()
        self.log, self.labels = Path(run_dir).expanduser() / "log.csv", getattr(batches, "labels", None) or {}

    def on_train_end(self, logs=None):
        heads = [head for head in getattr(self.model, "heads", ()) if head.name in self.labels]
        if not heads or not self.log.exists():
            return
        columns = read_log(self.log)
        for head in heads:
            single = len(self.model.output) == 1
            message = _verdict(head, self.labels[head.name], columns, "loss" if single else f"{head.name}_loss")
            if message:
                print(message)


def _verdict(head, labels, columns, name):
    """Warning about a head; None if it is better than the baseline, or that is unknown."""
    baseline, found = constant_loss(head, labels), columns.get(f"val_{name}", np.array([np.nan]))
    if baseline is None or np.isnan(found).all() or np.nanmin(found) < _BETTER * baseline:
        return None
    learned = np.nanmin(columns[name]) < 0.9 * baseline
    look = (
        "The training loss is much lower, so that the model learns its examples by heart. Look at whether validation "
        "examples are of the same kind as the training ones; then at dropout, augmentation (mm.augment), smaller "
        "branches, more examples."
        if learned
        else "The training loss hardly fell, too. Look at whether labels belong to their inputs (print a few rows of "
        "raw.frame), at the learning rate (ten times smaller and larger), and at more epochs."
    )
    return (
        f"Head '{head.name}': the best val_{name}, {np.nanmin(found):.4g}, is no better than {baseline:.4g}, the loss "
        f"of always giving the {'class frequencies' if head.classes else 'mean'} of the training labels. {look}"
    )


def constant_loss(head, labels):
    """Loss of the best answer that does not depend on the example; None for a head of other answers.

    Args:
        head: any `Head`.
        labels: encoded labels (n, ...), some of which may be missing.

    >>> from mmkeras import heads
    >>> head = heads.classification("mood", ["good", "bad"])
    >>> round(constant_loss(head, np.array([0, 1, 1, 0])), 4), round(float(np.log(2)), 4)
    (0.6931, 0.6931)
    """
    labels = np.asarray(labels)[:: max(1, len(labels) // _MOST)]
    labels = labels[np.asarray(head.labelled(labels))]
    if not len(labels) or head.needs_targets:  # texts have no mean
        return None
    constant = np.mean(np.asarray(head.averageable(labels), "float64"), axis=0)
    if constant.shape != (head.width,):
        return None
    loss = float(head.loss()(labels, np.repeat(constant[None].astype("float32"), len(labels), axis=0)))
    return loss if loss > 1e-6 else None
