"""How a camera was held: the EXIF orientation of JPEG files, read and undone in TensorFlow's own ops."""

import tensorflow as tf

from mmkeras.preprocess.headers import big, follow, length, little, peek, spells

_ENTRIES = 64  # of the first directory; cameras write about 10 to 40, sorted, and the orientation is among the first


def orientation(x, jpeg):
    """EXIF orientation of each file, 1 (upright) where it has none.

    Args:
        x: (B,) string, the files.
        jpeg: (B,) bool, which of them are JPEGs; the others are not looked at.

    Returns:
        (B,) int32 in 1..8.

    Source: CIPA DC-008 (Exif 2.32), 4.5.4 and 4.6.4; the file's segments are followed up to the first that is neither
    application data nor a comment. A batch without EXIF costs two to three short steps, whatever its size.
    """
    tiff = _find_tiff(x, jpeg)
    one = tf.ones_like(tiff, tf.int32)
    return tf.cond(tf.reduce_any(tiff > 0), lambda: tf.where(tiff > 0, _orientation_at(x, tiff), one), lambda: one)


def _find_tiff(x, jpeg):
    """Where the TIFF structure of the Exif segment begins, (B,) int64; 0 where there is none."""

    def step(at, active, tiff):
        head = peek(x, at, 10)
        marker = head[:, 1]
        goes_on = active & (head[:, 0] == 0xFF) & ((marker // 16 == 0xE) | (marker == 0xFE) | (marker == 0xFF))
        found = goes_on & (marker == 0xE1) & spells(head[:, 4:], b"Exif\0\0")
        size = tf.where(marker == 0xFF, tf.ones_like(at), 2 + big(head[:, 2:4]))  # FF FF: a fill byte
        return at + size, goes_on & ~found, tf.where(found, at + 10, tiff)

    # In most JPEGs a quantisation table comes first, or right after the 18 bytes of JFIF: nothing to follow there.
    head = peek(x, tf.zeros_like(length(x)), 22)
    jfif = spells(head[:, 2:], b"\xff\xe0\0\x10") & spells(head[:, 20:], b"\xff\xdb")
    none = tf.zeros_like(length(x))
    start = (none + 2, jpeg & ~jfif & ~spells(head[:, 2:], b"\xff\xdb"), none)
    return follow(step, start)[2]


def _orientation_at(x, tiff):
    """The value of tag 0x0112 in the first directory of the TIFF structure at `tiff`, (B,) int32; 1 without it."""
    head = peek(x, tiff, 8)
    is_little = spells(head, b"II")

    def number(data):
        return tf.where(tf.reshape(is_little, [-1] + [1] * (len(data.shape) - 2)), little(data), big(data))

    directory = tiff + number(head[:, 4:8])
    count = number(peek(x, directory, 2)[:, None])
    entries = tf.reshape(peek(x, directory + 2, 12 * _ENTRIES), [-1, _ENTRIES, 12])
    ours = (number(entries[:, :, 0:2]) == 0x0112) & (number(entries[:, :, 2:4]) == 3)
    ours &= tf.range(_ENTRIES, dtype=tf.int64) < count
    value = tf.reduce_max(tf.where(ours, number(entries[:, :, 8:10]), 0), axis=1)
    return tf.cast(tf.where((value >= 1) & (value <= 8), value, 1), tf.int32)


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
