import math
from collections.abc import Sequence

import keras

from mmkeras.branches._model import branch, check_pool, inputs, mean_token, one_token
from mmkeras.branches._recurrent import grus
from mmkeras.branches.audio._front import spectrogram
from mmkeras.branches.image import conv_blocks
from mmkeras.layers import PoolMask, SpecAugment
from mmkeras.specs import Audio


def crnn(
    spec: Audio,
    *,
    filters: Sequence[int] = (32, 64, 128),
    pool_sizes: Sequence[tuple[int, int]] = ((2, 4), (2, 4), (1, 2)),
    units: int = 128,
    num_layers: int = 1,
    bidirectional: bool = True,
    kernel_size: int = 3,
    mel_bands: int = 64,
    frame_seconds: float = 0.025,
    hop_seconds: float = 0.01,
    dropout: float = 0.0,
    pool: str | None = None,
    spec_augment: SpecAugment | None = None,
    mfcc: int | None = None,
) -> keras.Model:
    """Log-mel spectrogram, Conv2D blocks that pool frequency more than time, then a GRU over time.

    Prefer it to `conv2d` where the information is spread over the clip and its order matters; on a CPU, the loop over
    time steps makes training slower.

    Masking: frames after the end of a clip are excluded from the statistics of batch norm and are silence to the
    convolutions; the GRU skips them.

    Args:
        spec: `mm.Audio`.
        filters: width of each Conv2D block.
        pool_sizes: (time, frequency) windows of the max pooling, one pair per block.
        units: width of the GRU; D = units, or 2 * units where bidirectional, or bands * filters[-1] without GRUs.
        num_layers: number of stacked GRUs; 0 for none, if later layers read the time steps in order.
        bidirectional: whether the GRUs run in both directions.
        kernel_size: of every convolution.
        mel_bands, frame_seconds, hop_seconds: of `layers.LogMel`.
        dropout: dropout rate of the feature map's channels after each block, and of each GRU's output.
        pool: None, the state of every time step; "mean" over the real ones (T = 1); "last", the state after the last
            real one (T = 1).
        spec_augment: None, or a `layers.SpecAugment`, which masks bands and frames while training.
        mfcc: None, or the number of `layers.MFCC` coefficients to compute from the bands; choose smaller `pool_sizes`
            then.

    Returns:
        keras.Model, `{name: (B, S) float32, name_mask: (B, S) bool}` -> tokens (B, T or 1, D) and their mask.

    Raises:
        ValueError: `pool_sizes` does not have one pair per filter, or pools more frames or bands than there are.

    Source: Çakır et al., arXiv 1702.06286, whose convolutions pool frequency only; pooling time as well, as in Choi et
    al., arXiv 1609.04243, makes the GRU's loop shorter.
    """
    check_pool(spec, pool, (None, "mean", "last"))
    ready = inputs(spec, "audio")
    x, mask = spectrogram(spec, ready, mel_bands, frame_seconds, hop_seconds, mfcc, spec_augment)
    _check_pool_sizes(spec, filters, pool_sizes, x.shape)
    x = conv_blocks(x, filters, kernel_size=kernel_size, dropout=dropout, pool_sizes=pool_sizes, mask=mask)
    mask = PoolMask(math.prod(time for time, _ in pool_sizes), name="time_steps")(mask)
    x = keras.layers.Reshape((x.shape[1], x.shape[2] * x.shape[3]), name="bands")(x)
    x = grus(x, mask, units, num_layers, bidirectional, dropout, whole=pool != "last")
    pooled = {"last": one_token, "mean": mean_token, None: lambda x, mask: (x, mask)}[pool]
    return branch(spec, ready, *pooled(x, mask))


def _check_pool_sizes(spec, filters, pool_sizes, shape):
    if len(pool_sizes) != len(filters):
        raise ValueError(
            f"pool_sizes of the branch of '{spec.name}' must hold one (time, pitch) per filter. Received: "
            f"{len(pool_sizes)} of them, {len(filters)} filters. Give as many of one as of the other."
        )
    time, pitch = (math.prod(pair[axis] for pair in pool_sizes) for axis in (0, 1))
    if time > shape[1] or pitch > shape[2]:
        raise ValueError(
            f"pool_sizes of the branch of '{spec.name}' take {time} frames and {pitch} bands together. Received: "
            f"{shape[1]} frames of {shape[2]} bands. Give smaller ones, more seconds or more bands."
        )
