"""Table branches: one row (B, N) -> one token, or one per column.

Category embeddings have `spec.ids` rows: build the branch from `preprocess.specs`, which know what `adapt` learned.

>>> import mmkeras as mm
>>> mlp(mm.Table("customer", numeric=["age"], categorical=["city"]), units=(32,)).output_shape
[(None, 1, 32), (None, 1)]
"""

from collections.abc import Sequence

import keras
from keras import ops

from mmkeras.branches._model import branch, check_pool, inputs, one_token
from mmkeras.checks import check_whole
from mmkeras.layers import LearnedTokens, TableFeatures, TableTokens
from mmkeras.layers.attention_block import check_heads
from mmkeras.specs import Table

__all__ = ["mlp", "transformer"]


def mlp(
    spec: Table,
    *,
    units: Sequence[int] = (64, 64),
    embed_dim: int = 8,
    dropout: float = 0.0,
    unknown_rate: float = 0.02,
) -> keras.Model:
    """Dense layers on numbers and category embeddings.

    Masking: a missing value is distinguished from zero; a row without any value gives a masked token.

    Args:
        spec: `mm.Table`.
        units: width of each dense layer; the last one is D.
        embed_dim: width of the embedding of a category.
        dropout: dropout rate of each layer's output.
        unknown_rate: share of the categories replaced by the unknown one while training, so that its embedding is
            trained.

    Returns:
        keras.Model, `{name: (B, N) float32, name_mask: (B, N) bool}` -> tokens (B, 1, D) and mask (B, 1).
    """
    ready = inputs(spec, "table")
    check_whole(spec.name, embed_dim=embed_dim, **{f"units[{i}]": width for i, width in enumerate(units)})
    features = TableFeatures(
        len(spec.numbers), spec.ids, embed_dim=embed_dim, unknown_rate=unknown_rate, name="features"
    )
    row, mask = ready.values()
    x = features(row, mask)
    for i, width in enumerate(units):
        x = keras.layers.Dense(width, activation="relu", name=f"dense_{i}")(x)
        x = keras.layers.Dropout(dropout)(x) if dropout else x
    return branch(spec, ready, *one_token(x, mask))


def transformer(
    spec: Table,
    *,
    dim: int = 64,
    num_heads: int = 4,
    feedforward_dim: int | None = None,
    num_layers: int = 2,
    dropout: float = 0.1,
    pool: str | None = "cls",
    unknown_rate: float = 0.02,
) -> keras.Model:
    """One token per column and a learned [CLS] token + Transformer encoder blocks.

    Prefer it to `mlp` where interactions of columns matter, and before a fusion of tokens (`pool=None`); on few rows
    `mlp` is as accurate, and it is always faster.

    Masking: no token attends to a missing value; in a row without any value [CLS] is masked as well.

    Args:
        spec: `mm.Table`.
        dim: D, width of the tokens.
        num_heads: attention heads; they divide `dim`.
        feedforward_dim: width of each block's hidden layer, 2 * dim by default.
        num_layers: number of blocks.
        dropout: dropout rate in each block.
        pool: "cls", the [CLS] token (T = 1); None, every token, [CLS] before the columns in their order (T = 1 + N).
        unknown_rate: as in `mlp`.

    Returns:
        keras.Model, `{name: (B, N) float32, name_mask: (B, N) bool}` -> tokens (B, T, D) and mask (B, T).

    Raises:
        ValueError: `num_heads` do not divide `dim`.

    Source: Gorishniy et al., FT-Transformer, arXiv 2106.11959, section 3.3. The blocks are keras-hub's, pre-norm with
    ReLU: theirs have ReGLU and no norm before the first attention. Missing values are masked here and imputed there.
    """
    import keras_nlp  # imported here because it takes seconds

    check_pool(spec, pool, ("cls", None))
    check_whole(spec.name, dim=dim, num_heads=num_heads, feedforward_dim=feedforward_dim or 2 * dim)
    check_heads(f"the branch of '{spec.name}'", dim, num_heads)
    ready = inputs(spec, "table")
    row, mask = ready.values()
    columns = TableTokens(len(spec.numbers), spec.ids, dim=dim, unknown_rate=unknown_rate, name="columns")(row, mask)
    x = ops.concatenate([LearnedTokens(1, dim=dim, name="cls")(row), columns], axis=1)
    seen = ops.concatenate([ops.any(mask, axis=1, keepdims=True), mask], axis=1)
    for i in range(num_layers):
        block = keras_nlp.layers.TransformerEncoder(
            feedforward_dim or 2 * dim, num_heads, dropout, normalize_first=True, name=f"block_{i}"
        )
        x = block(x, padding_mask=seen)
    x = keras.layers.LayerNormalization(name="norm")(x)
    return branch(spec, ready, *(one_token(x[:, 0], mask) if pool else (x, seen)))
