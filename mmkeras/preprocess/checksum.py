"""CRC-32, the checksum of ZIP files, in TensorFlow's own ops."""

import functools
import zlib

import numpy as np
import tensorflow as tf

_ROW = 64  # bytes that are looked up in parallel
# CRC-32 starts with a register of ones. Starting from zeros, these bytes lead to that state.
_ONES = b"\x62\xf5\x26\x92"


def crc32(file):
    """The checksum of a file, as `zlib.crc32` gives it.

    What each byte adds to the register depends on its value and its distance from the end only, and all of it is
    summed by XOR. So rows of 64 bytes are looked up and summed at once, then neighbours are joined, again and again:
    the first of two is shifted by the length of the second.

    Args:
        file: () string.

    Returns:
        () int64.

    Example:

    >>> int(crc32(tf.constant(b"123456789"))) == 0xCBF43926
    True

    Source: PKWARE's APPNOTE 6.3.10, 4.4.7, for the polynomial; zlib's crc32_combine, for joining.
    """
    of_rows, shifts = _tables()
    data = tf.cast(tf.io.decode_raw(tf.strings.join([_ONES, file]), tf.uint8), tf.int32)
    # Leading zeros do not change a register of zeros.
    data = tf.reshape(tf.pad(data, [[-tf.size(data) % _ROW, 0]]), [-1, _ROW])
    sums = tf.gather(tf.reshape(of_rows, [-1]), data + 256 * np.arange(_ROW))
    while sums.shape[1] > 1:
        half = sums.shape[1] // 2
        sums = tf.bitwise.bitwise_xor(sums[:, :half], sums[:, half:])

    def join(level, sums):
        sums = tf.reshape(tf.pad(sums, [[tf.size(sums) % 2, 0]]), [-1, 2])
        return level + 1, tf.bitwise.bitwise_xor(_shifted(sums[:, 0], tf.gather(shifts, level)), sums[:, 1])

    state = tf.constant(0), sums[:, 0]
    anything = tf.TensorShape([]), tf.TensorShape([None])
    register = tf.while_loop(lambda level, sums: tf.size(sums) > 1, join, state, anything, parallel_iterations=1)[1][0]
    return tf.cast(tf.bitwise.invert(register), tf.int64) % 2**32


def _shifted(registers, table):
    parts = [
        tf.gather(table[i], tf.bitwise.bitwise_and(tf.bitwise.right_shift(registers, 8 * i), 255)) for i in range(4)
    ]
    return functools.reduce(tf.bitwise.bitwise_xor, parts)


@functools.cache
def _tables():
    """What a byte adds by its place in a row (64, 256); and registers after 64, 128, ... zeros by each of their 4
    bytes (24, 4, 256). int32, of which only the bits count."""
    byte = np.array([zlib.crc32(bytes([value]), 0xFFFFFFFF) ^ 0xFFFFFFFF for value in range(256)], "uint32")
    rows = [byte]
    while len(rows) < _ROW:
        rows.insert(0, byte[rows[0] & 255] ^ rows[0] >> 8)
    shift = np.arange(256, dtype="uint32") << 8 * np.arange(4, dtype="uint32")[:, None]
    for _ in range(_ROW):
        shift = byte[shift & 255] ^ shift >> 8
    shifts = [shift]
    while len(shifts) < 24:  # 24 joins are enough for files of 1 GiB
        last = shifts[-1]
        shifts.append(functools.reduce(np.bitwise_xor, [last[i][last >> 8 * i & 255] for i in range(4)]))
    return np.array(rows).view("int32"), np.array(shifts).view("int32")
