"""Which kind of picture each file of a batch is, by its header, and whether it can be read."""

import tensorflow as tf

from mmkeras.preprocess.headers import big, first_true, follow, length, little, peek, spells

ABSENT, JPEG, PNG, TRANSPARENT_PNG, GIF, BMP = range(6)  # DecodeImage's branches are in this order

_NEEDED = "a JPEG, PNG, GIF or BMP file is needed"
MESSAGES = [
    (f"{_NEEDED}; nothing came.", "Give the file's bytes, or say optional=True in its spec: then b'' means absent."),
    (f"{_NEEDED}; this is WebP.", "Convert it, or name the file .webp: mmkeras.data reads it then."),
    (f"{_NEEDED}; this is a WAV sound.", "Are the keys of two modalities swapped?"),
    (f"{_NEEDED}; this looks like text.",
     "Give the file's bytes: not its path, not base64; or the keys of two modalities are swapped."),
    (f"{_NEEDED}.", "Convert it; or are the keys of two modalities swapped?"),
    ("this kind of BMP is not read: it has to be uncompressed, of 8, 24 or 32 bits.", "Save it as PNG."),
    ("the file is cut off: the mark of its end is missing.",
     "Was it copied or downloaded whole? Leave it out, or fetch it again."),
]  # fmt: skip


def look(x, optional):
    """Kind of each file by its first bytes, and its problem (0: none); both (B,) int32."""
    head = peek(x, tf.zeros_like(length(x)), 41)
    empty, riff = tf.equal(x, b""), spells(head, b"RIFF")
    jpeg, png = spells(head, b"\xff\xd8\xff"), spells(head, b"\x89PNG\r\n\x1a\n")
    gif, bmp = spells(head, b"GIF8"), spells(head, b"BM")
    kind = first_true(jpeg, png & ~_transparent(x, png, head), png, gif, bmp)
    unknown = tf.equal(kind, 0) & ~empty
    problem = first_true(
        empty & (not optional),
        riff & spells(head[:, 8:], b"WEBP"),
        riff & spells(head[:, 8:], b"WAVE"),
        unknown & is_text(head),
        unknown,
        bmp & ~_plain_bmp(x),
        _cut_off(x, jpeg, png),
    )
    return kind, problem


def png_has_size(x, size):
    """Whether the header of each file says (height, width), if it is a PNG; (B,) bool."""
    head = peek(x, tf.zeros_like(length(x)), 24)
    return (big(head[:, 20:24]) == size[0]) & (big(head[:, 16:20]) == size[1])


def is_text(head):
    """Whether the first 8 bytes of each file are printable, (B,) bool."""
    data = head[:, :8]
    printable = (data >= 32) & (data < 127) | (data >= 9) & (data <= 13) | (data == 0)  # 0: past a short file's end
    return tf.reduce_all(printable, axis=1)


def _transparent(x, png, head):
    """Whether each PNG has an alpha channel, or the tRNS chunk: one of the few that may come before its first IDAT."""

    def step(at, active, found):
        chunk = peek(x, at, 8)
        here = active & spells(chunk[:, 4:], b"tRNS")
        ends = here | spells(chunk[:, 4:], b"IDAT") | (at >= length(x))
        return at + 12 + big(chunk[:, :4]), active & ~ends, found | here

    alpha = head[:, 25] >= 4  # the colour type: 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGB and alpha
    start = (tf.zeros_like(length(x)) + 33, png & ~alpha & ~spells(head[:, 37:], b"IDAT"), png & alpha)
    return follow(step, start)[2]


def _plain_bmp(x):
    head = peek(x, tf.zeros_like(length(x)), 34)
    bits, compression = little(head[:, 28:30]), little(head[:, 30:34])
    masks = (compression == 3) & (bits == 32)
    return (little(head[:, 14:18]) >= 40) & ((compression == 0) | masks) & ((bits == 8) | (bits == 24) | (bits == 32))


def _cut_off(x, jpeg, png):
    """Whether the mark of the file's end is missing. A file that has something else at its end is searched for it."""
    end = peek(x, length(x) - 8, 8)
    doubtful = (jpeg & ~spells(end[:, 6:], b"\xff\xd9")) | (png & ~spells(end, b"IEND"))

    def search():
        searched = tf.where(doubtful, x, b"")
        jpeg_ends, png_ends = (_contains(searched, mark) for mark in (b"\xff\xd9", b"IEND"))
        return doubtful & ~tf.where(jpeg, jpeg_ends, png_ends)

    return tf.cond(tf.reduce_any(doubtful), search, lambda: doubtful)


def _contains(x, mark):
    return tf.strings.split(x, mark).row_lengths() > 1
