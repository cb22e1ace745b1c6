from collections.abc import Sequence

import keras

from mmkeras.branches._model import branch, check_pool, inputs, mean_token
from mmkeras.branches.audio._front import spectrogram
from mmkeras.branches.image import conv_blocks
from mmkeras.layers import PoolMask, PositionEmbedding, SpecAugment
from mmkeras.specs import Audio


def conv2d(
    spec: Audio,
    *,
    filters: Sequence[int] = (32, 64, 128),
    kernel_size: int = 3,
    mel_bands: int = 64,
    frame_seconds: float = 0.025,
    hop_seconds: float = 0.01,
    dropout: float = 0.0,
    pool: str | None = None,
    spec_augment: SpecAugment | None = None,
    mfcc: int | None = None,
) -> keras.Model:
    """Log-mel spectrogram, then the Conv2D blocks of `image.conv2d` over time and frequency.

    Masking: frames after the end of a clip are excluded from the statistics of batch norm, are silence to the
    convolutions, and have masked tokens.

    Args:
        spec: `mm.Audio`.
        filters: width of each block; each halves time and frequency. The last one is D.
        kernel_size: of every convolution.
        mel_bands, frame_seconds, hop_seconds: of `layers.LogMel`.
        dropout: dropout rate of the feature map's channels after each block.
        pool: None, one token per time step, with a learned position; "mean" over the real time steps (T = 1).
        spec_augment: None, or a `layers.SpecAugment`, which masks bands and frames while training.
        mfcc: None, or the number of `layers.MFCC` coefficients to compute from the bands.

    Returns:
        keras.Model, `{name: (B, S) float32, name_mask: (B, S) bool}` -> tokens (B, T, D) and mask (B, T).

    Raises:
        ValueError: the clip is too short, or has too few bands, to be halved `len(filters)` times.
    """
    check_pool(spec, pool, (None, "mean"))
    ready = inputs(spec, "audio")
    x, mask = spectrogram(spec, ready, mel_bands, frame_seconds, hop_seconds, mfcc, spec_augment)
    if min(x.shape[1:3]) >> len(filters) == 0:
        raise ValueError(
            f"Each of the {len(filters)} blocks halves the frames and bands of '{spec.name}'. Received: "
            f"{x.shape[1]} frames of {x.shape[2]} bands. Give fewer filters, more seconds or more bands."
        )
    x = conv_blocks(x, filters, kernel_size=kernel_size, dropout=dropout, mask=mask)
    mask = PoolMask(2 ** len(filters), name="time_steps")(mask)[:, : x.shape[1]]
    x = keras.layers.Reshape((x.shape[1], x.shape[2] * x.shape[3]))(x)
    x = keras.layers.Dense(filters[-1], activation="relu", name="bands")(x)
    if pool:
        return branch(spec, ready, *mean_token(x, mask))
    return branch(spec, ready, PositionEmbedding(name="position")(x), mask)
