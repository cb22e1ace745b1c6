"""Detects transparency in the headers of PNG files, in TensorFlow ops.

Source: the PNG specification, third edition (W3C), 5.5 (checksums), 11.3.1 (tRNS), 15 and annex D (the checksum).
"""

import functools
import zlib

import numpy as np
import tensorflow as tf

from mmkeras.preprocess.headers import big, follow, length, peek, spells

_LONGEST = 256  # bytes: one alpha value for each of the palette's 256 colours


def transparency(x, png, head):
    """Whether each PNG has an alpha channel or a tRNS chunk, and whether that chunk is damaged; (B,) bool both.

    TensorFlow's decoder ignores a damaged chunk, and then invents alpha values for samples of few bits.

    Args:
        x: (B,) string, the files.
        png: (B,) bool, which of them are PNGs; the others are skipped.
        head: (B, N) int64, their first bytes, 41 or more.
    """

    def step(at, active, found, colours):
        chunk = peek(x, at, 8)
        palette, here = active & spells(chunk[:, 4:], b"PLTE"), active & spells(chunk[:, 4:], b"tRNS")
        ends = here | spells(chunk[:, 4:], b"IDAT") | (at >= length(x))
        found, colours = tf.where(here, at, found), tf.where(palette, big(chunk[:, :4]) // 3, colours)
        return at + 12 + big(chunk[:, :4]), active & ~ends, found, colours

    alpha = head[:, 25] >= 4  # colour type: 0 grey, 2 RGB, 3 palette, 4 grey with alpha, 6 RGB with alpha
    none = tf.zeros_like(length(x))
    # tRNS comes before the first IDAT, and after the palette if there is one.
    start = (none + 33, png & ~alpha & ~spells(head[:, 37:], b"IDAT"), none, none)
    _, _, found, colours = follow(step, start)
    has = found > 0

    def damaged():
        return has & ~(_fits(x, found, head[:, 25], colours) & _checksum_holds(x, found))

    return png & alpha | has, tf.cond(tf.reduce_any(has), damaged, lambda: has)


def _fits(x, at, color, colours):
    """Whether this chunk has a valid length."""
    size = big(peek(x, at, 4))
    of_palette = (color == 3) & (size > 0) & (size <= tf.minimum(colours, _LONGEST))
    return (color == 0) & (size == 2) | (color == 2) & (size == 6) | of_palette


def _checksum_holds(x, at):
    """Whether the CRC-32 of this tRNS chunk is correct: the sum modulo 2 of the contributions of its bits."""
    size = tf.minimum(big(peek(x, at, 4)), _LONGEST)
    inverted = bytes(255 - byte for byte in b"tRNS")  # CRC-32 starts with a register of ones
    data = tf.strings.join([bytes(_LONGEST), inverted, tf.strings.substr(x, tf.minimum(at + 8, length(x)), size)])
    data = tf.strings.substr(data, tf.fill(tf.shape(data), -4 - _LONGEST), tf.fill(tf.shape(data), 4 + _LONGEST))
    bits = _bits(tf.io.decode_raw(data, tf.uint8, fixed_length=4 + _LONGEST))
    said = _bits(tf.cast(peek(x, at + 8 + size, 4), tf.uint8)[:, ::-1])
    return tf.reduce_all((bits @ _remainders() + said) % 2 == 1, axis=1)  # the CRC is stored inverted


def _bits(data):
    """(B, n) uint8 -> (B, 8n) float32, the lowest bit of each byte first."""
    bits = tf.bitwise.right_shift(data[..., None], tf.cast(tf.range(8), tf.uint8)) % 2
    return tf.cast(tf.reshape(bits, [-1, 8 * data.shape[1]]), tf.float32)


@functools.cache
def _remainders():
    """Contribution of each bit of 4 + 256 bytes to their checksum, (2080, 32) float32."""
    count = 4 + _LONGEST
    sums = [zlib.crc32(bytes([1 << bit]) + bytes(count - 1 - i), 2**32 - 1) for i in range(count) for bit in range(8)]
    return ((2**32 - 1 - np.array(sums))[:, None] >> np.arange(32) & 1).astype("float32")
