"""Reads and undoes the EXIF orientation of JPEG files in TensorFlow ops."""

import tensorflow as tf

from mmkeras.preprocess.headers import big, little, peek, spells

# Entries read of the first directory; cameras write about 10 to 40, sorted by tag, and the orientation comes early.
_ENTRIES = 64


def orientation(x, tiff):
    """EXIF orientation of each file, 1 (upright) where it has none.

    Args:
        x: (B,) string, the files.
        tiff: (B,) int64, where the TIFF structure of the EXIF data begins, 0 where there is none (`jpeg.walk`).

    Returns:
        (B,) int32 in 1..8.

    Source: CIPA DC-008 (Exif 2.32), 4.5.4 and 4.6.4; TIFF 6.0, section 2.
    """
    one = tf.ones_like(tiff, tf.int32)
    return tf.cond(tf.reduce_any(tiff > 0), lambda: tf.where(tiff > 0, _orientation_at(x, tiff), one), lambda: one)


def _orientation_at(x, tiff):
    """Value of tag 0x0112 in the first directory of the TIFF structure at `tiff`, (B,) int32; 1 if missing."""
    head = peek(x, tiff, 8)
    is_little, is_big = spells(head, b"II*\0"), spells(head, b"MM\0*")

    def number(data):
        return tf.where(tf.reshape(is_little, [-1] + [1] * (len(data.shape) - 2)), little(data), big(data))

    directory = tiff + number(head[:, 4:8])
    count = number(peek(x, directory, 2)[:, None])
    entries = tf.reshape(peek(x, directory + 2, 12 * _ENTRIES), [-1, _ENTRIES, 12])
    ours = (number(entries[:, :, 0:2]) == 0x0112) & (number(entries[:, :, 2:4]) == 3)
    ours &= tf.range(_ENTRIES, dtype=tf.int64) < count
    value = tf.reduce_max(tf.where(ours, number(entries[:, :, 8:10]), 0), axis=1)
    return tf.cast(tf.where((value >= 1) & (value <= 8) & (is_little | is_big), value, 1), tf.int32)


def upright(pixels, orientation):
    """Turns one picture (H, W, C) the way it was seen; orientation is a scalar in 1..8.

    Example:

    >>> upright(tf.reshape(tf.range(6), [2, 3, 1]), 6)[:, :, 0].numpy().tolist()
    [[3, 0], [4, 1], [5, 2]]
    """

    def turn():
        turned = tf.cond(orientation >= 5, lambda: tf.transpose(pixels, [1, 0, 2]), lambda: pixels)
        mirrored = tf.reduce_any(tf.equal(orientation, [2, 3, 6, 7]))
        upside_down = tf.reduce_any(tf.equal(orientation, [3, 4, 7, 8]))
        return tf.reverse(turned, tf.boolean_mask([0, 1], tf.stack([upside_down, mirrored])))

    return tf.cond(tf.equal(orientation, 1), lambda: pixels, turn)
