"""Sizes of pictures, sounds and clips, read from their headers if possible."""

import io
import os
import tarfile
import zipfile

from PIL import Image as Pillow

_PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp")


def picture_size(value):
    """Width, height and format of a picture, `str` path or `bytes`, by its header.

    >>> file = io.BytesIO()
    >>> Pillow.new("L", (3, 2)).save(file, "PNG")
    >>> picture_size(file.getvalue())
    {'width': 3, 'height': 2, 'format': 'PNG'}
    """
    with Pillow.open(_file(value)) as picture:
        return {"width": picture.width, "height": picture.height, "format": picture.format}


def sound_size(value, decode):
    """Seconds, rate in Hz, channels and format of a sound, `str` path or `bytes`.

    Args:
        value: a WAV or FLAC file is told by its header; others are decoded.
        decode: function of their content that gives a WAV file.

    Raises:
        ValueError: it is none of these.
    """
    with _opened(value) as file:
        head = file.read(12)
        if head[:4] == b"RIFF" and head[8:] == b"WAVE":
            return _wav_size(file) | {"format": "WAV"}
        file.seek(0)
        if head[:4] == b"fLaC":
            return _flac_size(file.read(26)) | {"format": "FLAC"}
        made = decode(file.read())
    if made[:4] != b"RIFF":
        raise ValueError("it is no WAV, FLAC, MP3 or Ogg Vorbis file")
    kind = {b"OggS": "Ogg", b"fLaC": "FLAC"}.get(head[:4], "MP3")
    return _wav_size(io.BytesIO(made[12:])) | {"format": kind}


def _wav_size(file):
    """Size of a WAV file, which has been read up to its first chunk (12 bytes)."""
    channels = rate = per_second = 0
    while len(head := file.read(8)) == 8:
        size = int.from_bytes(head[4:], "little")
        if head[:4] == b"data":
            start = file.tell()
            there = file.seek(0, os.SEEK_END) - start
            seconds = (there if size in (0, 0xFFFFFFFF) else min(size, there)) / max(per_second, 1)
            return {"seconds": round(seconds, 4), "rate": rate, "channels": channels}
        body = file.read(size + size % 2)
        if head[:4] == b"fmt ":
            channels, rate, per_second = (int.from_bytes(body[a:b], "little") for a, b in ((2, 4), (4, 8), (8, 12)))
    raise ValueError("the WAV file holds no data")


def _flac_size(head):
    """Size of a FLAC file. Source: RFC 9639, section 8.2."""
    rate, count = int.from_bytes(head[18:21], "big") >> 4, int.from_bytes(head[21:26], "big") & 2**36 - 1
    return {"seconds": round(count / max(rate, 1), 4), "rate": rate, "channels": (head[20] >> 1 & 7) + 1}


def clip_size(value):
    """Frames, width and height of a clip: `str`, the path of a file or of a folder of pictures, or `bytes`."""
    if isinstance(value, str) and os.path.isdir(value):
        names = [os.path.join(value, name) for name in sorted(os.listdir(value)) if name.lower().endswith(_PICTURES)]
        return {"frames": len(names)} | (_shape(names[0]) if names else {})
    with _opened(value) as file:
        head = file.read(12)
    if head[:3] == b"GIF" or head[:4] == b"\x89PNG" or head[8:] == b"WEBP":
        with Pillow.open(_file(value)) as picture:
            return {"frames": picture.n_frames, "width": picture.width, "height": picture.height}
    if zipfile.is_zipfile(_file(value)):
        with zipfile.ZipFile(_file(value)) as archive:
            names = [name for name in sorted(archive.namelist()) if not name.endswith("/")]
            return {"frames": len(names)} | (_shape(archive.read(names[0])) if names else {})
    if head[4:8] not in (b"ftyp", b"moov") and tarfile.is_tarfile(_file(value)):
        with tarfile.open(**{"name" if isinstance(value, str) else "fileobj": _file(value)}) as archive:
            return {"frames": sum(member.isfile() for member in archive)}
    return _movie_size(value)


def _movie_size(value):
    import av

    with av.open(_file(value)) as movie:
        stream = movie.streams.video[0]
        seconds = float(stream.duration * stream.time_base) if stream.duration else (movie.duration or 0) / av.time_base
        counted = stream.frames or round(seconds * float(stream.average_rate or 0))
        size = {"width": stream.codec_context.width, "height": stream.codec_context.height}
        return {"frames": counted, "seconds": round(seconds, 3)} | size


def _shape(value):
    return {name: size for name, size in picture_size(value).items() if name != "format"}


def _file(value):
    return io.BytesIO(value) if isinstance(value, bytes) else value


def _opened(value):
    return io.BytesIO(value) if isinstance(value, bytes) else open(value, "rb")
