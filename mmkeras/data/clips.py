"""Videos that TensorFlow's own ops cannot decode -> ZIP files of frames, which `mmkeras.preprocess.DecodeVideo` takes.

Folders and archives of pictures, APNG and animated WebP (through Pillow), MP4, AVI, WebM and the like (through PyAV,
an extra: `pip install 'mmkeras[video]'`). This is a step of reading, in Python, never of the exported graph. Only the
frames that count are kept, by the rule of `DecodeVideo`; JPEG and PNG files stay as they are.
"""

import importlib.util
import io
import os
import re
import tarfile
import zipfile
from pathlib import Path, PurePosixPath

import numpy as np
import tensorflow as tf
from PIL import Image as Pillow

from mmkeras.data.archives import as_given
from mmkeras.edge.video import chosen

_PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp")
_AS_THEY_ARE = (b"\xff\xd8\xff", b"\x89PNG", b"BM", b"GIF8")
_MOVIES = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".flv", ".ogv", ".ts", ".3gp")
_MOVIE_STARTS = (b"\x1aE\xdf\xa3", b"\0\0\1\xba", b"\0\0\1\xb3", b"FLV", b"OggS", b"\x30\x26\xb2\x75")
_TARS = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ")
_JPEG = {"quality": 95, "subsampling": 0}  # of frames that were compressed before: hardly to be told from them


def needs_frames(value):
    """Whether a clip (`str`, its path; `bytes`, its content) is to go through `as_clip`. Plain Python.

    >>> needs_frames("a.GIF"), needs_frames("a.mp4"), needs_frames(b"GIF89a"), needs_frames(b"....ftypisom")
    (False, True, False, True)
    """
    if isinstance(value, str):
        return not value.lower().endswith(".gif")
    return bool(value) and not value.startswith(b"GIF8") and not _is_stored(value)


def check_decoder(name, values):
    """Raises ImportError where a movie is among the values, paths or contents, and nothing can decode it."""
    for value in values:
        movie = value.lower().endswith(_MOVIES) if isinstance(value, str) else _is_movie(value)
        if movie and not importlib.util.find_spec("av"):
            shown = as_given(value) if isinstance(value, str) else f"{len(value)} bytes beginning with {value[:12]!r}"
            raise ImportError(
                f"{name}: movies are decoded by PyAV, which is not installed. Received: {shown}. "
                "Install it: pip install 'mmkeras[video]', or turn the movies into folders of pictures or GIFs."
            )


def as_clip(name, value, frames):
    """A clip as `DecodeVideo` takes it.

    Args:
        name: what errors call it.
        value: `str`, the path of a file or of a folder of pictures (in the order of their names, 2 before 10), or
            `bytes`, the content of a file.
        frames: how many frames are kept at most.

    Returns:
        `bytes`: a GIF, or a ZIP file of stored pictures. What is of no known kind comes back as it is: `preprocess`
        refuses it by name.

    Raises:
        ValueError: it is damaged, or holds no pictures.
        ImportError: it is a movie, and PyAV is not installed.
    """
    if isinstance(value, str) and os.path.isdir(value):
        files = {file.name: file.read_bytes for file in Path(value).iterdir() if file.is_file()}
        return _packed(_sampled(name, files, frames))
    content = Path(value).read_bytes() if isinstance(value, str) else value
    if isinstance(value, str) and not content:
        raise ValueError(f"{name}: the file is empty (0 bytes).")  # from here on that means "absent", which it is not
    try:
        return _converted(name, content, frames)
    except (OSError, EOFError, SyntaxError, zipfile.BadZipFile, tarfile.TarError, IndexError, RuntimeError) as error:
        cause = str(error) or type(error).__name__
        raise ValueError(
            f"{name}: a clip must be whole. Received: {len(content)} bytes beginning with {content[:12]!r}: {cause}. "
            "Was it copied or downloaded whole? Leave it out, or fetch it again."
        ) from error


def clip_reader(name, frames):
    """Function of marked paths and contents (B,) string, as `Examples` holds them -> clips (B,) string, in graphs."""

    def convert(value):
        mark, rest = value.numpy()[:1], value.numpy()[1:]
        return as_clip(name, rest.decode() if mark == b"@" else rest, frames) if rest else b""

    def read(value):
        return tf.ensure_shape(tf.py_function(convert, [value], tf.string), ())

    return lambda batch: tf.map_fn(read, batch, parallel_iterations=1)


