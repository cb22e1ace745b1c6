"""Residual networks.

>>> import mmkeras as mm
>>> resnet(mm.Image("photo", size=(64, 64)), depth=18, filters=8).output_shape
[(None, 4, 64), (None, 4)]
"""

from os import PathLike

import keras
from keras import ops

from mmkeras.branches._model import branch, check_pool, inputs
from mmkeras.branches.image._norms import through_backbone, with_batch_norm
from mmkeras.branches.image._tokens import POOLS, check_size, coloured, tokens
from mmkeras.presets import check_weights, load_weights
from mmkeras.specs import Image

_STAGES = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}
_MEAN_BGR = (103.939, 116.779, 123.68)  # ImageNet's channel means, as used for the published weights


def resnet(
    spec: Image,
    *,
    depth: int = 50,
    weights: str | PathLike[str] | None = None,
    train: str | int = "all",
    filters: int = 64,
    pool: str | None = None,
) -> keras.Model:
    """A residual network: 50 layers with ImageNet weights, or a smaller one of 18 or 34 layers.

    Prefer it to `conv2d` for photographs: with `weights="imagenet"` and `train="none"` or a few blocks where there are
    hundreds of examples, `train="all"` where there are many thousands.

    Masking: as in `conv2d`.

    Args:
        spec: `mm.Image` of 32 x 32 pixels or more; grey ones are repeated three times.
        depth: 18, 34 or 50.
        weights: None for random initialisation; "imagenet" (50 layers) to download them; or a file: for 50 layers a
            "notop" file of keras.applications, for the others what `branch.get_layer("backbone").model.save_weights`
            wrote.
        train: "all", "none", or the number of last blocks (of 8, 16 and 16) to train. Batch norms in frozen blocks keep
            their statistics.
        filters: width of the first stage of 18 and 34 layers; each further stage doubles it, D = 8 * filters.
        pool: as in `conv2d`; None for one token per 32 x 32 pixels.

    Returns:
        keras.Model, `{name: (B, H, W, C) uint8[, name_mask: (B, 1) bool]}` -> tokens (B, T, D) and mask (B, T).

    Raises:
        ValueError: an argument is invalid, the image is too small, or the weights do not load.
        FileNotFoundError: the file of weights is not there.

    Source: He et al., arXiv 1512.03385, table 1; the network of 50 layers and its weights are those of
    keras.applications.
    """
    where = f"image.resnet of '{spec.name}'"
    check_pool(spec, pool, POOLS)
    ready = inputs(spec, "image")
    check_size(spec, 32, where)
    if depth not in (*_STAGES, 50):
        raise ValueError(f"depth of {where} must be 18, 34 or 50. Received: {depth!r}.")
    check_weights(where, weights, published=depth == 50)
    shape, present = (*spec.size, 3), ready.get(f"{spec.name}_mask")

    def build(weights):
        if depth == 50:
            return with_batch_norm(_resnet50(shape, weights), masked=present is not None)
        return _basic(shape, _STAGES[depth], filters, weights, masked=present is not None)

    model = load_weights(where, build, weights)
    pixels = coloured(ready[spec.name])
    x = through_backbone(model, train, _as_published(pixels) if depth == 50 else _scaled(pixels), present)
    return branch(spec, ready, *tokens(x, present, pool))


def _as_published(pixels):
    """RGB -> BGR with ImageNet's means subtracted, as for the published weights."""
    red, green, blue = ops.split(pixels, 3, axis=-1)
    pixels = ops.concatenate([blue, green, red], axis=-1)
    return keras.layers.Rescaling(1.0, offset=[-mean for mean in _MEAN_BGR], name="rescaling")(pixels)


def _scaled(pixels):
    return keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="rescaling")(pixels)


def _resnet50(shape, weights):
    return keras.applications.ResNet50(include_top=False, weights=weights, input_shape=shape)


def _basic(shape, stages, filters, weights, masked):
    """Networks with two convolutions per block."""
    pixels = keras.Input(shape)
    x = _norm(_conv(pixels, filters, 7, 2, "stem"), "stem", relu=True)
    x = keras.layers.MaxPooling2D(3, strides=2, padding="same", name="stem_pool")(x)
    number = 0
    for stage, blocks in enumerate(stages):
        for i in range(blocks):
            x = _block(x, filters * 2**stage, 2 if stage and not i else 1, f"block_{number}")
            number += 1
    model = with_batch_norm(keras.Model(pixels, x, name=f"resnet{2 * number + 2}"), masked)
    if weights is not None:
        model.load_weights(weights)
    return model


def _block(x, filters, strides, name):
    y = _norm(_conv(x, filters, 3, strides, f"{name}_1"), f"{name}_1", relu=True)
    y = _norm(_conv(y, filters, 3, 1, f"{name}_2"), f"{name}_2")
    if strides > 1 or x.shape[-1] != filters:
        x = _norm(_conv(x, filters, 1, strides, f"{name}_0"), f"{name}_0")
    return keras.layers.ReLU(name=f"{name}_out")(keras.layers.Add(name=f"{name}_add")([x, y]))


def _conv(x, filters, size, strides, name):
    return keras.layers.Conv2D(filters, size, strides, "same", use_bias=False, name=f"{name}_conv",
                               kernel_initializer="he_normal")(x)  # fmt: skip


def _norm(x, name, relu=False):
    x = keras.layers.BatchNormalization(name=f"{name}_norm")(x)
    return keras.layers.ReLU(name=f"{name}_relu")(x) if relu else x
