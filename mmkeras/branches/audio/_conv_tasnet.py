import keras
from keras import ops

from mmkeras.branches._model import branch, check_pool, inputs, mean_token
from mmkeras.branches.audio._front import first_of_each
from mmkeras.layers import GlobalLayerNorm, MaskedMean, PoolMask, PositionEmbedding
from mmkeras.specs import Audio


def conv_tasnet(
    spec: Audio,
    *,
    dim: int = 128,
    filters: int = 128,
    hidden_dim: int = 128,
    kernel_size: int = 3,
    num_layers: int = 6,
    num_repeats: int = 1,
    frame_seconds: float = 0.01,
    frames_per_token: int = 8,
    dropout: float = 0.0,
    pool: str | None = None,
) -> keras.Model:
    """A learned filter bank on the waveform, then a temporal convolutional network, as in Conv-TasNet.

    Prefer it where phase, or detail finer than mel bands, is informative: machines, transients, several sources at
    once. As it learns its filters, it needs more clips or epochs than `conv2d`, which is also cheaper.

    Frames of `frame_seconds` overlap by half, 200 per second by default; the network works at this rate, and every
    `frames_per_token` of them then become one token, their mean: 25 tokens per second. With w = ReLU(filters * wave),
    x = W norm(w), and for each block, dilation d = 1, 2, 4, ... 2**(num_layers - 1), `num_repeats` times over:
    h = norm(PReLU(depthwise_d(norm(PReLU(W1 x))))), x <- x + W2 h, s <- s + W3 h. The frames are W PReLU(s). Each sees
    1 + num_repeats * (kernel_size - 1) * (2**num_layers - 1) frames, by default 127 of 5 ms: 0.6 seconds.

    Masking: samples under False count as silence; a frame is real if its first sample is. Frames after the end of a
    clip are excluded from all statistics and are zeros in every convolution, so the tokens of a clip do not depend on
    the length of the spec (except for half a frame at the end of a clip that fills the shorter one).

    Args:
        spec: `mm.Audio`.
        dim: D, width of the bottleneck, of the skip connections and of the tokens (B and Sc of the paper).
        filters: number of learned filters (N).
        hidden_dim: width inside a block (H).
        kernel_size: of the depthwise convolutions (P).
        num_layers: number of blocks, each doubling the dilation (X).
        num_repeats: number of times the stack of blocks is repeated (R).
        frame_seconds: length of one filter (L); they step by half of it.
        frames_per_token: frames that become one token; a remainder is dropped.
        dropout: dropout rate of each block's channels.
        pool: None, every token, with a learned position; "mean" over the real frames (T = 1).

    Returns:
        keras.Model, `{name: (B, S) float32, name_mask: (B, S) bool}` -> tokens (B, T or 1, D) and their mask.

    Raises:
        ValueError: the clip is too short to make a token.

    Source: Luo and Mesgarani, arXiv 1809.07454, section II and figure 1: encoder, separation module without its masks,
    and gLN; no decoder. Their separation network is larger: frames of 2 ms, N = H = 512, B = Sc = 128, P = 3, X = 8, R
    = 3.
    """
    check_pool(spec, pool, (None, "mean"))
    ready = inputs(spec, "audio")
    x, mask = _encode(spec, ready, filters, frame_seconds, frames_per_token)
    x = keras.layers.Dense(dim, name="bottleneck")(GlobalLayerNorm(name="norm")(x, mask))
    skips = []
    for i in range(num_repeats * num_layers):
        h = _block(x, mask, hidden_dim, kernel_size, 2 ** (i % num_layers), dropout, f"block_{i}")
        skips.append(keras.layers.Dense(dim, name=f"block_{i}_skip")(h))
        if i < num_repeats * num_layers - 1:  # the residual output of the last block is not used
            x = keras.layers.Add(name=f"block_{i}_out")([x, keras.layers.Dense(dim, name=f"block_{i}_residual")(h)])
    x = keras.layers.Add(name="skips")(skips) if len(skips) > 1 else skips[0]
    x = keras.layers.Dense(dim, name="features")(_prelu("skips_prelu")(x))
    if pool:
        return branch(spec, ready, *mean_token(x, mask))
    x, mask = _tokens(x, mask, frames_per_token)
    return branch(spec, ready, PositionEmbedding(name="position")(x), mask)


def _encode(spec, ready, filters, frame_seconds, frames_per_token):
    """Ready tensors -> response of each filter in each frame (B, F, N), and the frames' mask (B, F)."""
    waveform, mask = ready.values()
    hop = max(round(frame_seconds * spec.sample_rate) // 2, 1)
    shortest = hop * (frames_per_token + 1)
    if spec.samples < shortest:
        raise ValueError(
            f"A clip of '{spec.name}' must be long enough for one token, {shortest} samples. Received: {spec.samples} "
            "samples. Give the Audio spec more seconds, or the branch fewer frames_per_token or frame_seconds."
        )
    heard = ops.expand_dims(ops.where(mask, waveform, 0.0), -1)
    encoder = keras.layers.Conv1D(filters, 2 * hop, hop, activation="relu", use_bias=False, name="encoder")
    x = encoder(heard)
    return x, first_of_each(mask, x.shape[1], hop)


def _block(x, mask, hidden_dim, kernel_size, dilation, dropout, name):
    """The layers of a convolutional block before its skip and residual outputs: (B, F, D) -> (B, F, H)."""
    h = keras.layers.Dense(hidden_dim, name=f"{name}_in")(x)
    h = GlobalLayerNorm(name=f"{name}_norm_in")(_prelu(f"{name}_prelu_in")(h), mask)
    depthwise = keras.layers.DepthwiseConv1D(kernel_size, padding="same", dilation_rate=dilation, name=f"{name}_conv")
    h = GlobalLayerNorm(name=f"{name}_norm")(_prelu(f"{name}_prelu")(depthwise(h)), mask)
    return keras.layers.SpatialDropout1D(dropout, name=f"{name}_dropout")(h) if dropout else h


def _prelu(name):
    """PReLU with one slope for all channels, as in the paper's eq. 6; initialised as in He et al., arXiv 1502.01852."""
    return keras.layers.PReLU(keras.initializers.Constant(0.25), shared_axes=[1, 2], name=name)


def _tokens(x, mask, size):
    """Mean over the real ones of every `size` frames, and which means contain real frames."""
    count, dim = x.shape[1] // size, x.shape[2]
    group = ops.reshape(x[:, : count * size], (-1, size, dim))
    mean = MaskedMean()(group, ops.reshape(mask[:, : count * size], (-1, size)))
    return ops.reshape(mean, (-1, count, dim)), PoolMask(size, name="time_steps")(mask)