def clip_of_pixels(pixels):
    """Pixels (N, H, W, C) uint8 -> `bytes`, a ZIP file of PNGs; b"" (absent) where there are none."""
    pixels = np.asarray(pixels)
    return _packed([_png(Pillow.fromarray(frame.squeeze(-1) if frame.shape[-1] == 1 else frame)) for frame in pixels])


def _converted(name, content, frames):
    if not needs_frames(content):
        return content
    if content.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return _packed(_sampled(name, {each: _reads(archive, each) for each in archive.namelist()}, frames))
    if content.startswith(_TARS) or content[257:262] == b"ustar":
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            files = {each.name: _reads(archive, each) for each in archive.getmembers() if each.isfile()}
            return _packed(_sampled(name, files, frames))
    if content.startswith(b"\x89PNG") or (content[:4], content[8:12]) == (b"RIFF", b"WEBP"):
        return _animated(content, frames)
    if _is_movie(content):
        check_decoder(name, [content])
        return _movie(content, frames)
    return content


def _reads(archive, member):
    def read():
        opened = archive.extractfile(member) if isinstance(archive, tarfile.TarFile) else archive.open(member)
        with opened:
            return opened.read()

    return read


def _sampled(name, files, frames):
    """Contents of those pictures that are taken, in the order of the names. `files`: dict, name -> function."""
    names = [each for each in files if _is_picture(PurePosixPath(each))]
    if not names:
        raise ValueError(
            f"{name}: a folder or an archive that is a clip must hold its frames as pictures, {', '.join(_PICTURES)}. "
            f"Received: {len(files)} other files. Give the path of the folder in which they lie."
        )
    names.sort(key=lambda each: [part.zfill(20) for part in re.split(r"(\d+)", each)])
    return [_as_picture(files[names[i]]()) for i in chosen(len(names), frames)]


def _is_picture(path):
    return path.suffix.lower() in _PICTURES and not any(part.startswith((".", "__MACOSX")) for part in path.parts)


def _as_picture(content):
    return content if content.startswith(_AS_THEY_ARE) else _png(Pillow.open(io.BytesIO(content)))


def _png(picture):
    memory = io.BytesIO()
    picture = picture if picture.mode in ("L", "RGB") else picture.convert("RGBA")
    picture.save(memory, "PNG", compress_level=1)
    return memory.getvalue()


def _animated(content, frames):
    with Pillow.open(io.BytesIO(content)) as picture:
        count, pictures = getattr(picture, "n_frames", 1), []
        if count == 1 and picture.format == "PNG":
            return content  # a still picture: refused by name
        for i in chosen(count, frames):
            picture.seek(i)
            pictures.append(_png(picture))
    return _packed(pictures)


def _is_movie(content):
    riff = (content[:4], content[8:12]) == (b"RIFF", b"AVI ")
    return riff or content.startswith(_MOVIE_STARTS) or content[4:8] in (b"ftyp", b"moov")


def _movie(content, frames):
    import av

    with av.open(io.BytesIO(content)) as file:  # packets are counted without decoding; mostly each is a frame
        count = sum(packet.size > 0 for packet in file.demux(video=0))
    with av.open(io.BytesIO(content)) as file:
        taken = set(chosen(count, frames))
        pictures = [_upright(frame) for i, frame in enumerate(file.decode(video=0)) if i in taken]
    if not pictures:
        raise EOFError("no frame of it can be decoded")
    return _packed(pictures)


def _upright(frame):
    picture, memory = frame.to_image(), io.BytesIO()
    turn = getattr(frame, "rotation", 0)  # degrees, counterclockwise: how a phone was held
    (picture.rotate(turn, expand=True) if turn else picture).save(memory, "JPEG", **_JPEG)
    return memory.getvalue()


def _is_stored(content):
    """Whether it is a ZIP file whose members are neither compressed nor encrypted, their sizes before them."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError, RuntimeError):
        return False
    plain = all(member.compress_type == 0 and not member.flag_bits & 9 for member in members)
    return plain and content.startswith(b"PK\3\4")


def _packed(pictures):
    if not pictures:
        return b""
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        for i, picture in enumerate(pictures):
            archive.writestr(zipfile.ZipInfo(f"{i:05d}"), picture)  # ZipInfo: the same bytes each time
    return memory.getvalue()
