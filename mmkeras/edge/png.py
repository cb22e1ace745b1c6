"""PNG files -> pixels, as TensorFlow's decoder (libpng) reads them; Pillow only decompresses and unfilters.

Pillow passes over wrong checksums, and reads chunks that do not matter here.

Source: the PNG specification, third edition (W3C), 5 (chunks), 11.3.1 (tRNS), 13.12 (samples of fewer bits).
"""

import io
import struct
import zlib

import numpy as np
from PIL import Image as Pillow

_BITS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_PASSES = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
_FURTHER = 1024  # bytes that libpng decompresses after the last row
_WIDEST = 1_000_000  # libpng's limit for width and height
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def size(value):
    """Height and width by the header.

    Example:

    >>> size(_SIGNATURE + b"\\0\\0\\0\\rIHDR" + struct.pack(">II", 3, 4))
    (4, 3)
    """
    width, height = struct.unpack(">II", value[16:24].ljust(8, b"\0"))
    return height, width


def decode(value):
    """RGB pixels (h, w, 3) uint8, transparency over white.

    Raises:
        ValueError: it is cut off, or a checksum or a chunk is wrong.
    """
    header, palette, alphas, data = _needed(_chunks(value))
    bits, color, *methods = header[8:]
    if bits not in _BITS.get(color, ()) or methods[:2] != [0, 0] or methods[2] > 1:
        raise ValueError("its header is damaged")
    if max(size(value)) > _WIDEST:
        raise ValueError(f"it is higher or wider than {_WIDEST} pixels")
    samples = _samples(header, data)
    if color == 3:
        return _over_white(_with_alpha(palette, alphas)[samples])
    return _over_white(_rgba(samples, bits, _transparent(header, data, samples, alphas) if alphas else None))


def _chunks(value):
    """(name, data) of each chunk up to IEND, without ancillary chunks that have a wrong checksum."""
    at = 8
    while at + 12 <= len(value):
        length, name = struct.unpack_from(">I4s", value, at)
        if not name.isalpha() or not name.isascii() or length > len(value) - at - 12:
            break
        data, (checksum,) = value[at + 8 : at + 8 + length], struct.unpack_from(">I", value, at + 8 + length)
        right = zlib.crc32(data, zlib.crc32(name)) == checksum
        if not right and (name[:1].isupper() or name == b"tRNS"):
            raise ValueError(f"the checksum of its chunk {name.decode()} is wrong")
        if right:
            yield name, data
        if name == b"IEND":
            return
        at += 12 + length
    raise ValueError("it is cut off or damaged: its chunks do not lead to its end")


def _needed(chunks):
    """Contents of the header, the palette, tRNS (b"" if missing) and the compressed pixels."""
    header, palette, alphas, data, closed = b"", b"", b"", [], False
    for name, content in chunks:
        if not header and (name != b"IHDR" or len(content) != 13):
            raise ValueError("its header is missing")
        if name == b"IHDR":
            if header:
                raise ValueError("it has two headers")
            header = content
        elif name == b"PLTE":
            palette = _palette(header, palette, content, data)
        elif name == b"tRNS" and not alphas and not data and header[9] in (0, 2, 3):
            alphas = _alphas(header, palette, content)
        elif name == b"IDAT":
            data += [] if closed else [content]
        elif name[:1].isupper() and name != b"IEND":
            raise ValueError(f"its chunk {name.decode()} is not known")
        closed |= bool(data) and name != b"IDAT"
    if header[9] == 3 and not palette:
        raise ValueError("its palette is missing")
    return header, palette, alphas, b"".join(data)


def _palette(header, palette, content, data):
    if header[9] != 3:
        return palette
    if palette or data or not content or len(content) % 3 or len(content) > 768:
        raise ValueError("its palette is damaged")
    return content[: 3 * 2 ** header[8]]


