"""Walks through the segments of a JPEG file, as `mmkeras.preprocess` and its decoder do: size, EXIF, damage."""

import re
import struct

# Next marker that is neither stuffing, nor a restart marker, nor a fill byte.
_NEXT = re.compile(rb"\xff[^\0\xd0-\xd7\xff]", re.DOTALL)
# In files with restart markers, decoders skip a reserved marker in a scan and go on at the next marker.
_NEXT_OF_RESTARTED = re.compile(rb"\xff[\xc0-\xcf\xd8-\xfe]")
_MOST_SEGMENTS = 256  # maximum number of segments and fill bytes before the frame header
# `mmkeras.preprocess.jpeg` explains these lengths.
_LONG, _LONG_IN_REFINEMENT = bytes(64), bytes(128)


def walk(value):
    """Height, width, EXIF orientation, and whether Adobe's segment tells of its colours.

    Raises:
        ValueError: the segments lead to no picture of 8 bits in 1, 3 or 4 components, or to no end; or a part of the
            pixels' data was overwritten.
    """
    tiff, at, adobe = 0, 2, False
    for _ in range(_MOST_SEGMENTS):
        if value[at : at + 1] != b"\xff" or at + 10 > len(value):
            break
        marker, size = value[at + 1], int.from_bytes(value[at + 2 : at + 4], "big")
        if marker in (0xC0, 0xC1, 0xC2):
            precision, height, width, components = struct.unpack_from(">BHHB", value, at + 4)
            if precision != 8 or components not in (1, 3, 4):
                raise ValueError("a JPEG has to be of 8 bits per sample, in 1, 3 or 4 components")
            return height, width, orientation(value, tiff) if tiff else 1, adobe
        if marker == 0xFF:
            at += 1
            continue
        if not (marker >> 4 == 0xE or marker in (0xFE, 0xDB, 0xC4, 0xDD)) or size < 2:
            break
        if marker == 0xE1 and value[at + 4 : at + 10] == b"Exif\0\0" and not tiff:
            tiff = at + 10
        adobe |= marker == 0xEE and size >= 14 and value[at + 4 : at + 9] == b"Adobe"
        at += 2 + size
    raise ValueError("the file is damaged: its header leads to no picture")


def check(value):
    """Raises ValueError where the scans do not lead to the mark of the file's end, or one was overwritten with zeros.

    A scan in which decoders find too few pixels, or too many, passes: neither of the two tells of that.
    """
    at, progressive, first, scans, restarts = 2, False, {}, 0, False
    while (at := _found(value, at)) is not None:
        marker, size = value[at + 1], int.from_bytes(value[at + 2 : at + 4], "big")
        if marker == 0xD9:
            if not scans:
                break
            return
        if marker == 0x01:
            at += 2
            continue
        progressive |= marker == 0xC2
        restarts = value[at + 4 : at + 6] != b"\0\0" if marker == 0xDD else restarts
        if marker == 0xC4:
            first |= dict(_tables(value[at + 4 : at + 2 + size]))
        if marker == 0xDA:
            scans += 1
            header, start = value[at + 4 : at + 2 + size], at + 2 + size
            at = _found(value, start, _NEXT_OF_RESTARTED if restarts else _NEXT) or len(value)
            _check_scan(header, value[start:at], first, progressive)
            continue
        at += 2 + size
    raise ValueError("the file is cut off or damaged: the mark of its end is missing")


def _found(value, at, pattern=_NEXT):
    mark = pattern.search(value, at)
    return mark.start() if mark else None


def _tables(segment):
    """Class and number of each Huffman table, and the value whose code is all zeros."""
    while len(segment) > 17:
        yield segment[0], segment[17]
        segment = segment[17 + sum(segment[1:17]) :]


def _check_scan(header, data, first, progressive):
    if len(header) < 4 or len(header) < 4 + 2 * header[0]:
        raise ValueError("the file is damaged: the header of a scan is cut off")
    count = header[0]
    spectral, approximation = header[1 + 2 * count], header[3 + 2 * count] >> 4
    tables = header[2 : 2 + 2 * count : 2]
    dc = all(first.get(table >> 4) == 0 for table in tables)
    ac = all(first.get(16 + table % 16) == 0 for table in tables)
    even = dc and ac
    if progressive:
        even = ac if spectral else dc or approximation > 0
    if not even and (_LONG_IN_REFINEMENT if progressive and approximation else _LONG) in data:
        raise ValueError("the JPEG is damaged: a part of it was overwritten with zeros")


def orientation(value, tiff):
    """What tag 0x0112 in the first directory of the TIFF structure there says, 1 ... 8; 1 (upright) without it.

    Example:

    >>> orientation(b"MM\\0*" + struct.pack(">IHHHIHH", 8, 1, 0x0112, 3, 1, 6, 0), 0)
    6
    """
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(value[tiff : tiff + 4])
    if order is None:
        return 1
    data = value[tiff:] + bytes(8)
    (directory,) = struct.unpack_from(order + "I", data, 4)
    entries = data[directory : directory + 2 + 12 * 64].ljust(2 + 12 * 64, b"\0")
    found = 0
    for i in range(min(64, *struct.unpack_from(order + "H", entries))):
        tag, kind, number = struct.unpack_from(order + "HH4xH", entries, 2 + 12 * i)
        if (tag, kind) == (0x0112, 3):
            found = max(found, number)
    return found if 1 <= found <= 8 else 1
