"""GIF files -> pixels, as `mmkeras.preprocess` and giflib decode them; Pillow only decompresses.

Source: CompuServe's GIF89a, appendix B (the grammar) and F (the compression).
"""

import io
import struct
from typing import NamedTuple

import numpy as np
from PIL import Image as Pillow


class Picture(NamedTuple):
    """One picture of a GIF as it lies in the file.

    Args:
        left, top, width, height: of it on the canvas.
        palette: bytes, red, green, blue of each colour.
        interlaced: whether its rows come in four passes.
        transparent: index of the colour that lets through what lies under it; None: there is none.
        data: bytes, its pixels' code and the size of that.
    """

    left: int
    top: int
    width: int
    height: int
    palette: bytes
    interlaced: bool
    transparent: int | None
    data: bytes


def pictures(value):
    """The canvas that a GIF file tells of, (height, width), and its pictures in order, as list of `Picture`.

    What lies behind the mark of its end does not count.

    Raises:
        ValueError: its blocks do not lead to the mark of its end: it is cut off or damaged.

    Example:

    >>> file = io.BytesIO()
    >>> Pillow.new("L", (3, 2)).save(file, "GIF")
    >>> canvas, found = pictures(file.getvalue() + b"behind")
    >>> canvas, [picture[:4] for picture in found]
    ((2, 3), [(0, 0, 3, 2)])
    """
    found, control = [], None
    width, height, flags = struct.unpack_from("<HHB", value[:13].ljust(13, b"\0"), 6)
    at = 13 + _colours(flags)
    shared = value[13:at]
    while (kind := value[at : at + 1]) != b";":
        if kind not in (b",", b"!"):
            raise ValueError("it is cut off or damaged: its blocks do not lead to the mark of its end")
        head, start = value[at : at + 10].ljust(10, b"\0"), at
        palette = at + 10 + _colours(head[9]) if kind == b"," else at + 1
        at = palette + 1
        while at < len(value) and value[at]:  # sub-blocks: a length byte, then that many bytes; length 0 ends the list
            at += 1 + value[at]
        at += 1
        if kind == b",":
            own = value[start + 10 : palette]
            found.append(_picture(head, own or shared, control, value[palette:at]))
            control = None
        elif head[1] == 0xF9 and control is None:
            control = value[start + 2 : start + 7]
    if not found:
        raise ValueError("it holds no picture")
    return (height, width), found


def canvas_of(canvas, found):
    """Height and width of the canvas: the largest of the file's screen size and these pictures' extents."""
    return max(canvas[0], *(each.height for each in found)), max(canvas[1], *(each.width for each in found))


def _colours(flags):
    """Length in bytes of the colour table that these flags declare."""
    return 3 << (flags % 8 + 1) if flags >= 128 else 0


def _picture(head, palette, control, data):
    left, top, width, height, flags = struct.unpack_from("<HHHHB", head, 1)
    transparent = control[4] if control and len(control) == 5 and control[0] == 4 and control[1] % 2 else None
    return Picture(left, top, width, height, palette, bool(flags & 64), transparent, data)


def laid(picture, canvas):
    """The canvas (h, w, 3) uint8 with the picture on it; what is beyond its edges is cut off.

    Raises:
        ValueError: the picture is damaged.
        OSError: the same, of Pillow.
    """
    indices = _indices(picture)[: max(0, len(canvas) - picture.top), : max(0, canvas.shape[1] - picture.left)]
    shown = indices != picture.transparent if picture.transparent is not None else np.ones(indices.shape, bool)
    palette = np.frombuffer(picture.palette, "uint8").reshape(-1, 3)
    if not len(palette) or indices[shown].max(initial=0) >= len(palette):
        raise ValueError("it is damaged: its palette has fewer colours than its pixels name")
    canvas = canvas.copy()
    part = canvas[picture.top : picture.top + len(indices), picture.left : picture.left + indices.shape[1]]
    part[shown] = palette[indices[shown]]
    return canvas


def _indices(picture):
    """(height, width) uint8, decoded as a separate file with a palette of 256 colours."""
    shape = struct.pack("<HH", picture.width, picture.height)
    flags = bytes([0x87 | 64 * picture.interlaced])
    file = b"GIF89a" + shape + bytes(3) + b"," + bytes(4) + shape + flags + bytes(768) + picture.data + b";"
    with Pillow.open(io.BytesIO(file), formats=["GIF"]) as opened:
        indices = np.asarray(opened)
    if indices.shape != (picture.height, picture.width):
        raise ValueError("it is damaged: a picture has no pixels")
    return indices