def _alphas(header, palette, content):
    lengths = {0: (2,), 2: (6,), 3: range(1, len(palette) // 3 + 1)}
    if len(content) not in lengths[header[9]]:
        raise ValueError("its transparency (the chunk tRNS) is damaged")
    return content


def _samples(header, data, mode=None):
    """Samples as decoded by Pillow: palette indices or grey (h, w), or (h, w, 3 or 4); 16 bits for grey only.

    Args:
        mode: Pillow's raw mode, if not the default one.
    """
    data = zlib.compress(_rows(header, data), 0)
    parts = [(b"IHDR", header), (b"PLTE", bytes(768)), (b"IDAT", data), (b"IEND", b"")]
    parts = [part for part in parts if part[0] != b"PLTE" or header[9] == 3]
    file = _SIGNATURE + b"".join(_chunk(*part) for part in parts)
    with Pillow.open(io.BytesIO(file), formats=["PNG"]) as picture:
        if mode:
            picture.tile = [tile._replace(args=mode) for tile in picture.tile]
        return np.asarray(picture)


def _rows(header, data):
    """The filtered rows; Pillow stops silently if there are too few."""
    width, height, bits, color, *_, interlaced = struct.unpack(">IIBBBBB", header)
    bits *= {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[color]
    sizes = [(len(range(x, width, right)), len(range(y, height, down)))
             for x, y, right, down in (_PASSES if interlaced else [(0, 0, 1, 1)])]  # fmt: skip
    size = sum(high * (1 + (across * bits + 7) // 8) for across, high in sizes if across)
    stream = zlib.decompressobj()
    rows = stream.decompress(data, size)
    if len(rows) < size or not _ends(stream):
        raise ValueError("it is cut off or damaged: rows are missing")
    return rows


def _ends(stream):
    """Whether the compressed data are complete; libpng accepts additional rows and a wrong checksum."""
    try:
        return len(stream.decompress(stream.unconsumed_tail, _FURTHER)) == _FURTHER or stream.eof
    except zlib.error:
        return True


def _chunk(name, content):
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(content, zlib.crc32(name)))


def _transparent(header, data, samples, alphas):
    """Mask (h, w) of the pixels with the single colour that tRNS makes transparent."""
    bits, color = header[8:10]
    keys = np.frombuffer(alphas, ">u2").astype("int32") & (2**bits - 1)
    if bits < 8:  # Pillow scales these samples to 0..255
        keys = keys * (255 // (2**bits - 1))
        samples = samples.astype("uint8") * 255 if bits == 1 else samples
    if color == 2 and bits == 16:  # Pillow returns the high bytes only; reading as little endian gives the low ones
        samples = samples.astype("int32") << 8 | _samples(header, data, "RGB;16L")
    return (samples.reshape(*samples.shape[:2], -1) == keys).all(-1)


def _with_alpha(palette, alphas):
    """(256, 4) uint8; colours that the palette does not define are black and opaque."""
    colors = np.zeros((256, 4), "uint8")
    colors[:, 3] = 255
    colors[: len(palette) // 3, :3] = np.frombuffer(palette, "uint8").reshape(-1, 3)
    colors[: len(alphas), 3] = np.frombuffer(alphas, "uint8")
    return colors


def _rgba(samples, bits, transparent):
    """(h, w, 3) uint8, or (h, w, 4) if the image may be transparent."""
    if bits == 16 and samples.dtype.itemsize > 1:
        samples = (samples >> 8).astype("uint8")
    if bits == 1:
        samples = samples.astype("uint8") * 255
    if samples.ndim == 2:
        samples = samples[..., None]
    if samples.shape[-1] <= 2:  # greyscale, with or without alpha
        samples = samples[..., [0, 0, 0, 1][: 2 + samples.shape[-1]]]
    if transparent is None:
        return samples
    return np.dstack([samples, np.where(transparent, 0, 255).astype("uint8")])


def _over_white(rgba):
    if rgba.shape[-1] == 3:
        return rgba
    # The sums below are at most 65,152, which fits into uint16.
    color, alpha = rgba[..., :3].astype("uint16"), rgba[..., 3:].astype("uint16")
    return ((color * alpha + 255 * (255 - alpha) + 127) // 255).astype("uint8")
