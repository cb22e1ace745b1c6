"""Uncompressed BMP files -> pixels, as `mmkeras.preprocess` reads them."""

import struct

import numpy as np

_MASKS = struct.pack("<III", 0xFF0000, 0xFF00, 0xFF)  # red, green, blue: the default for files without masks


def size(value):
    """Height and width that the header says.

    Raises:
        ValueError: it is cut off.

    Example:

    >>> size(b"BM" + bytes(16) + struct.pack("<ii", 4, -3) + bytes(28))
    (3, 4)
    """
    if len(value) < 54:
        raise ValueError("the file is cut off")
    width, height = struct.unpack_from("<Ii", value, 18)
    return abs(height), width


def decode(value):
    """RGB pixels (h, w, 3) uint8.

    Raises:
        ValueError: it is compressed, or does not have 8, 24 or 32 bits per pixel; or it is cut off.
    """
    height, width = size(value)
    start, header, bits, compression, count = struct.unpack_from("<10xII10xHI12xI", value)
    masks = compression == 3 and bits == 32 and value[54:66] == _MASKS
    if header < 40 or bits not in (8, 24, 32) or not (compression == 0 or masks):
        raise ValueError("a BMP has to be uncompressed, of 8, 24 or 32 bits")
    row = (width * bits + 31) // 32 * 4
    if start < 54 or start + height * row > len(value):
        raise ValueError("the file is cut off or damaged")
    rows = np.frombuffer(value, "uint8", height * row, start).reshape(height, row)
    rows = rows if struct.unpack_from("<i", value, 22)[0] < 0 else rows[::-1]
    if bits == 8:
        return _palette(value, 14 + header, count)[rows[:, :width]]
    return rows[:, : width * bits // 8].reshape(height, width, -1)[..., 2::-1]


def _palette(value, start, count):
    """(256, 3) uint8; colours that the file does not define are black."""
    colors = np.frombuffer(value[start : start + 1024].ljust(1024, b"\0"), "uint8").reshape(256, 4)[:, 2::-1].copy()
    colors[count or 256 :] = 0
    return colors
