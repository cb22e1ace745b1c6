"""Random changes of single images, by keras-cv."""

import importlib

import tensorflow as tf

from mmkeras.augment.steps import Augmentation, check_range, check_spec
from mmkeras.specs import Image

_FLIPS = {True: "horizontal", "horizontal": "horizontal", "vertical": "vertical", "both": "horizontal_and_vertical"}


def image(
    spec: Image,
    *,
    flip: bool | str = False,
    crop: float = 1.0,
    zoom: float = 0.0,
    shift: float = 0.0,
    rotate: float = 0.0,
    brightness: float = 0.0,
    contrast: float = 0.0,
    rand_augment: int = 0,
    magnitude: float = 0.5,
    cutout: float = 0.0,
    fill: str = "reflect",
) -> Augmentation:
    """Random transformations of pictures, each drawn separately, in the order of the arguments.

    Choose those that preserve the labels: a 6 must not be rotated upside down, nor text be mirrored.

    Masking: absent pictures stay unchanged.

    Args:
        spec: `mm.Image`.
        flip: True or "horizontal", "vertical", or "both": mirrored with probability 1/2.
        crop: smallest share of the area to keep, drawn uniformly from [crop, 1], with an aspect ratio between 3/4 and
            4/3, resized to the original size; 1 does not crop. 0.08 is usual for photographs of one object.
        zoom: largest relative change of size, smaller or larger.
        shift: largest translation, as a share of height and width.
        rotate: largest rotation in degrees, in both directions.
        brightness: largest change, as a share of the value range.
        contrast: largest relative change of contrast.
        rand_augment: number of RandAugment operations applied to each picture in sequence; 2 is usual.
        magnitude: their strength in [0, 1].
        cutout: largest side of the black rectangle, as a share of height and width.
        fill: how zoom, shift and rotate fill what is outside the picture: "reflect", "nearest", "wrap" or "constant"
            (black).

    Returns:
        Function (ready, labels, seed) -> (ready, labels).

    Example:

    >>> import mmkeras as mm
    >>> pixels = np.arange(2 * 8 * 8 * 3, dtype="uint8").reshape(2, 8, 8, 3)
    >>> augmented, _ = image(mm.Image("photo", size=8), flip=True, shift=0.1)({"photo": pixels}, {}, (0, 1))
    >>> augmented["photo"].dtype.name, augmented["photo"].shape
    ('uint8', TensorShape([2, 8, 8, 3]))

    Source: crop: Szegedy et al., arXiv 1409.4842, section 6; RandAugment: Cubuk et al., arXiv 1909.13719, with
    keras-cv's policy, which has no rotation, posterisation and sharpness; cutout: DeVries and Taylor, arXiv 1708.04552.
    """
    check_spec(spec, "Image")
    check_range("image", 0, 1, zoom=zoom, shift=shift, brightness=brightness, contrast=contrast, magnitude=magnitude,
                cutout=cutout)  # fmt: skip
    check_range("image", 0, 360, rotate=rotate)
    check_range("image", 1e-3, 1, crop=crop)
    if flip and flip not in _FLIPS:
        raise ValueError(f"flip of mm.augment.image is False or one of {list(_FLIPS)}. Received: {flip!r}.")
    cv = importlib.import_module("keras_cv").layers  # imported here because keras-cv takes seconds to import
    _allow_determinism()
    draws = importlib.import_module("mmkeras.augment._draws").Draws()
    layers = [
        cv.RandomFlip(_FLIPS[flip], seed=0) if flip else None,
        cv.RandomZoom(zoom, zoom, fill, seed=0) if zoom else None,
        cv.RandomTranslation(shift, shift, fill, seed=0) if shift else None,
        cv.RandomRotation(rotate / 360, fill, seed=0) if rotate else None,
        cv.RandomBrightness(brightness, seed=0) if brightness else None,
        cv.RandomContrast(value_range=(0, 255), factor=contrast, seed=0) if contrast else None,
    ]
    layers = [draws.drive(layer) for layer in layers if layer]
    policy = [draws.drive(layer) for layer in _policy(cv, spec, magnitude)] if rand_augment else []
    cut = [draws.drive(cv.RandomCutout(cutout, cutout, "constant", seed=0))] if cutout else []

    def change(pixels):
        pixels = _cropped(pixels, crop, draws) if crop < 1 else pixels
        for layer in layers:
            pixels = layer(pixels)
        for _ in range(rand_augment):
            pixels = _one_of(pixels, policy, draws)
        return cut[0](pixels) if cut else pixels

    def apply(ready, labels, seed):
        pixels = tf.ensure_shape(ready[spec.name], [None, *spec.size, spec.channels])
        with draws.seeded(seed):
            changed = tf.round(tf.clip_by_value(change(tf.cast(pixels, tf.float32)), 0.0, 255.0))
        changed = tf.ensure_shape(tf.cast(changed, pixels.dtype), pixels.shape)
        if spec.optional:
            present = tf.reshape(ready[f"{spec.name}_mask"], [-1, 1, 1, 1])
            changed = tf.where(present, changed, pixels)
        return ready | {spec.name: changed}, labels

    return apply


