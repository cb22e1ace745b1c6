"""Random changes of clips, equal for all frames of a clip."""

import tensorflow as tf

from mmkeras.augment.steps import Augmentation, check_range, check_spec, seeds
from mmkeras.specs import Video


def video(
    spec: Video,
    *,
    flip: bool = False,
    crop: float = 1.0,
    brightness: float = 0.0,
    contrast: float = 0.0,
    saturation: float = 0.0,
    backwards: float = 0.0,
) -> Augmentation:
    """Clips are changed in ways that keep what they show: each by itself, and all frames of a clip in the same way.

    Changed frame by frame, as by `augment.image`, things would jump about that do not move.

    Masking: frames that are not there, and absent clips, stay as they are.

    Args:
        spec: `mm.Video`.
        flip: whether clips are mirrored, left for right, in half of the cases.
        crop: smallest share of the area that is kept, drawn evenly from [crop, 1], of an aspect ratio between 3/4 and
            4/3, at one place for all frames, resized to the whole; 1 does not crop.
        brightness: largest share of the whole range that is added or taken.
        contrast: largest share by which the contrast changes, about the mean of the clip.
        saturation: largest share by which colours become stronger or paler, of clips that have colours.
        backwards: chance of a clip to be played from its last frame to its first; only where the direction of time says
            nothing.

    Returns:
        Function (ready, labels, seed) -> (ready, labels).

    Raises:
        TypeError: the spec of another modality.
        ValueError: an argument is outside its range.

    Example:

    >>> import mmkeras as mm
    >>> clip = np.zeros((1, 4, 6, 6, 3), "uint8")
    >>> clip[:, :, :, :3] = 200
    >>> ready = {"film": clip, "film_mask": np.array([[True, True, True, False]])}
    >>> step = video(mm.Video("film", frames=4, size=6), flip=True)
    >>> changed = [step(ready, {}, (0, i))[0]["film"].numpy()[0, :, 0, 0, 0].tolist() for i in range(6)]
    >>> sorted(set(map(tuple, changed)))
    [(0, 0, 0, 200), (200, 200, 200, 200)]

    Source: crop: Szegedy et al., arXiv 1409.4842, section 6; that all frames share what is drawn: Simonyan and
    Zisserman, arXiv 1406.2199, section 5.
    """
    check_spec(spec, "Video")
    shares = {"brightness": brightness, "contrast": contrast, "saturation": saturation, "backwards": backwards}
    check_range("video", 0, 1, flip=flip, **shares)
    check_range("video", 1e-3, 1, crop=crop)
    name, mask_name = spec.ready

    def apply(ready, labels, seed):
        frames, mask = tf.convert_to_tensor(ready[name]), tf.convert_to_tensor(ready[mask_name])
        by_flip, by_crop, by_light, by_contrast, by_colour, by_time = seeds(seed, 6)
        frames = _reversed(frames, mask, backwards, by_time) if backwards else frames
        x = tf.cast(frames, tf.float32)
        x = tf.where(_chance(x, 0.5, by_flip), tf.reverse(x, [3]), x) if flip else x
        x = _cropped(x, crop, by_crop) if crop < 1 else x
        x = x + 255.0 * _each(x, -brightness, brightness, by_light) if brightness else x
        x = _apart(x, _mean(x, mask), 1.0 + _each(x, -contrast, contrast, by_contrast)) if contrast else x
        if saturation and spec.channels == 3:
            x = _apart(x, tf.image.rgb_to_grayscale(x), 1.0 + _each(x, -saturation, saturation, by_colour))
        changed = tf.cast(tf.round(tf.clip_by_value(x, 0.0, 255.0)), frames.dtype)
        return ready | {name: tf.where(_wide(mask), changed, frames)}, labels

    return apply


def _wide(mask):
    return mask[:, :, None, None, None]


def _each(x, low, high, seed):
    """Draws one number per clip, (B, 1, 1, 1, 1)."""
    return tf.random.stateless_uniform([tf.shape(x)[0], 1, 1, 1, 1], seed, low, high)


def _chance(x, share, seed):
    return _each(x, 0.0, 1.0, seed) < share


def _apart(x, middle, factor):
    return middle + factor * (x - middle)


def _mean(x, mask):
    """Mean over the real frames of each clip."""
    real = tf.cast(_wide(mask), tf.float32)
    count = tf.reduce_sum(real, axis=1, keepdims=True)
    return tf.math.divide_no_nan(tf.reduce_sum(x * real, [1, 2, 3, 4], True), count * float(_size(x)))


def _size(x):
    return x.shape[2] * x.shape[3] * x.shape[4]


def _reversed(frames, mask, share, seed):
    """Reverses the order of the real frames, which come before the padding."""
    count = tf.reduce_sum(tf.cast(mask, tf.int32), axis=1)
    turned = tf.reverse_sequence(frames, count, seq_axis=1, batch_axis=0)
    return tf.where(_chance(frames, share, seed), turned, frames)


def _cropped(x, crop, seed):
    by_area, by_ratio, by_top, by_left = seeds(seed, 4)
    area, ratio, top, left = (
        tf.reshape(_each(x, *bounds, own), [-1])
        for bounds, own in (
            ((crop, 1.0), by_area),
            ((-1.0, 1.0), by_ratio),
            ((0.0, 1.0), by_top),
            ((0.0, 1.0), by_left),
        )
    )
    ratio = (4 / 3) ** ratio
    height, width = (tf.minimum(1.0, tf.sqrt(side)) for side in (area / ratio, area * ratio))
    top, left = top * (1 - height), left * (1 - width)
    frames = x.shape[1]
    boxes = tf.repeat(tf.stack([top, left, top + height, left + width], axis=1), frames, axis=0)
    folded = tf.reshape(x, [-1, *x.shape[2:]])
    cut = tf.image.crop_and_resize(folded, boxes, tf.range(tf.shape(folded)[0]), x.shape[2:4])
    return tf.reshape(cut, tf.shape(x))
