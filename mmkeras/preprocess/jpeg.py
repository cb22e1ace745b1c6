"""Parses the segments of JPEG files in TensorFlow ops: image size, EXIF data, overwritten parts.

Source: ITU-T T.81, B.1 and B.2 (segments and markers), C.2 (Huffman codes), G.1 (progressive scans).
"""

import tensorflow as tf

from mmkeras.preprocess.headers import big, follow, length, peek, spells

# Longest accepted runs of zero bytes. The longest run in the scans of 1,141 real JPEGs is 4. In a refinement scan, an
# encoder may write up to 937 correction bits in a row (libjpeg, jcphuff.c), all of which may be 0: 117 bytes.
_LONG, _LONG_IN_REFINEMENT = 64, 128
_MOST = 4096  # steps; each skips one segment or table


def walk(x, jpeg):
    """Finds the frame header (SOF0, 1 or 2) and the EXIF data of each file.

    Args:
        x: (B,) string, the files.
        jpeg: (B,) bool, which of them are JPEGs; the others are skipped.

    Returns:
        Two (B,) int64: the offset of the marker of the frame header, 0 if the segments do not lead to one; and the
        offset of the TIFF structure of the first Exif segment, 0 if there is none.
    """

    def step(at, active, frame, tiff):
        head = peek(x, at, 10)
        marker, size = head[:, 1], big(head[:, 2:4])
        active &= head[:, 0] == 0xFF
        fill = active & (marker == 0xFF)
        found = active & ((marker >= 0xC0) & (marker <= 0xC2))
        # Application data, comments, quantisation and Huffman tables, restart interval.
        other = (marker // 16 == 0xE) | (marker == 0xFE) | (marker == 0xDB) | (marker == 0xC4) | (marker == 0xDD)
        skipped = active & other & (size >= 2)
        exif = skipped & (marker == 0xE1) & spells(head[:, 4:], b"Exif\0\0") & (tiff == 0)
        frame, tiff = tf.where(found, at, frame), tf.where(exif, at + 10, tiff)
        return at + tf.where(fill, tf.ones_like(at), 2 + size), fill | skipped, frame, tiff

    # Most files start with a JFIF segment of 18 bytes and two quantisation tables of 67 bytes: skip them in one step.
    head = peek(x, tf.zeros_like(length(x)), 162)
    usual = jpeg & spells(head[:, 2:], b"\xff\xe0\0\x10")
    for at in (20, 89):
        usual &= spells(head[:, at:], b"\xff\xdb\0\x43")
    there = usual & spells(head[:, 158:], b"\xff\xc0")
    none = tf.zeros_like(length(x))
    start = tf.where(usual, none + 158, none + 2)
    _, _, frame, tiff = follow(step, (start, jpeg & ~there, tf.where(there, none + 158, none), none))
    return frame, tiff


def size(x, frame):
    """Height and width, (B,) int64 each, that the frame headers there say; and whether they can be read, (B,) bool.

    They can with 8 bits per sample, in 1 (grey), 3 or 4 (CMYK) components.
    """
    head = peek(x, frame, 10)
    readable = (head[:, 4] == 8) & ((head[:, 9] == 1) | (head[:, 9] == 3) | (head[:, 9] == 4))
    return big(head[:, 5:7]), big(head[:, 7:9]), readable


def overwritten(x, frame):
    """Whether a part of the pixels' data of each file was overwritten with zeros, (B,) bool.

    Decoders take zeros for pixels. But in a scan a long run of zeros means something only where a code of zeros stands
    for "no difference" in each of its Huffman tables, which some encoders write in large even areas; elsewhere, as
    with the tables of T.81, annex K, no encoder writes it. EXIF data, which may hold zeros, comes before the frame.

    Args:
        x: (B,) string, the files.
        frame: (B,) int64, where their frame headers are; 0 where there is none.
    """
    pixels = tf.strings.substr(x, frame, tf.where(frame > 0, length(x), 0))
    doubtful = tf.strings.split(pixels, bytes(_LONG)).row_lengths() > 1

    def look():
        one = tf.TensorSpec((), tf.bool)
        return tf.map_fn(_is_overwritten, tf.where(doubtful, x, b""), fn_output_signature=one, parallel_iterations=1)

    return tf.cond(tf.reduce_any(doubtful), look, lambda: doubtful)


def _is_overwritten(file):
    """The same for one file, () bool: follows its segments from the first one to the end marker."""
    whole = tf.strings.length(file)
    data = tf.pad(tf.cast(tf.io.decode_raw(file, tf.uint8), tf.int32), [[0, 32]])
    ones, after = data[:-1] == 0xFF, data[1:]
    marks = tf.cast(tf.where(ones & (after > 0) & (after < 0xFF) & (after // 8 != 0xD0 // 8))[:, 0], tf.int32)
    zeros = tf.concat([[0], tf.cumsum(tf.cast(data == 0, tf.int32))], 0)

    def step(at, tables, first, progressive, found):
        head = data[at : at + 20]
        marker, size = head[1], head[2] * 256 + head[3]
        is_table, table_size = tables > 0, 17 + tf.reduce_sum(head[1:17])
        slot = head[0] // 16 * 4 + head[0] % 16
        first = tf.where(is_table & (tf.range(8) == slot), head[17], first)
        even, long = _evenness(head, first, progressive)
        end = tf.reduce_min(tf.where(marks >= at + 2 + size, marks, whole))
        scan = ~is_table & (marker == 0xDA)
        counts = zeros[tf.minimum(at + 2 + size, end) : end + 1]
        found |= scan & ~even & tf.reduce_any(counts[long:] - counts[: tf.maximum(0, tf.size(counts) - long)] == long)
        progressive |= ~is_table & (marker == 0xC2)
        behind = tf.where(scan, end, tf.where(marker == 0xC4, at + 4, at + 2 + size))
        behind = tf.where(marker == 0xFF, at + 1, behind)
        begun = tf.where(~is_table & (marker == 0xC4), size - 2, 0)
        return tf.where(is_table, at + table_size, behind), tf.where(is_table, tables - table_size, begun), first, \
            progressive, found  # fmt: skip

    def goes_on(at, tables, first, progressive, found):
        here = data[tf.minimum(at, whole)], data[tf.minimum(at + 1, whole)]
        return (at < whole) & ~found & ((tables > 0) | ((here[0] == 0xFF) & (here[1] != 0xD9)))

    state = tf.constant(2), tf.constant(0), tf.fill([8], -1), tf.constant(False), tf.constant(False)
    return tf.while_loop(goes_on, step, state, parallel_iterations=1, maximum_iterations=_MOST)[-1]


def _evenness(head, first, progressive):
    """Whether zeros in the scan of this header encode uniform areas, and the longest run of zeros accepted otherwise.

    Args:
        head: (20,) int32, the header of the scan.
        first: (8,) int32, the value whose code is all zeros, in each of the 4 DC and the 4 AC tables.
        progressive: () bool.
    """
    count = tf.minimum(head[4], 4)
    tables, real = head[6:14:2], tf.range(4) < count
    spectral, approximation = head[5 + 2 * count], head[7 + 2 * count] // 16
    dc = tf.gather(first, tables // 16 % 4) == 0
    ac = tf.gather(first, 4 + tables % 4) == 0
    even = tf.where(progressive, tf.where(spectral == 0, dc | (approximation > 0), ac), dc & ac)
    long = tf.where(progressive & (approximation > 0), _LONG_IN_REFINEMENT, _LONG)
    return tf.reduce_all(even | ~real), long
