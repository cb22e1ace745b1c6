"""Base of the contrastive losses: selection of rows, gathering over replicas, and logits in chunks."""

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
from keras import ops

from mmkeras.checks import check, did_you_mean
from mmkeras.distribute.gather import first_row, gather

_NEVER = -1e9  # logit with probability 0 after softmax; finite, so that gradients are finite


class Rows(NamedTuple):
    """Embeddings and what belongs to them; b rows of this replica, or B of all of them.

    Args:
        vectors: (b, D) float32.
        labels: (b,) int32; rows of the same label are right answers to each other.
        there: (b,) float32, 1 where the row takes part and 0 where it does not.
        numbers: (b,) int32, each another one.
        weights: (b,) float32.
    """

    vectors: object
    labels: object
    there: object
    numbers: object
    weights: object

    def gathered(self):
        """The rows of all replicas."""
        return Rows(*map(gather, self))

    def only(self, there):
        """The same rows, of which only those take part whose `there` (b,) is 1."""
        return self._replace(there=self.there * there)

    def joined(self, other):
        return Rows(*(ops.concatenate(pair, axis=0) for pair in zip(self, other, strict=True)))


class Contrastive:
    """Base of losses that compare the embeddings of a batch with each other.

    It is no `keras.losses.Loss`: these see one output at a time. `dual_encoder` models compute it in `compute_loss`.

    Args:
        label: name of a head whose labels say which rows belong together; None: every row is another thing.
        chunk: rows of which the logits are computed at a time, and once more for the gradient, so that memory grows
            with chunk * B and not with B * B (B: batch of all replicas). None: all at once. It needs a batch of known
            size, as `train_batches` gives it; evaluation, which keeps nothing for gradients, computes all at once.

    Raises:
        ValueError: `chunk` is no whole number above 0.
    """

    needs_bias = False

    def __init__(self, label: str | None = None, *, chunk: int | None = None) -> None:
        whole = chunk is None or (isinstance(chunk, int) and not isinstance(chunk, bool) and chunk > 0)
        check(whole, "chunk must be a whole number above 0, or None.", f"chunk={chunk!r}", "256 suits most machines.")
        self.label = label
        self.chunk = chunk

    def __call__(
        self, embeddings: Any, labels: Any = None, *, sample_weight: Any = None, scale: Any = 1.0, bias: Any = None
    ) -> Any:
        """The loss of this replica; its sum over the replicas is the loss of the whole batch.

        Args:
            embeddings: dict by modality, or list, of (b, D) unit vectors, zeros where absent.
            labels: (b,) integers, or a dict of them by head; needed where `label` is given.
            sample_weight: (b,), or a dict of them by head, or None. A row of weight 0 takes no part.
            scale: of the cosines in the logits.
            bias: of the logits, for `SigLIP`.

        Returns:
            () float32.

        Raises:
            ValueError: there are fewer than two embeddings, the label is missing, or is no class number.
        """
        vectors = [ops.cast(each, "float32") for each in keras.tree.flatten(embeddings)]
        check(len(vectors) > 1, "A contrastive loss compares two or more modalities.", len(vectors), "Add one.")
        found = ops.shape(vectors[0])[0]
        numbers = first_row(found) + ops.arange(found, dtype="int32")
        labels = numbers if self.label is None else self._labels(labels)
        weights = self._weights(sample_weight, vectors[0])
        there = [
            ops.cast(ops.any(each != 0, axis=-1), "float32") * ops.cast(weights > 0, "float32") for each in vectors
        ]
        views = [Rows(*row, numbers, weights) for row in zip(vectors, [labels] * len(vectors), there, strict=True)]
        return self.value(views, scale=scale, bias=bias)

    def value(self, views: list[Rows], *, scale: Any, bias: Any) -> Any:
        """List of `Rows`, one for each modality -> () float32."""
        raise NotImplementedError

    def _labels(self, labels):
        if isinstance(labels, dict):
            there = list(labels)
            remedy = f"{did_you_mean(self.label, there)} Give train_batches the head of this name."
            check(self.label in labels, f"Batches must hold the label '{self.label}'.", there, remedy.strip())
            labels = labels[self.label]
        rule, remedy = f"Label '{self.label}' must be a class number (B,) int.", "Leave mixing and multi_label out."
        check(labels is not None, rule, "batches without labels", f"Give train_batches the head '{self.label}'.")
        labels = ops.convert_to_tensor(labels)
        whole = "int" in keras.backend.standardize_dtype(labels.dtype) and len(labels.shape) == 1
        check(whole, rule, f"{labels.dtype} {tuple(labels.shape)}", remedy)
        return ops.cast(labels, "int32")

    def _weights(self, weights, vectors):
        if isinstance(weights, dict):
            rule = "Weights by head need label=, which says whose count."
            check(self.label in weights, rule, f"label={self.label!r}, weights of {list(weights)}", "Give label=.")
            weights = weights[self.label]
        return ops.ones_like(vectors[:, 0]) if weights is None else ops.cast(weights, "float32")

    def by_rows(self, term: Callable[..., Any], rows: Rows, columns: Rows, *values: Any) -> Any:
        """`term(rows, columns, *values)` (b,), for `chunk` rows at a time."""
        count = rows.vectors.shape[0]
        if self.chunk is None or count is None or count <= self.chunk:
            return term(rows, columns, *values)
        # `remat` recomputes the term for its gradient. All tensors it depends on must be passed as flat arguments.
        again = keras.remat(lambda *flat: term(Rows(*flat[:5]), Rows(*flat[5:10]), *flat[10:]))
        starts = range(0, count, self.chunk)
        parts = [again(*(each[i : i + self.chunk] for each in rows), *columns, *values) for i in starts]
        return ops.concatenate(parts, axis=0)

    def get_config(self):
        return {"label": self.label, "chunk": self.chunk}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


