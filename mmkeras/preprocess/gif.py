"""Walks through the blocks of GIF files, a whole batch at once, in TensorFlow's own ops."""

import tensorflow as tf

from mmkeras.preprocess.headers import first_true, length, peek

_FULL = 64  # so many sub-blocks of 255 bytes are leapt over at once; encoders fill all but the last of a picture
_MOST = 65_535  # steps: a picture of 16 KB takes one, the extension before it another


def pictures(x, active):
    """How many pictures each file says it has: its image descriptors from the header to the trailer.

    `tf.io.decode_gif` gives what it got of a damaged file, and no error. What lies behind the trailer does not count.

    Args:
        x: (B,) string.
        active: (B,) bool, which of them are GIFs.

    Returns:
        (B,) int64; and whether the trailer is not reached, or there are none, (B,) bool.

    Source: CompuServe's GIF89a, appendix B: the grammar.
    """
    none = tf.zeros_like(length(x))
    start = 13 + _colours(peek(x, none + 10, 1)[:, 0])

    def step(at, active, within, count, broken):
        head = peek(x, tf.where(active, at, length(x)), 10)
        kind = tf.where(within, 0, first_true(head[:, 0] == 0x2C, head[:, 0] == 0x21, head[:, 0] == 0x3B, ~within))
        picture = active & (kind == 1)
        at += tf.where(kind == 1, 11 + _colours(head[:, 9]), tf.where(kind == 2, none + 2, none))
        broken |= active & (kind == 4)
        active &= (kind < 3) & ~broken
        at, ends = _over_sub_blocks(x, tf.where(active, at, length(x)))
        return at, active, active & ~ends, count + tf.cast(picture, tf.int64), broken

    def goes_on(at, active, *others):
        return tf.reduce_any(active)

    state = (start, active, tf.zeros_like(active), none, tf.zeros_like(active))
    steps = tf.while_loop(goes_on, step, state, parallel_iterations=1, maximum_iterations=_MOST)
    _, unfinished, _, count, broken = steps
    return count, broken | unfinished | active & (count == 0)


def _colours(flags):
    """Length of a table of colours in bytes."""
    return tf.where(flags >= 128, 3 * tf.bitwise.left_shift(tf.ones_like(flags), flags % 8 + 1), tf.zeros_like(flags))


def _over_sub_blocks(x, at):
    """The position behind the full sub-blocks that begin there and the one that is not; and whether that is the last.

    Past the end of the file all bytes are 0: the sub-blocks end there, and no block begins.
    """
    at = tf.minimum(at, length(x))
    part = tf.strings.substr(x, at, tf.fill(tf.shape(at), tf.constant(256 * _FULL + 256, tf.int64)))
    part = tf.io.decode_raw(part, tf.uint8, fixed_length=256 * _FULL + 256)
    sizes = part[:, : 256 * _FULL : 256]
    full = tf.reduce_sum(tf.math.cumprod(tf.cast(sizes == 255, tf.int64), axis=1), axis=1)
    last = tf.gather(part, full * 256, batch_dims=1)  # of what is left, its length; past 64 full ones, whatever it is
    behind = full * 256 + 1 + tf.cast(last, tf.int64)
    next_one = tf.gather(part, tf.minimum(behind, 256 * _FULL + 255), batch_dims=1)
    ends = (last == 0) | (next_one == 0) & (behind < 256 * _FULL + 256)
    return at + behind + tf.cast((last > 0) & ends, tf.int64), ends
