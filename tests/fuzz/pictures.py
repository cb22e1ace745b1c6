"""Pictures of every kind that is read, as small whole files, to be damaged by `mutate`."""

import io
import struct
import zlib

import numpy as np
from PIL import Image as Pillow

PNG_KINDS = [(0, 1), (0, 2), (0, 4), (0, 8), (0, 16), (2, 8), (2, 16), (3, 1), (3, 2), (3, 4), (3, 8), (4, 8), (4, 16),
              (6, 8), (6, 16)]  # fmt: skip
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_PASSES = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def samples(rng):
    """Name -> bytes of files that `mmkeras.preprocess` and `mmkeras.edge` read, with other pixels at each call."""
    low, high = (int(n) for n in rng.integers(9, 40, 2))
    noise = rng.integers(0, 256, (low // 3 + 1, high // 3 + 1, 4), "uint8")
    rgba = Pillow.fromarray(noise).resize((high, low), Pillow.Resampling.BICUBIC)
    rgb, palette = rgba.convert("RGB"), rgba.convert("RGB").quantize(16)
    return dict([*_jpegs(rgb), *_pngs(rng, rgb, rgba, palette), *_gifs(rng, rgb, palette), *_bmps(rng, rgb, palette)])


def webps(rng):
    """Name -> bytes of WebP files, which are read by `mmkeras.data` only."""
    noise = rng.integers(0, 256, (9, 7, 4), "uint8")
    rgba = Pillow.fromarray(noise).resize((31, 22), Pillow.Resampling.BICUBIC)
    rgb = rgba.convert("RGB")
    return {
        "webp lossy": encoded(rgb, "WEBP"),
        "webp lossless": encoded(rgb, "WEBP", lossless=True),
        "webp alpha": encoded(rgba, "WEBP"),
        "webp lossless alpha": encoded(rgba, "WEBP", lossless=True),
    }


def encoded(picture, kind, **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def _jpegs(rgb):
    exif = Pillow.Exif()
    exif[0x0112], exif[0x010F] = 6, "maker"
    yield "jpeg", encoded(rgb, "JPEG")
    yield "jpeg 4:4:4 optimised", encoded(rgb, "JPEG", subsampling=0, optimize=True)
    yield "jpeg progressive", encoded(rgb, "JPEG", progressive=True)
    yield "jpeg grey", encoded(rgb.convert("L"), "JPEG", quality=95)
    yield "jpeg grey progressive", encoded(rgb.convert("L"), "JPEG", progressive=True)
    yield "jpeg cmyk", encoded(rgb.convert("CMYK"), "JPEG")
    yield "jpeg restart", encoded(rgb, "JPEG", restart_marker_blocks=1)
    yield "jpeg exif", encoded(rgb, "JPEG", exif=exif, comment=b"a comment")


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(rng, color, bits, interlaced, transparent, size=(23, 17)):
    """A PNG (width, height) of random samples; its filters are random, too."""
    width, height = size
    places = _PASSES if interlaced else [(0, 0, 1, 1)]
    rows = b""
    for left, top, right, down in places:
        across, high = len(range(left, width, right)), len(range(top, height, down))
        step = (across * bits * _CHANNELS[color] + 7) // 8
        if step:
            rows += b"".join(bytes([rng.integers(5)]) + rng.bytes(step) for _ in range(high))
    trns = {0: b"\0\1", 2: b"\0\1\0\2\0\3", 3: rng.bytes(min(2**bits, 3))}.get(color, b"") if transparent else b""
    return b"".join([
        b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, interlaced)),
        chunk(b"gAMA", struct.pack(">I", 45455)), chunk(b"PLTE", rng.bytes(3 * 2**bits)) if color == 3 else b"",
        chunk(b"tRNS", trns) if trns else b"", chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b""),
    ])  # fmt: skip


def _pngs(rng, rgb, rgba, palette):
    for color, bits in PNG_KINDS:
        interlaced, transparent = (bool(n) for n in rng.integers(0, 2, 2))
        yield f"png {color} {bits}", png(rng, color, bits, interlaced, transparent)
    for name, picture in (("rgb", rgb), ("rgba", rgba), ("palette", palette), ("grey alpha", rgba.convert("LA"))):
        yield f"png {name}", encoded(picture, "PNG")
    yield "png palette transparent", encoded(palette, "PNG", transparency=3)


def _gifs(rng, rgb, palette):
    others = [Pillow.fromarray(rng.integers(0, 256, (rgb.height, rgb.width, 3), "uint8")) for _ in range(2)]
    yield "gif", encoded(rgb, "GIF", interlace=0)
    yield "gif interlaced", encoded(rgb, "GIF", interlace=1)
    yield "gif transparent", encoded(palette, "GIF", transparency=3)
    yield "gif grey", encoded(rgb.convert("L"), "GIF")
    yield "gif black and white", encoded(rgb.convert("1"), "GIF")
    yield "gif animated", encoded(rgb, "GIF", save_all=True, append_images=others, disposal=int(rng.integers(0, 4)))
    still = encoded(palette, "GIF")
    yield "gif on a larger canvas", still[:6] + struct.pack("<HH", rgb.width + 5, rgb.height + 3) + still[10:]
    yield "gif on a smaller canvas", still[:6] + struct.pack("<HH", rgb.width - 5, rgb.height - 3) + still[10:]


def _bmps(rng, rgb, palette):
    yield "bmp 24", encoded(rgb, "BMP")
    yield "bmp 8", encoded(palette, "BMP")
    yield "bmp 8 grey", encoded(rgb.convert("L"), "BMP")
    yield "bmp 1", encoded(rgb.convert("1"), "BMP")
    yield "bmp 32", encoded(rgb.convert("RGBA"), "BMP")
    width, height = rgb.size
    for bits, method in ((4, 0), (16, 0), (8, 1), (4, 2)):
        body = rng.bytes((width * bits + 31) // 32 * 4 * height)
        colors = bytes(4 * 2**bits) if bits < 16 else b""
        head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, method, len(body), 0, 0, 0, 0)
        start = 14 + len(head) + len(colors)
        yield (
            f"bmp {bits} method {method}",
            struct.pack("<2sIII", b"BM", start + len(body), 0, start) + head + colors + body,
        )
    rows = np.asarray(rgb)[..., ::-1]
    padded = np.pad(rows.reshape(height, -1), ((0, 0), (0, -3 * width % 4))).tobytes()
    head = struct.pack("<IiiHHIIiiII", 40, width, -height, 1, 24, 0, 0, 0, 0, 0, 0)
    yield "bmp from the top", struct.pack("<2sIII", b"BM", 54 + len(padded), 0, 54) + head + padded


def with_right_checksums(data):
    """`data`; a PNG has the checksums that fit its chunks then, as far as they lead: decoders get to see it."""
    at = 8
    while data.startswith(b"\x89PNG") and at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        end = at + 8 + length
        if end + 4 > len(data):
            break
        data = data[:end] + struct.pack(">I", zlib.crc32(data[at + 4 : end])) + data[end + 4 :]
        at = end + 4
    return data
