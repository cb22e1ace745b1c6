import keras
from keras import ops

from mmkeras.layers import PositionEmbedding

POOLS = (None, "mean", "max", "flatten")


def tokens(x, present, pool):
    """Feature map (B, H, W, D) and presence (B, 1), or None where required -> tokens (B, T, D) and mask (B, T)."""
    if pool in ("mean", "max"):
        pooling = keras.layers.GlobalAveragePooling2D if pool == "mean" else keras.layers.GlobalMaxPooling2D
        tokens = ops.expand_dims(pooling()(x), 1)
    elif pool == "flatten":
        tokens = ops.expand_dims(keras.layers.Flatten()(x), 1)
    else:
        tokens = keras.layers.Reshape((x.shape[1] * x.shape[2], x.shape[3]), name="tokens")(x)
        tokens = PositionEmbedding(name="position")(tokens)
    return tokens, present_tokens(tokens, present)


def present_tokens(tokens, present):
    """Mask (B, T) that is True for every token of a present image."""
    every = ops.ones_like(tokens[:, :, 0], dtype="bool")
    return every if present is None else ops.logical_and(every, present)


def coloured(pixels):
    """Repeats greyscale: (B, H, W, 1 or 3) -> (B, H, W, 3)."""
    return pixels if pixels.shape[-1] == 3 else ops.concatenate([pixels] * 3, axis=-1)


def check_size(spec, least, where):
    if min(spec.size) < least:
        raise ValueError(
            f"{where} needs images of {least} x {least} pixels or more. Received: '{spec.name}' with size={spec.size}. "
            "Give a larger size, or take image.conv2d."
        )
