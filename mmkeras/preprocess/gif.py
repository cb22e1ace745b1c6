"""Parses the blocks of a batch of GIF files and decodes them, in TensorFlow ops.

Source: CompuServe's GIF89a, appendix B (the grammar) and F (the compression).
"""

import functools
from typing import NamedTuple

import tensorflow as tf

from mmkeras.preprocess.headers import first_true, length, little, peek

_FULL = 64  # sub-blocks of 255 bytes skipped in one step; encoders fill all but the last one of an image
_MOST = 65_535  # steps: an image of 16 KB takes one, and so does the extension before it


class Blocks(NamedTuple):
    """Contents of the blocks of each file; positions and counts are (B,) int64, `broken` is (B,) bool.

    Args:
        start: offset of the first block.
        first_end: offset of the end of the first picture.
        end: offset of the trailer.
        count: number of image descriptors.
        height, width: of the canvas: the maximum over the header and all pictures.
        first_height, first_width: the same for the header and the first picture only.
        broken: whether the blocks do not end with a trailer, or contain no picture.
    """

    start: object
    first_end: object
    end: object
    count: object
    height: object
    width: object
    first_height: object
    first_width: object
    broken: object


def blocks(x, active):
    """Parses the blocks from the header to the trailer; data after the trailer is ignored.

    Args:
        x: (B,) string.
        active: (B,) bool, which of them are GIFs.

    Returns:
        Blocks.
    """
    none = tf.zeros_like(length(x))
    head = peek(x, none, 11)
    start = 13 + _colours(head[:, 10])
    screen = tf.stack([little(head[:, 8:10]), little(head[:, 6:8])], 1)

    def step(at, active, within, count, broken, largest, first, first_end):
        head = peek(x, tf.where(active, at, length(x)), 10)
        kind = tf.where(within, 0, first_true(head[:, 0] == 0x2C, head[:, 0] == 0x21, head[:, 0] == 0x3B, ~within))
        picture = active & (kind == 1)
        count += tf.cast(picture, tf.int64)
        shape = tf.where(picture[:, None], tf.stack([little(head[:, 7:9]), little(head[:, 5:7])], 1), 0)
        largest = tf.maximum(largest, shape)
        first = tf.where((picture & (count == 1))[:, None], largest, first)
        next_at = at + tf.where(kind == 1, 11 + _colours(head[:, 9]), tf.where(kind == 2, none + 2, none))
        broken |= active & (kind == 4)
        active &= (kind < 3) & ~broken
        next_at, ends = _over_sub_blocks(x, tf.where(active, next_at, length(x)))
        at = tf.where(active, next_at, at)
        first_end = tf.where(active & ends & (count == 1) & (first_end == 0), at, first_end)
        return at, active, active & ~ends, count, broken, largest, first, first_end

    def goes_on(at, active, *others):
        return tf.reduce_any(active)

    no = tf.zeros_like(active)
    state = (start, active, no, none, no, screen, screen, none)
    steps = tf.while_loop(goes_on, step, state, parallel_iterations=1, maximum_iterations=_MOST)
    end, unfinished, _, count, broken, largest, first, first_end = steps
    broken |= unfinished | active & (count == 0)
    return Blocks(start, first_end, end, count, *tf.unstack(largest, axis=1), *tf.unstack(first, axis=1), broken)


def _colours(flags):
    """Size of a colour table in bytes."""
    return tf.where(flags >= 128, 3 * tf.bitwise.left_shift(tf.ones_like(flags), flags % 8 + 1), tf.zeros_like(flags))


def _over_sub_blocks(x, at):
    """Skips full sub-blocks and the following partial one; also returns whether that was the last one.

    Bytes past the end of the file are 0, which ends the sub-blocks there, and starts no block.
    """
    at = tf.minimum(at, length(x))
    part = tf.strings.substr(x, at, tf.fill(tf.shape(at), tf.constant(256 * _FULL + 256, tf.int64)))
    part = tf.io.decode_raw(part, tf.uint8, fixed_length=256 * _FULL + 256)
    sizes = part[:, : 256 * _FULL : 256]
    full = tf.reduce_sum(tf.math.cumprod(tf.cast(sizes == 255, tf.int64), axis=1), axis=1)
    # Length of the next sub-block, which may be full after 64 full ones.
    last = tf.gather(part, full * 256, batch_dims=1)
    behind = full * 256 + 1 + tf.cast(last, tf.int64)
    next_one = tf.gather(part, tf.minimum(behind, 256 * _FULL + 255), batch_dims=1)
    ends = (last == 0) | (next_one == 0) & (behind < 256 * _FULL + 256)
    return at + behind + tf.cast((last > 0) & ends, tf.int64), ends


def decode(file, start, end, count, height, width, most):
    """Decodes the pictures of one file, each drawn over the previous ones, the first over white.

    `tf.io.decode_gif` renders transparent pixels of the first picture black, and returns the readable part of a damaged
    file without an error. Therefore a white picture is inserted before the others, and a picture of one pixel after
    them, which is missing from the result if one before it is damaged.

    Args:
        file: () string.
        start, end: () int64, start and end of the blocks of the pictures, from `blocks`.
        count: () int64, number of pictures.
        height, width: () int64, of the canvas, from `blocks`.
        most: maximum number of pixels of a canvas, an int.

    Returns:
        Pixels (N, h, w, 3) uint8; and the number of pictures that could be decoded, () int64.
    """
    shape = tf.stack([width % 256, width // 256, height % 256, height // 256])
    shape = tf.strings.reduce_join(tf.gather([bytes([i]) for i in range(256)], shape))
    white = [b"\x2c\0\0\0\0", shape, b"\x80" + b"\xff" * 6, _even(most)]
    before = tf.strings.substr(file, tf.zeros_like(start), start)
    parts = [before, *white, tf.strings.substr(file, start, end - start), _LAST]
    frames = tf.io.decode_gif(tf.strings.join(parts))
    found = tf.shape(frames, tf.int64)[0]
    return frames[1 : 1 + count], tf.where(found == count + 2, count, tf.minimum(found, count) - 1)


@functools.cache
def _even(pixels):
    """LZW data of an image of colour 0 with at most this many pixels; decoders ignore the rest."""
    codes, found, code = [], 0, 4096
    while found < pixels:
        if code > 4094:  # the code table is full, or there is none yet
            codes += [(4, 12 if codes else 3), (0, 3)]  # emit a clear code, then one pixel
            found, code = found + 1, 6
        codes.append((code, code.bit_length()))  # encodes one pixel more than the previous code
        found, code = found + code - 4, code + 1
    bits = "".join(format(code, f"0{size}b")[::-1] for code, size in codes)[::-1]
    data = int(bits, 2).to_bytes(len(bits) // 8 + 1, "little")
    parts = [data[i : i + 255] for i in range(0, len(data), 255)]
    return b"\2" + b"".join(bytes([len(part)]) + part for part in parts) + b"\0"


# An image of one pixel, and the trailer.
_LAST = b"\x2c\0\0\0\0\1\0\1\0\x80" + bytes(6) + b"\2\2\x44\1\0" + b"\x3b"
