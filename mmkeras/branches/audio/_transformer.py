import keras
from keras import ops

from mmkeras.branches._model import branch, check_pool, inputs, mean_token
from mmkeras.branches.audio._front import first_of_each, spectrogram
from mmkeras.layers import PositionEmbedding, SpecAugment
from mmkeras.layers.attention_block import check_heads
from mmkeras.specs import Audio


def transformer(
    spec: Audio,
    *,
    dim: int = 128,
    num_heads: int = 4,
    feedforward_dim: int | None = None,
    num_layers: int = 2,
    patch: tuple[int, int] = (16, 16),
    stride: tuple[int, int] = (10, 10),
    mel_bands: int = 64,
    frame_seconds: float = 0.025,
    hop_seconds: float = 0.01,
    dropout: float = 0.1,
    pool: str | None = None,
    spec_augment: SpecAugment | None = None,
    mfcc: int | None = None,
) -> keras.Model:
    """Overlapping patches of the log-mel spectrogram + learned positions + Transformer encoder blocks.

    Prefer it to `conv2d` and `crnn` with tens of thousands of clips; with few it learns more slowly, as it has no
    locality prior. Its cost grows with the square of the number of patches.

    Masking: a patch is real if its first frame is; no patch attends to the others. Frames after the end of a clip are
    excluded from the statistics of batch norm.

    Args:
        spec: `mm.Audio`.
        dim: D, width of the tokens.
        num_heads: attention heads; they divide `dim`.
        feedforward_dim: width of each block's hidden layer, 2 * dim by default.
        num_layers: number of blocks.
        patch: (frames, bands) that make one token.
        stride: (frames, bands) from patch to patch; T = ((F - patch) // stride + 1) over frames, times that over bands.
        mel_bands, frame_seconds, hop_seconds: of `layers.LogMel`.
        dropout: dropout rate of the patches and in each block.
        pool: None, every patch, ordered by time, then frequency; "mean" over the real ones (T = 1).
        spec_augment: None, or a `layers.SpecAugment`, which masks bands and frames while training.
        mfcc: None, or the number of `layers.MFCC` coefficients to compute from the bands; patches must fit into them.

    Returns:
        keras.Model, `{name: (B, S) float32, name_mask: (B, S) bool}` -> tokens (B, T or 1, D) and their mask.

    Raises:
        ValueError: a patch is larger than the spectrogram, or `num_heads` do not divide `dim`.

    Source: Gong et al., AST, arXiv 2104.01778, section 2.1. AST classifies from a [CLS] token and starts from weights
    of a vision transformer; this branch has no [CLS], is trained from scratch, and supports masks. The blocks are
    keras-hub's, pre-norm.
    """
    import keras_nlp  # imported here because it takes seconds

    check_pool(spec, pool, (None, "mean"))
    check_heads(f"the branch of '{spec.name}'", dim, num_heads)
    ready = inputs(spec, "audio")
    x, mask = spectrogram(spec, ready, mel_bands, frame_seconds, hop_seconds, mfcc, spec_augment)
    x, mask = _patches(spec, x, mask, dim, patch, stride)
    x = keras.layers.Dropout(dropout)(PositionEmbedding(name="position")(x))
    for i in range(num_layers):
        block = keras_nlp.layers.TransformerEncoder(
            feedforward_dim or 2 * dim, num_heads, dropout, "gelu", normalize_first=True, name=f"block_{i}"
        )
        x = block(x, padding_mask=mask)
    x = keras.layers.LayerNormalization(name="norm_tokens")(x)
    return branch(spec, ready, *(mean_token(x, mask) if pool else (x, mask)))


def _patches(spec, x, mask, dim, patch, stride):
    """Image (B, F, M, 1) and its frames' mask -> tokens (B, T, D), one per patch, and their mask (B, T)."""
    if patch[0] > x.shape[1] or patch[1] > x.shape[2]:
        raise ValueError(
            f"A patch of the branch of '{spec.name}' must fit into the spectrogram, {x.shape[1]} frames of "
            f"{x.shape[2]} bands. Received: patch={tuple(patch)}. Give a smaller patch, more seconds or more bands."
        )
    x = keras.layers.Conv2D(dim, patch, stride, name="patches")(x)
    steps, pitches = x.shape[1:3]
    mask = ops.tile(ops.expand_dims(first_of_each(mask, steps, stride[0]), -1), (1, 1, pitches))
    shape = (steps * pitches,)
    return keras.layers.Reshape((*shape, dim))(x), ops.reshape(mask, (-1, *shape))
