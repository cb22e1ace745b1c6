"""Detects the formats of a batch of image files by their headers, and whether they can be decoded."""

from typing import NamedTuple

import tensorflow as tf

from mmkeras.preprocess import bmp, gif, jpeg, png
from mmkeras.preprocess.headers import big, first_true, length, peek, spells

ABSENT, JPEG, PNG, TRANSPARENT_PNG, GIF, BMP = range(6)  # same order as the branches of `DecodeImage`

_NEEDED = "a JPEG, PNG, GIF or BMP file is needed"
_FETCH = "Was it copied or downloaded whole? Leave it out, or fetch it again."
_MESSAGES = [
    (f"{_NEEDED}; nothing came.", "Give the file's bytes, or say optional=True in its spec: then b'' means absent."),
    (f"{_NEEDED}; this is WebP.", "Convert it, or name the file .webp: mmkeras.data reads it then."),
    (f"{_NEEDED}; this is a WAV sound.", "Are the keys of two modalities swapped?"),
    (f"{_NEEDED}; this looks like text.",
     "Give the file's bytes: not its path, not base64; or the keys of two modalities are swapped."),
    (f"{_NEEDED}.", "Convert it; or are the keys of two modalities swapped?"),
    ("this kind of BMP is not read: it has to be uncompressed, of 8, 24 or 32 bits.", "Save it as PNG."),
    ("this kind of JPEG is not read: it has to be of 8 bits per sample, in 1, 3 or 4 components.", "Save it as PNG."),
    ("the file is cut off: the mark of its end is missing.", _FETCH),
    ("the file is damaged: its header leads to no picture.", _FETCH),
    ("a picture may have max_pixels={} pixels at most.",
     "Make it smaller, or raise max_pixels in its spec: all its pixels are held in memory at once."),
    ("the JPEG is damaged: a part of it was overwritten with zeros.", _FETCH),
    ("the PNG is damaged: its transparency (the chunk tRNS) cannot be read.", _FETCH),
    ("the picture is damaged: its pixels cannot be decoded.", _FETCH),  # the last one: found by the decoder
]  # fmt: skip


class Looks(NamedTuple):
    """Contents of the headers of a batch of files, (B,) each.

    Args:
        kind: int32, ABSENT, JPEG, PNG, ...
        problem: int32, index in `messages`, counted from 1; 0 for no problem.
        height, width: int64, in pixels, before the EXIF orientation is applied.
        tiff: int64, offset of the EXIF data of a JPEG; 0 if there is none.
        start, end: int64, offsets of the start and end of the blocks of the first picture of a GIF.
    """

    kind: object
    problem: object
    height: object
    width: object
    tiff: object
    start: object
    end: object


def messages(max_pixels):
    """List of (rule, remedy), one for each problem."""
    return [(rule.format(max_pixels), remedy) for rule, remedy in _MESSAGES]


def look(x, optional, max_pixels):
    """Reads the headers of a batch of files (B,) string and returns `Looks`."""
    head = peek(x, tf.zeros_like(length(x)), bmp.HEAD)
    empty, riff = tf.equal(x, b""), spells(head, b"RIFF")
    is_jpeg, is_png = spells(head, b"\xff\xd8\xff"), spells(head, b"\x89PNG\r\n\x1a\n")
    is_gif, is_bmp = spells(head, b"GIF87a") | spells(head, b"GIF89a"), spells(head, b"BM")
    transparent, damaged = png.transparency(x, is_png, head)
    kind = first_true(is_jpeg, is_png & ~transparent, is_png, is_gif, is_bmp)
    unknown = tf.equal(kind, 0) & ~empty
    frame, tiff = jpeg.walk(x, is_jpeg)
    *jpeg_size, readable = jpeg.size(x, frame)
    start, end, gif_broken, *gif_size = _first_of_gif(x, is_gif)
    sizes = zip(jpeg_size, (big(head[:, 20:24]), big(head[:, 16:20])), gif_size, bmp.size(head), strict=True)
    height, width = (
        tf.where(is_jpeg, a, tf.where(is_png, b, tf.where(is_gif, c, tf.where(is_bmp, d, 1)))) for a, b, c, d in sizes
    )
    problem = first_true(
        empty & (not optional),
        riff & spells(head[:, 8:], b"WEBP"),
        riff & spells(head[:, 8:], b"WAVE"),
        unknown & is_text(head),
        unknown,
        is_bmp & ~bmp.is_plain(head),
        is_jpeg & (frame > 0) & ~readable,
        _cut_off(x, is_jpeg, is_png) | is_bmp & bmp.is_cut_off(x, head) | is_gif & gif_broken,
        (height == 0) | (width == 0) | is_jpeg & (frame == 0),
        tf.minimum(height, 2**31 - 1) * tf.minimum(width, 2**31 - 1) > max_pixels,
        jpeg.overwritten(x, frame),
        damaged,
    )
    return Looks(kind, problem, height, width, tiff, start, end)


def told_size(looks):
    """ ", 22000 x 22000 pixels", for the message, if the size is known; (B,) string."""
    parts = tf.strings.as_string(looks.height), tf.strings.as_string(looks.width)
    return tf.where(looks.kind == ABSENT, "", tf.strings.join([", ", parts[0], " x ", parts[1], " pixels (h x w)"]))


def _first_of_gif(x, is_gif):
    """Start and end of the first image, whether the file is damaged, height and width; (B,) each."""

    def walked():
        found = gif.blocks(x, is_gif)
        return found.start, found.first_end, found.broken, found.first_height, found.first_width

    none = tf.zeros_like(length(x))
    return tf.cond(tf.reduce_any(is_gif), walked, lambda: (none, none, is_gif, none, none))


def is_text(head):
    """Whether the first 8 bytes of each file are printable, (B,) bool."""
    data = head[:, :8]
    # Zeros lie beyond the end of a short file.
    printable = (data >= 32) & (data < 127) | (data >= 9) & (data <= 13) | (data == 0)
    return tf.reduce_all(printable, axis=1)


def _cut_off(x, jpeg, png):
    """Whether the end marker is missing. If it is not at the end of the file, the whole file is searched for it."""
    end = peek(x, length(x) - 8, 8)
    doubtful = (jpeg & ~spells(end[:, 6:], b"\xff\xd9")) | (png & ~spells(end, b"IEND"))

    def search():
        searched = tf.where(doubtful, x, b"")
        jpeg_ends, png_ends = (_contains(searched, mark) for mark in (b"\xff\xd9", b"IEND"))
        return doubtful & ~tf.where(jpeg, jpeg_ends, png_ends)

    return tf.cond(tf.reduce_any(doubtful), search, lambda: doubtful)


def _contains(x, mark):
    return tf.strings.split(x, mark).row_lengths() > 1
