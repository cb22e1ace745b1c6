"""A transformer over patches.

>>> import mmkeras as mm
>>> vit(mm.Image("photo", size=(32, 48)), patch=16, dim=8, num_heads=2, num_layers=1).output_shape
[(None, 6, 8), (None, 6)]
"""

import keras

from mmkeras.branches._model import branch, check_pool, inputs, mean_token
from mmkeras.branches.image._tokens import present_tokens
from mmkeras.layers import PositionEmbedding
from mmkeras.specs import Image


def vit(
    spec: Image,
    *,
    patch: int = 16,
    dim: int = 128,
    num_heads: int = 4,
    feedforward_dim: int | None = None,
    num_layers: int = 4,
    dropout: float = 0.1,
    pool: str | None = None,
) -> keras.Model:
    """A vision transformer (ViT): a picture as a sequence of square patches.

    Prefer it to `conv2d` for very many pictures, and before fusions of tokens. With few pictures, convolutions are more
    accurate.

    Masking: all tokens of an absent image are masked.

    Args:
        spec: `mm.Image`, height and width multiples of `patch`.
        patch: height and width of a patch in pixels.
        dim: D, width of the tokens.
        num_heads: attention heads; they divide `dim`.
        feedforward_dim: width of each block's hidden layer, 4 * dim by default.
        num_layers: number of blocks.
        dropout: dropout rate of the patches' vectors and in each block.
        pool: None, one token per patch; "mean" of the tokens (T = 1).

    Returns:
        keras.Model, `{name: (B, H, W, C) uint8[, name_mask: (B, 1) bool]}` -> tokens (B, T, D) and mask (B, T).

    Raises:
        ValueError: height or width is not a multiple of `patch`, or `num_heads` do not divide `dim`.

    Source: Dosovitskiy et al., arXiv 2010.11929, section 3.1. There is no class token here: the mean of the tokens
    performs equally well (appendix D.3). The blocks are keras-hub's, pre-norm.
    """
    import keras_nlp  # imported here because it takes seconds

    check_pool(spec, pool, (None, "mean"))
    ready = inputs(spec, "image")
    _check(spec, patch, dim, num_heads)
    x = keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="rescaling")(ready[spec.name])
    x = keras.layers.Conv2D(dim, patch, strides=patch, name="patches")(x)
    x = keras.layers.Reshape((x.shape[1] * x.shape[2], dim), name="tokens")(x)
    x = keras.layers.Dropout(dropout, name="dropout")(PositionEmbedding(name="position")(x))
    for i in range(num_layers):
        x = keras_nlp.layers.TransformerEncoder(
            feedforward_dim or 4 * dim, num_heads, dropout, "gelu", normalize_first=True, name=f"block_{i}"
        )(x)
    x = keras.layers.LayerNormalization(epsilon=1e-6, name="norm")(x)
    mask = present_tokens(x, ready.get(f"{spec.name}_mask"))
    return branch(spec, ready, *(mean_token(x, mask) if pool else (x, mask)))


def _check(spec, patch, dim, num_heads):
    if patch < 1 or any(length % patch for length in spec.size):
        near = tuple(max(1, length // max(patch, 1)) * patch for length in spec.size)
        raise ValueError(
            f"Height and width of '{spec.name}' must be multiples of patch. Received: size={spec.size}, "
            f"patch={patch}. Give another patch, or a size such as {near}."
        )
    if dim % num_heads:
        raise ValueError(f"num_heads of '{spec.name}' must divide dim. Received: num_heads={num_heads}, dim={dim}.")
