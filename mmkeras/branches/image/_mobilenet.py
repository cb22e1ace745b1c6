"""A small network for devices.

>>> import mmkeras as mm
>>> mobilenet(mm.Image("photo", size=(32, 32)), minimalistic=True).output_shape
[(None, 1, 576), (None, 1)]
"""

from os import PathLike

import keras

from mmkeras.branches._model import branch, check_pool, inputs
from mmkeras.branches.image._norms import through_backbone, with_batch_norm
from mmkeras.branches.image._tokens import POOLS, check_size, coloured, tokens
from mmkeras.presets import check_weights, load_weights
from mmkeras.specs import Image


def mobilenet(
    spec: Image,
    *,
    weights: str | PathLike[str] | None = None,
    train: str | int = "all",
    alpha: float = 1.0,
    minimalistic: bool = False,
    pool: str | None = None,
) -> keras.Model:
    """MobileNetV3-Small: a network for mobile devices, with ImageNet weights.

    Prefer it to `resnet` where file size and latency on the device matter; it has a twenty-fifth of the weights.

    Masking: as in `conv2d`.

    Args:
        spec: `mm.Image` of 32 x 32 pixels or more; grey ones are repeated three times.
        weights: None for random initialisation; "imagenet" (alpha 0.75 and 1, minimalistic 1) to download them; or a
            "notop" file of keras.applications.
        train: "all", "none", or the number of last blocks (of 11) to train. Batch norms in frozen blocks keep their
            statistics.
        alpha: width multiplier of every layer; D = 576 * alpha.
        minimalistic: 3 x 3 convolutions, ReLU and no squeeze-and-excitation: faster on DSPs, less accurate.
        pool: as in `conv2d`; None for one token per 32 x 32 pixels.

    Returns:
        keras.Model, `{name: (B, H, W, C) uint8[, name_mask: (B, 1) bool]}` -> tokens (B, T, D) and mask (B, T).

    Raises:
        ValueError: an argument is invalid, the image is too small, or the weights do not load.
        FileNotFoundError: the file of weights is not there.

    Source: Howard et al., arXiv 1905.02244, table 2; network and weights are those of keras.applications.
    """
    where = f"image.mobilenet of '{spec.name}'"
    check_pool(spec, pool, POOLS)
    ready = inputs(spec, "image")
    check_size(spec, 32, where)
    check_weights(where, weights, published=alpha == 1.0 or (alpha == 0.75 and not minimalistic))

    def build(weights):
        return keras.applications.MobileNetV3Small(
            (*spec.size, 3), alpha, minimalistic, include_top=False, weights=weights, include_preprocessing=False
        )

    present = ready.get(f"{spec.name}_mask")
    model = with_batch_norm(load_weights(where, build, weights), masked=present is not None)
    pixels = coloured(ready[spec.name])
    x = keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="rescaling")(pixels)
    x = through_backbone(model, train, x, present)
    return branch(spec, ready, *tokens(x, present, pool))