def _allow_determinism():
    try:
        # Some keras-cv layers request TensorFlow's global generator even if they are given a seed. It is not used here,
        # but creating it fails under op determinism, so create it with a fixed seed.
        tf.random.get_global_generator()
    except RuntimeError:
        tf.random.set_global_generator(tf.random.Generator.from_seed(0))


def _policy(cv, spec, magnitude):
    """keras-cv's ten RandAugment operations, without colour degeneration for greyscale images."""
    tf.get_logger().addFilter(_tells_of_more_than_loops)
    policy = cv.RandAugment.get_standard_policy((0, 255), magnitude, magnitude_stddev=0.15, seed=0)
    return [layer for layer in policy if spec.channels == 3 or not isinstance(layer, cv.RandomColorDegeneration)]


def _tells_of_more_than_loops(record):
    # keras-cv's equalization loops over the images and warns about it on every trace.
    return "HistogramFixedWidth" not in record.getMessage()


def _one_of(pixels, policy, draws):
    """Applies to each picture one operation of the policy, or none.

    `keras_cv.layers.RandAugment` maps its operations over the pictures in a loop, in which every iteration would draw
    the same numbers from a seed; here all pictures of one operation are processed together, which is also faster.
    """
    choice = draws.uniform([tf.shape(pixels)[0]], 0, len(policy) + 1, tf.int32)
    rows = tf.dynamic_partition(tf.range(tf.shape(pixels)[0]), choice, len(policy) + 1)
    parts = tf.dynamic_partition(pixels, choice, len(policy) + 1)
    # Equalization fails on an empty batch.
    changed = [
        tf.cond(tf.size(part) > 0, lambda layer=layer, part=part: layer(part), lambda part=part: part)
        for layer, part in zip(policy, parts, strict=False)
    ]
    return tf.ensure_shape(tf.dynamic_stitch(rows, [*changed, parts[-1]]), pixels.shape)


def _cropped(pixels, crop, draws):
    # `keras_cv.layers.RandomCropAndResize` also draws in a loop before it calls the same op.
    rows = tf.shape(pixels)[0]
    area, ratio = draws.uniform([rows], crop, 1.0), (4 / 3) ** draws.uniform([rows], -1.0, 1.0)
    height, width = (tf.minimum(1.0, tf.sqrt(side)) for side in (area / ratio, area * ratio))
    top, left = draws.uniform([rows]) * (1 - height), draws.uniform([rows]) * (1 - width)
    boxes = tf.stack([top, left, top + height, left + width], axis=1)
    return tf.image.crop_and_resize(pixels, boxes, tf.range(rows), pixels.shape[1:3])
