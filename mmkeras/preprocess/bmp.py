"""Uncompressed BMP files -> pixels, in TensorFlow's own ops.

`tf.io.decode_bmp` returns palette indices as if they were grey values, and an alpha channel that is often all 0.
"""

import tensorflow as tf

from mmkeras.preprocess.headers import length, little, peek

HEAD = 66  # bytes: the file header, the image header, and the masks that may follow
_MASKS = (0, 0, 255, 0, 0, 255, 0, 0, 255, 0, 0, 0)  # red, green, blue: the default for files without masks


def size(head):
    """Height and width of each file from its first bytes (B, HEAD), (B,) int64 each."""
    return tf.abs(_height(head)), little(head[:, 18:22])


def is_plain(head):
    """Whether each file has a supported format, uncompressed with 8, 24 or 32 bits per pixel, (B,) bool."""
    bits, compression = _bits(head), little(head[:, 30:34])
    masks = (compression == 3) & (bits == 32) & tf.reduce_all(head[:, 54:66] == _MASKS, axis=1)
    known = (bits == 8) | (bits == 24) | (bits == 32)
    return (little(head[:, 14:18]) >= 40) & known & ((compression == 0) | masks)


def is_cut_off(x, head):
    """Whether each file is shorter than its header says, or its rows would start within the header, (B,) bool."""
    (height, width), start = size(head), _start(head)
    few = tf.minimum(height, 2**31 - 1) * _row(head, tf.minimum(width, 2**31 - 1))
    return (start < 54) | (start + few > length(x))


def decode(file):
    """RGB pixels (h, w, 3) uint8 of one file for which `is_plain` and not `is_cut_off`."""
    head = peek(file[None], tf.zeros([1], tf.int64), HEAD)
    (height, width), row = (n[0] for n in size(head)), _row(head, little(head[:, 18:22]))[0]
    rows = tf.io.decode_raw(tf.strings.substr(file, _start(head)[0], height * row), tf.uint8)
    rows = tf.reshape(rows, [height, row])
    rows = tf.cond(_height(head)[0] > 0, lambda: rows[::-1], lambda: rows)

    def colors():
        return tf.gather(_palette(file[None], head), tf.cast(rows[:, :width], tf.int32))

    def plain():
        channels = _bits(head)[0] // 8
        return tf.reshape(rows[:, : width * channels], [height, width, channels])[..., 2::-1]

    return tf.ensure_shape(tf.cond(_bits(head)[0] == 8, colors, plain), [None, None, 3])


def _palette(x, head):
    """(256, 3) uint8: entries of blue, green, red, 0 after the header; colours not in the file are black."""
    count = little(head[:, 46:50])[0]
    palette = tf.reshape(peek(x, 14 + little(head[:, 14:18]), 1024), [256, 4])[:, 2::-1]
    has = (tf.range(256, dtype=tf.int64) < tf.where(count == 0, tf.constant(256, tf.int64), count))[:, None]
    return tf.cast(tf.where(has, palette, 0), tf.uint8)


def _start(head):
    return little(head[:, 10:14])


def _bits(head):
    return little(head[:, 28:30])


def _height(head):
    """Height; negative if the rows are stored from top to bottom."""
    height = little(head[:, 22:26])
    return tf.where(height >= 2**31, height - 2**32, height)


def _row(head, width):
    """Bytes per row, a multiple of 4."""
    return (width * _bits(head) + 31) // 32 * 4
