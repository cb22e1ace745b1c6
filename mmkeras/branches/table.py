"""Table branches: one row (B, N) -> one token.

>>> import mmkeras as mm
>>> mlp(mm.Table("customer", numeric=["age"], categorical=["city"]), units=(32,)).output_shape
[(None, 1, 32), (None, 1)]
"""

import keras

from mmkeras.branches._model import branch, inputs, one_token
from mmkeras.layers import TableFeatures


def mlp(spec, units=(64, 64), embed_dim=8, dropout=0.0):
    """Numbers and category embeddings through dense layers.

    Args:
        spec: `mm.Table`.
        units: width of each dense layer; the last one is D.
        embed_dim: width of the embedding of a category.
        dropout: share of each layer's output dropped while training.

    Masking: a missing value counts as missing, not as zero; a row without any value comes out masked.

    Returns:
        keras.Model, `{name: (B, N) float32, name_mask: (B, N) bool}` -> tokens (B, 1, D) and mask (B, 1).
    """
    ready = inputs(spec, "Table")
    features = TableFeatures(len(spec.numeric), spec.max_categories, embed_dim, name="features")
    row, mask = ready.values()
    x = features(row, mask)
    for i, width in enumerate(units):
        x = keras.layers.Dense(width, activation="relu", name=f"dense_{i}")(x)
        x = keras.layers.Dropout(dropout)(x) if dropout else x
    return branch(spec, ready, *one_token(x, mask))