def pairs(views):
    """All pairs of modalities (rows, rows), restricted to the rows that have both."""
    for one, other in itertools.combinations(views, 2):
        yield one.only(other.there), other.only(one.there)


def mean(terms, rows, gathered):
    """Weighted mean of terms (b,): their sum on this replica, over the number of participating rows of all replicas."""
    total = ops.sum(ops.where(rows.there > 0, terms * rows.weights, 0.0))
    return total / ops.maximum(ops.sum(gathered.there), 1.0)


def softmax_terms(rows, columns, scale, own):
    """-1/|P| sum over P of log softmax, P the columns of the same label (b,); 0 where there are none.

    Args:
        rows, columns: `Rows`.
        scale: () of the cosines.
        own: () float32, 1 where a row must not be compared with the column of its own number.
    """
    logits = scale * ops.matmul(rows.vectors, ops.transpose(columns.vectors))
    other = 1.0 - own * _alike(rows.numbers, columns.numbers)
    seen = ops.expand_dims(columns.there, 0) * other
    right = seen * _alike(rows.labels, columns.labels)
    logits = ops.where(seen > 0, logits, _NEVER)
    share = right / ops.maximum(ops.sum(right, axis=1, keepdims=True), 1.0)
    found = ops.logsumexp(logits, axis=1) - ops.sum(share * logits, axis=1)
    return ops.where(ops.any(right > 0, axis=1), found, 0.0)


def sigmoid_terms(rows, columns, scale, bias):
    """-sum over columns of log sigmoid(z (scale * cosine + bias)), z = 1 for equal labels and -1 otherwise (b,)."""
    logits = scale * ops.matmul(rows.vectors, ops.transpose(columns.vectors)) + bias
    z = 2.0 * _alike(rows.labels, columns.labels) - 1.0
    return ops.sum(ops.expand_dims(columns.there, 0) * ops.softplus(-z * logits), axis=1)


def _alike(rows, columns):
    return ops.cast(ops.expand_dims(rows, 1) == ops.expand_dims(columns, 0), "float32")
