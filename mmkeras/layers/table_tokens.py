from collections.abc import Sequence
from typing import Unpack

import keras
from keras import ops

from mmkeras.layers.options import LayerOptions
from mmkeras.layers.table_features import first_rows
from mmkeras.layers.unknown_dropout import UnknownDropout


@keras.saving.register_keras_serializable("mmkeras")
class TableTokens(keras.layers.Layer):
    """One row of a table -> one token per column, so that columns can attend to each other.

    Token j is x_j w_j + b_j for a number, and e_j[x_j] + b_j for a category.

    Masking: the token of a missing value is zero; attention has to exclude it by the same mask.

    Args:
        numeric: number of numeric columns, which are the first of the N columns.
        max_categories: number of ids of each categorical column, or one number for all of them.
        dim: D, width of a token.
        unknown_rate: share of the categories replaced by the unknown one while training, see `UnknownDropout`.
        seed: int, for reproducible results; None draws one.

    Call arguments:
        row: (B, N) float32, numbers and category ids.
        mask: (B, N) bool.
        training: whether categories are replaced by the unknown one.

    Returns:
        (B, N, D) float.

    Source: Gorishniy et al., arXiv 2106.11959, section 3.3, the feature tokenizer, with the same initialisation.
    """

    def __init__(
        self,
        numeric: int,
        max_categories: int | Sequence[int],
        *,
        dim: int = 64,
        unknown_rate: float = 0.02,
        seed: int | None = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(autocast=False, **kwargs)  # casting to half precision would change large ids
        self.numeric = numeric
        self.max_categories = max_categories
        self.dim = dim
        self.seed = seed
        self.unknown = UnknownDropout(unknown_rate, seed=seed, name="unknown")

    def build(self, row_shape, mask_shape=None):
        columns, self.categorical = row_shape[-1], row_shape[-1] - self.numeric
        drawn = keras.initializers.RandomUniform(-(self.dim**-0.5), self.dim**-0.5)
        self.bias = self.add_weight(name="bias", shape=(columns, self.dim), initializer=drawn.clone())
        if self.numeric:
            self.weight = self.add_weight(name="weight", shape=(self.numeric, self.dim), initializer=drawn.clone())
        if self.categorical:
            self.first = first_rows(self.max_categories, self.categorical)
            rows = self.first[-1]
            self.embedding = keras.layers.Embedding(rows, self.dim, drawn, dtype=self.dtype_policy, name="embedding")
            self.embedding.build((None, self.categorical))

    def call(self, row, mask, training=False):
        parts = []
        if self.numeric:
            numbers = ops.where(mask[:, : self.numeric], row[:, : self.numeric], 0.0)
            parts.append(ops.expand_dims(numbers, -1) * self.weight)
        if self.categorical:
            ids = ops.where(mask[:, self.numeric :], ops.cast(row[:, self.numeric :], "int32"), 0)
            ids = self.unknown(ids, training=training)
            parts.append(self.embedding(ids + ops.convert_to_tensor([self.first[:-1]], "int32")))
        values = ops.concatenate([ops.cast(part, self.compute_dtype) for part in parts], axis=1)
        tokens = values + ops.cast(self.bias, self.compute_dtype)
        return ops.where(ops.expand_dims(mask, -1), tokens, ops.zeros_like(tokens))

    def compute_output_spec(self, row, mask, training=False):
        return keras.KerasTensor((*row.shape, self.dim), self.compute_dtype)

    def get_config(self):
        config = {"numeric": self.numeric, "max_categories": self.max_categories, "dim": self.dim}
        return super().get_config() | config | {"unknown_rate": self.unknown.rate, "seed": self.seed}
