import functools
from typing import Any

import keras
from keras import ops

from mmkeras.distribute.gather import gather
from mmkeras.losses._contrastive import Contrastive, Rows, softmax_terms


@keras.saving.register_keras_serializable("mmkeras")
class SupervisedContrastive(Contrastive):
    """Pulls all views of all examples of a label together, within and across modalities.

    The views I of a batch are the embeddings of every modality that is there. For each view i, with P(i) the others of
    the same label and A(i) all others: -1/|P(i)| sum over p in P(i) of log(exp(s z_i z_p) / sum over A(i) of
    exp(s z_i z_a)); the mean over the views that have a P(i).

    Args:
        label: name of the head whose labels tell.
        chunk: rows of which the logits are computed at a time; see `losses.Contrastive`.

    Example:

    >>> same = [np.eye(2), np.eye(2)]
    >>> round(float(SupervisedContrastive("kind")(same, np.array([0, 1]), scale=100.0)), 4)
    0.0

    Source: Khosla et al., arXiv 2004.11362, equation 2 (there a sum over the views); its views are augmentations of one
    picture, here they are modalities.
    """

    def __init__(self, label: str, *, chunk: int | None = None) -> None:
        super().__init__(label, chunk=chunk)

    def value(self, views: list[Rows], *, scale: Any, bias: Any) -> Any:
        count = ops.max(gather(views[0].numbers)) + 1
        views = [view._replace(numbers=view.numbers + i * count) for i, view in enumerate(views)]
        everything = functools.reduce(lambda one, other: one.joined(other), [view.gathered() for view in views])
        total = anchors = 0.0
        for view in views:
            terms = self.by_rows(softmax_terms, view, everything, scale, 1.0)
            there = view.there * self.by_rows(_has_partner, view, everything)
            total += ops.sum(terms * there * view.weights)
            anchors += ops.sum(there)
        return total / ops.maximum(ops.sum(gather(ops.reshape(anchors, (1,)))), 1.0)


def _has_partner(rows, columns):
    """Whether another view with the same label exists, (b,) float32."""
    alike = ops.cast(ops.expand_dims(rows.labels, 1) == ops.expand_dims(columns.labels, 0), "float32")
    return ops.cast(ops.sum(alike * ops.expand_dims(columns.there, 0), axis=1) > 1, "float32")
