"""Video branches: uint8 frames (B, F, H, W, C) -> tokens, one per frame. Rescaling is part of the model.

>>> import mmkeras as mm
>>> frames(mm.Video("clip", frames=4, size=(16, 16)), filters=(8, 16), units=8).output_shape
[(None, 4, 8), (None, 4)]
"""

from collections.abc import Sequence

import keras
from keras import ops

from mmkeras.branches._model import branch, check_pool, inputs, mean_token
from mmkeras.branches.image import conv_blocks
from mmkeras.layers import BatchNorm, GuardEmpty, PositionEmbedding
from mmkeras.specs import Video

__all__ = ["conv2plus1d", "frames"]

_LOOKS = 8  # number of spatial attention maps per frame


def frames(
    spec: Video,
    *,
    filters: Sequence[int] = (32, 64, 128),
    kernel_size: int = 3,
    over_time: str = "gru",
    units: int = 128,
    num_layers: int = 1,
    num_heads: int = 4,
    dropout: float = 0.0,
    pool: str | None = None,
) -> keras.Model:
    """The Conv2D blocks of `image.conv2d` on each frame, then a GRU or attention over the frames.

    Prefer it where single frames are informative, and before `fusion.Attention`; `conv2plus1d` models motion from its
    first layer on.

    A frame's vector is relu(W vec(L f)), where f (H' W', C) is its feature map and L (8, H' W') are learned spatial
    weights, shared by all channels: unlike a mean, it keeps information on where something is in the frame.

    Masking: masked frames are excluded from the statistics of batch norm, do not affect other frames, and have masked
    tokens.

    Args:
        spec: `mm.Video`.
        filters: width of each block; each halves height and width.
        kernel_size: of every convolution.
        over_time: "gru", a GRU over the frames; or "attention", Transformer encoder blocks with learned positions.
        units: D, width of the frames' vectors and of the layers over time.
        num_layers: number of GRUs or blocks; 0 for none, if later layers read the frames in order.
        num_heads: attention heads; they divide `units`.
        dropout: dropout rate of the feature maps' channels and of the layers over time.
        pool: None, one token per frame; "mean" over the real frames (T = 1).

    Returns:
        keras.Model, `{name: (B, F, H, W, C) uint8, name_mask: (B, F) bool}` -> tokens (B, F or 1, D) and their mask.

    Raises:
        ValueError: the frames are too small to be halved `len(filters)` times, or an argument is invalid.

    Source: the LRCN scheme, arXiv 1411.4389, with a GRU (arXiv 1406.1078) or a Transformer encoder (arXiv 1706.03762)
    for its LSTM.
    """
    check_pool(spec, pool, (None, "mean"))
    if over_time not in _OVER_TIME:
        raise ValueError(
            f"over_time of the branch of '{spec.name}' must be one of {list(_OVER_TIME)}. Received: {over_time!r}."
        )
    ready, x, mask = _start(spec, filters)
    x = conv_blocks(_each(x), filters, kernel_size=kernel_size, dropout=dropout, mask=ops.reshape(mask, (-1, 1)))
    x = _frame_vectors(x, units, spec.frames)
    x = _OVER_TIME[over_time](x, mask, units, num_layers, num_heads, dropout)
    return branch(spec, ready, *(mean_token(x, mask) if pool else (x, mask)))


def conv2plus1d(
    spec: Video,
    *,
    filters: Sequence[int] = (32, 64, 128),
    kernel_size: int = 3,
    time_size: int = 3,
    dropout: float = 0.0,
    pool: str | None = None,
) -> keras.Model:
    """Blocks of a convolution in space, one in time, and max pooling in space: motion is modelled from the start.

    Prefer it where short motions matter more than single frames. Each block has as many weights as a Conv3D of t x d x
    d: M = floor(t d^2 N' N / (d^2 N' + t N)) channels lie between N' -> M in space (1 x d x d) and M -> N in time (t x
    1 x 1), each with batch norm and ReLU.

    Masking: masked frames are zeros in every convolution in time, like padding; they are excluded from the statistics
    of batch norm, and their tokens are masked.

    Args:
        spec: `mm.Video`.
        filters: N, width of each block; each halves height and width, and keeps every frame. The last one is D.
        kernel_size: d, of the convolutions in space.
        time_size: t, of the convolutions in time, in frames.
        dropout: dropout rate of the feature map's channels after each block.
        pool: None, one token per frame, the spatial mean, with a learned position; "mean" over the real frames (T = 1).

    Returns:
        keras.Model, `{name: (B, F, H, W, C) uint8, name_mask: (B, F) bool}` -> tokens (B, F or 1, D) and their mask.

    Raises:
        ValueError: the frames are too small to be halved `len(filters)` times.

    Source: Tran et al., arXiv 1711.11248, section 3.5 (M: there with d = t = 3); without residuals, strides in time and
    the wide first layer of its R(2+1)D networks. The convolution in time is a Conv2D on (F, H W), which every converter
    supports.
    """
    check_pool(spec, pool, (None, "mean"))
    ready, x, mask = _start(spec, filters)
    for i, width in enumerate(filters):
        between = _middle_width(x.shape[-1], width, kernel_size, time_size)
        x = _convolved(_each(x), ops.reshape(mask, (-1, 1)), between, kernel_size, f"space_{i}")
        x = _in_time(x, mask, width, time_size, i)
        x = keras.layers.MaxPooling2D(2, name=f"pool_{i}")(x)
        x = keras.layers.SpatialDropout2D(dropout, name=f"dropout_{i}")(x) if dropout else x
        x = ops.reshape(x, (-1, spec.frames, *x.shape[1:]))
    x = ops.mean(x, axis=(2, 3))
    if pool:
        return branch(spec, ready, *mean_token(x, mask))
    return branch(spec, ready, PositionEmbedding(name="position")(x), mask)


