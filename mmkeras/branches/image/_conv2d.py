"""Convolutions, from scratch.

>>> import mmkeras as mm
>>> conv2d(mm.Image("photo", size=(32, 32)), filters=(8, 16)).output_shape
[(None, 64, 16), (None, 64)]
"""

from collections.abc import Sequence
from typing import Any

import keras

from mmkeras.branches._model import branch, check_pool, inputs
from mmkeras.branches.image._tokens import tokens
from mmkeras.layers import BatchNorm, PoolMask
from mmkeras.specs import Image


def conv2d(
    spec: Image,
    *,
    filters: Sequence[int] = (32, 64, 128),
    kernel_size: int = 3,
    dropout: float = 0.0,
    pool: str | None = None,
) -> keras.Model:
    """Blocks of Conv2D, batch norm, ReLU and max pooling: a small network for training from scratch.

    Masking: all tokens of an absent image are masked, and it is excluded from the statistics of batch norm.

    Args:
        spec: `mm.Image`.
        filters: width of each block; each halves height and width. The last one is D.
        kernel_size: of every convolution.
        dropout: dropout rate of the feature map's channels after each block.
        pool: None, one token per position of the feature map, with a learned position embedding; "mean" or "max" over
            the positions (T = 1); "flatten", all of them concatenated (T = 1, D = positions * filters[-1]).

    Returns:
        keras.Model, `{name: (B, H, W, C) uint8[, name_mask: (B, 1) bool]}` -> tokens (B, T, D) and mask (B, T).

    Raises:
        ValueError: the image is too small to be halved `len(filters)` times.
    """
    check_pool(spec, pool, (None, "mean", "max", "flatten"))
    if min(spec.size) >> len(filters) == 0:
        raise ValueError(
            f"Each of the {len(filters)} blocks halves the image of '{spec.name}'. Received: size={spec.size}. "
            "Give fewer filters or a larger size."
        )
    ready = inputs(spec, "image")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="rescaling")(ready[spec.name])
    present = ready.get(f"{spec.name}_mask")
    x = conv_blocks(x, filters, kernel_size=kernel_size, dropout=dropout, mask=present)
    return branch(spec, ready, *tokens(x, present, pool))


def conv_blocks(
    x: Any,
    filters: Sequence[int],
    *,
    kernel_size: int = 3,
    dropout: float = 0.0,
    pool_sizes: Sequence[int | tuple[int, int]] | None = None,
    mask: Any = None,
) -> Any:
    """[Conv2D, batch norm, ReLU, max pooling] per filter: (B, H, W, C) -> (B, H', W', D), halved n times by default.

    Values under a False in `mask`, (B, 1) or (B, H) bool, are excluded from the statistics of batch norm.
    """
    for i, (width, pool) in enumerate(zip(filters, pool_sizes or [2] * len(filters), strict=True)):
        x = keras.layers.Conv2D(width, kernel_size, padding="same", use_bias=False, name=f"conv_{i}")(x)
        x = BatchNorm(name=f"norm_{i}")(x, mask=mask)
        x = keras.layers.ReLU(name=f"relu_{i}")(x)
        x = keras.layers.MaxPooling2D(pool, name=f"pool_{i}")(x)
        if mask is not None and mask.shape[1] > 1:
            mask = PoolMask(pool if isinstance(pool, int) else pool[0], name=f"pool_mask_{i}")(mask)
        x = keras.layers.SpatialDropout2D(dropout, name=f"dropout_{i}")(x) if dropout else x
    return x
