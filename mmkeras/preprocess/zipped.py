"""Splits a batch of ZIP files with stored (uncompressed) members, in TensorFlow's own ops."""

import tensorflow as tf

from mmkeras.preprocess.headers import first_true, length, little, peek, spells

MESSAGES = [
    ("the frames must be stored in the ZIP file, neither compressed nor encrypted, their sizes before them.",
     "Write it so (zip -0; zipfile.ZIP_STORED), or name the file .zip: mmkeras.data reads it then."),
    ("the ZIP file is cut off or damaged.", "Was it copied or downloaded whole? Leave it out, or fetch it again."),
    ("the ZIP file holds no frames.", "Put the frames into it, in their order; an absent video is b''."),
    ("the ZIP file has members in the ZIP64 format.", "Write it without (zip -fz-), or let mmkeras.data read it."),
    ("a member of the ZIP file is empty (0 bytes).", "Was the frame written whole? Leave it out, or write it again."),
    ("a frame in the ZIP file is damaged: its checksum is wrong.",
     "Was it copied or downloaded whole? Leave it out, or fetch it again."),
]  # fmt: skip
_MOST = 65_535  # the format's maximum number of members
_ZIP64 = 0xFFFFFFFF  # the size is stored in a ZIP64 field
_CUT_OFF, DAMAGED = 2, 6  # indices of messages, counted from 1


def members(x, active):
    """Where the members of each file lie, in the order in which they lie in it; folders do not count.

    Args:
        x: (B,) string.
        active: (B,) bool, which of them are ZIP files.

    Returns:
        starts, sizes in bytes and checksums, (B, M) int64; counts, (B,) int64: a row's first ones are real; and the
        number of each file's problem in `MESSAGES`, counted from 1, (B,) int32.

    Source: PKWARE's APPNOTE 6.3.10, 4.3.7: local headers are followed from the beginning to the central directory.
    """
    none = tf.zeros_like(length(x))

    def step(i, at, active, problem, starts, sizes, sums):
        head = peek(x, at, 30)
        member = active & spells(head, b"PK\3\4")
        start, size = at + 30 + little(head[:, 26:28]) + little(head[:, 28:30]), little(head[:, 18:22])
        slash = peek(x, at + 29 + little(head[:, 26:28]), 1)[:, 0] == 0x2F
        zip64, empty = member & (size == _ZIP64), member & (size == 0) & ~slash
        size = tf.where(member, size, 0)
        flags = little(head[:, 6:8])
        packed = member & ((flags % 2 == 1) | (flags // 8 % 2 == 1) | ((size > 0) & (little(head[:, 8:10]) != 0)))
        directory = spells(head, b"PK\1\2") | spells(head, b"PK\5\6")
        cut_off = active & tf.where(member, start + size > length(x), ~directory)
        problem = tf.where(problem == 0, _problem(packed, cut_off, zip64, empty), problem)
        member &= problem == 0
        sums = sums.write(i, little(head[:, 14:18]))
        return i + 1, start + size, member, problem, starts.write(i, start), sizes.write(i, size), sums

    def goes_on(i, at, active, *others):
        return tf.reduce_any(active) | (i == 0)

    arrays = [tf.TensorArray(tf.int64, 1, dynamic_size=True, element_shape=[None]) for _ in range(3)]
    state = (tf.constant(0), none, active, tf.cast(none, tf.int32), *arrays)
    state = tf.while_loop(goes_on, step, state, parallel_iterations=1, maximum_iterations=_MOST)
    too_many, problem = state[2], state[3]
    starts, sizes, sums = (tf.transpose(values.stack()) for values in state[4:])
    real_first = tf.argsort(tf.cast(sizes == 0, tf.int32), axis=1, stable=True)
    starts, sizes, sums = (tf.gather(values, real_first, batch_dims=1) for values in (starts, sizes, sums))
    counts = tf.math.count_nonzero(sizes, axis=1)
    problem = tf.where(too_many & (problem == 0), _CUT_OFF, problem)
    return starts, sizes, sums, counts, tf.where(active & (counts == 0) & (problem == 0), 3, problem)


def _problem(packed, cut_off, zip64, empty):
    """Number in `MESSAGES`; a file that seems truncated because its size is in a ZIP64 field is reported as ZIP64."""
    return tf.gather([0, 1, 4, 2, 5], first_true(packed, zip64, cut_off, empty))


def contents(x, starts, sizes):
    """The members at these positions: (B,) string and positions (B, F) int64 -> (B, F) string."""

    def one_of_each(where):
        return tf.strings.substr(x, *where)

    where = tf.transpose(starts), tf.transpose(sizes)
    parts = tf.map_fn(one_of_each, where, fn_output_signature=tf.TensorSpec([None], tf.string), parallel_iterations=1)
    return tf.transpose(parts)