def _start(spec, filters):
    """Symbolic ready tensors; pixels in [-1, 1] (B, F, H, W, C), black if a frame is masked; and the mask (B, F)."""
    ready = inputs(spec, "video")
    if min(spec.size) >> len(filters) == 0:
        raise ValueError(
            f"Each of the {len(filters)} blocks halves the frames of '{spec.name}'. Received: size={spec.size}. "
            "Give fewer filters or a larger size."
        )
    pixels, mask = ready.values()
    x = keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="rescaling")(pixels)
    there = ops.reshape(mask, (-1, spec.frames, 1, 1, 1))
    return ready, ops.where(there, x, ops.full_like(x, -1.0)), mask


def _each(x):
    """(B, F, ...) -> (B F, ...): all frames as one batch, for image layers."""
    return ops.reshape(x, (-1, *x.shape[2:]))


def _frame_vectors(x, units, count):
    """Feature maps (B F, H', W', C) -> frame vectors (B, F, units)."""
    x = keras.layers.Reshape((x.shape[1] * x.shape[2], x.shape[3]), name="places")(x)
    x = keras.layers.Dense(_LOOKS, use_bias=False, name="looks")(ops.transpose(x, (0, 2, 1)))
    x = keras.layers.Reshape((x.shape[1] * _LOOKS,), name="seen")(x)
    return ops.reshape(keras.layers.Dense(units, activation="relu", name="frame")(x), (-1, count, units))


def _gru(x, mask, units, num_layers, num_heads, dropout):
    readable = GuardEmpty(name="readable")(mask)
    for i in range(num_layers):
        x = keras.layers.GRU(units, return_sequences=True, name=f"gru_{i}")(x, mask=readable)
        x = keras.layers.Dropout(dropout)(x) if dropout else x
    # Masked steps give zeros instead of repeating the last state. The op also drops Keras' implicit mask, about which
    # layers without mask support would warn.
    return ops.where(ops.expand_dims(mask, -1), x, ops.zeros_like(x))


def _attention(x, mask, units, num_layers, num_heads, dropout):
    import keras_nlp  # imported here because it takes seconds

    x = PositionEmbedding(name="position")(x)
    for i in range(num_layers):
        x = keras_nlp.layers.TransformerEncoder(2 * units, num_heads, dropout, name=f"block_{i}")(x, padding_mask=mask)
    return x


_OVER_TIME = {"gru": _gru, "attention": _attention}


def _middle_width(before, after, kernel_size, time_size):
    """Channels between the two convolutions that give as many weights as the 3D convolution they replace.

    >>> _middle_width(64, 64, kernel_size=3, time_size=3)
    144
    """
    weights = time_size * kernel_size**2 * before * after
    return max(1, weights // (kernel_size**2 * before + time_size * after))


def _in_time(x, mask, width, time_size, i):
    """Convolution over time: (B F, H, W, M) -> (B F, H, W, N)."""
    height, wide, channels, count = *x.shape[1:], mask.shape[1]
    x = ops.reshape(x, (-1, count, height * wide, channels))
    x = ops.where(ops.reshape(mask, (-1, count, 1, 1)), x, ops.zeros_like(x))
    x = _convolved(x, mask, width, (time_size, 1), f"time_{i}")
    return ops.reshape(x, (-1, height, wide, width))


def _convolved(x, mask, width, kernel_size, name):
    x = keras.layers.Conv2D(width, kernel_size, padding="same", use_bias=False, name=name)(x)
    x = BatchNorm(name=f"{name}_norm")(x, mask=mask)
    return keras.layers.ReLU(name=f"{name}_relu")(x)
