import itertools
from collections.abc import Sequence
from typing import Unpack

import keras
from keras import ops

from mmkeras.layers.options import LayerOptions
from mmkeras.layers.unknown_dropout import UnknownDropout


def first_rows(max_categories, columns):
    """First row of each column in the shared embedding, and the number of its rows.

    Example:

    >>> first_rows(5, 2), first_rows((3, 4), 2)
    ([0, 5, 10], [0, 3, 7])
    """
    sizes = [max_categories] * columns if isinstance(max_categories, int) else max_categories
    return list(itertools.accumulate(sizes, initial=0))


@keras.saving.register_keras_serializable("mmkeras")
class TableFeatures(keras.layers.Layer):
    """One row of a table -> one vector of numbers, their presence bits, and an embedding per category.

    Masking: a missing number is 0 with presence bit 0; a missing category has its own embedding (id 0).

    Args:
        numeric: number of numeric columns, which are the first of the N columns.
        max_categories: number of ids of each categorical column, or one number for all of them.
        embed_dim: width of the embedding of one category.
        unknown_rate: share of the categories replaced by the unknown one while training, see `UnknownDropout`.
        seed: int, for reproducible results; None draws one.

    Call arguments:
        row: (B, N) float32, numbers and category ids.
        mask: (B, N) bool.
        training: whether categories are replaced by the unknown one.

    Returns:
        (B, 2 * numeric + (N - numeric) * embed_dim) float.
    """

    def __init__(
        self,
        numeric: int,
        max_categories: int | Sequence[int],
        *,
        embed_dim: int = 8,
        unknown_rate: float = 0.02,
        seed: int | None = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(autocast=False, **kwargs)  # casting to half precision would change large ids
        self.numeric = numeric
        self.max_categories = max_categories
        self.embed_dim = embed_dim
        self.seed = seed
        self.unknown = UnknownDropout(unknown_rate, seed=seed, name="unknown")
        self.embedding = None

    def build(self, row_shape, mask_shape=None):
        self.categorical = row_shape[-1] - self.numeric
        if self.categorical:
            self.first = first_rows(self.max_categories, self.categorical)
            rows = self.first[-1]
            self.embedding = keras.layers.Embedding(rows, self.embed_dim, dtype=self.dtype_policy, name="embedding")
            self.embedding.build((None, self.categorical))

    def call(self, row, mask, training=False):
        numbers, there = row[:, : self.numeric], mask[:, : self.numeric]
        parts = [ops.where(there, numbers, ops.zeros_like(numbers)), ops.cast(there, numbers.dtype)]
        if self.categorical:
            ids = ops.where(mask[:, self.numeric :], ops.cast(row[:, self.numeric :], "int32"), 0)
            ids = self.unknown(ids, training=training)
            ids = ids + ops.convert_to_tensor([self.first[:-1]], "int32")
            vectors = ops.reshape(self.embedding(ids), (-1, self.categorical * self.embed_dim))
            parts.append(vectors)
        return ops.concatenate([ops.cast(part, self.compute_dtype) for part in parts], axis=-1)

    def compute_output_spec(self, row, mask, training=False):
        width = 2 * self.numeric + (row.shape[-1] - self.numeric) * self.embed_dim
        return keras.KerasTensor((row.shape[0], width), self.compute_dtype)

    def get_config(self):
        config = {"numeric": self.numeric, "max_categories": self.max_categories, "embed_dim": self.embed_dim}
        return super().get_config() | config | {"unknown_rate": self.unknown.rate, "seed": self.seed}
