"""Videos that TensorFlow's own ops cannot decode -> ZIP files of frames, which `mmkeras.preprocess.DecodeVideo` takes.

Folders and archives of pictures, APNG and animated WebP (through Pillow), MP4, AVI, WebM and the like (through PyAV,
an extra: `pip install 'mmkeras[video]'`). This happens in Python while reading, never in the exported graph. Only the
frames that `DecodeVideo` uses are kept; JPEG and PNG files are not changed. Frames are sorted by name, 2 before 10; a
ZIP file that `DecodeVideo` accepts and that is sorted so is not changed.
"""

import importlib.util
import io
import os
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image as Pillow

from mmkeras.data.files.archives import as_given, check_end, expands_too_far
from mmkeras.data.files.frames import (
    DAMAGED,
    ClipFault,
    cause_of,
    check_directory,
    check_pixels,
    check_stored,
    is_stored,
    packed,
    png,
    sampled,
)
from mmkeras.data.python_function import python_function
from mmkeras.formats.sampling import chosen

_MOVIES = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".flv", ".ogv", ".ts", ".3gp")
_MOVIE_STARTS = (b"\x1aE\xdf\xa3", b"\0\0\1\xba", b"\0\0\1\xb3", b"FLV", b"OggS", b"\x30\x26\xb2\x75")
_TARS = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ")
_FREE = 2**28  # bytes an archive may expand to whatever its ratio
_JPEG = {"quality": 95, "subsampling": 0}  # for frames that were already compressed: visually lossless


def needs_frames(value):
    """Whether a clip (`str`, its path; `bytes`, its content) has to be converted by `as_clip`. Plain Python.

    Example:

    >>> needs_frames("a.GIF"), needs_frames("a.mp4"), needs_frames(b"GIF89a"), needs_frames(b"....ftypisom")
    (False, True, False, True)
    """
    if isinstance(value, str):
        return not value.lower().endswith(".gif")
    return bool(value) and not value.startswith(b"GIF8") and not is_stored(value)


def check_decoder(name, values):
    """Raises ImportError if the values, paths or contents, include a movie and PyAV is not installed."""
    for value in values:
        movie = value.lower().endswith(_MOVIES) if isinstance(value, str) else _is_movie(value)
        if movie and not importlib.util.find_spec("av"):
            shown = as_given(value) if isinstance(value, str) else f"{len(value)} bytes beginning with {value[:12]!r}"
            raise ImportError(
                f"{name}: movies are decoded by PyAV, which is not installed. Received: {shown}. "
                "Install it: pip install 'mmkeras[video]', or turn the movies into folders of pictures or GIFs."
            )


def as_clip(name, value, frames, max_pixels=48_000_000):
    """Converts a clip to a format that `DecodeVideo` accepts.

    Args:
        name: name of the clip in error messages.
        value: `str`, the path of a file or of a folder of pictures (in the order of their names, 2 before 10), or
            `bytes`, the content of a file.
        frames: largest number of frames to keep.
        max_pixels: largest number of pixels of a frame that is decoded here; `preprocess` checks the others.

    Returns:
        `bytes`: a GIF, or a ZIP file of stored pictures. Other formats are returned unchanged, and refused by
        `preprocess`.

    Raises:
        ValueError: the clip is damaged, or holds no pictures, or too large ones.
        ImportError: the clip is a movie, and PyAV is not installed.
    """
    received = as_given(value) if isinstance(value, str) else f"{len(value)} bytes beginning with {value[:12]!r}"
    try:
        if isinstance(value, str) and os.path.isdir(value):
            files = [file for file in Path(value).iterdir() if file.is_file()]
            contents = {file.name: (file.stat().st_size, file.read_bytes) for file in files}
            return packed(sampled(contents, frames, max_pixels))
        return _converted(name, _content(value), frames, max_pixels)
    except ClipFault as fault:
        rule, more, remedy = fault.args
        raise ValueError(f"{name}: {rule} Received: {received}{more}. {remedy}") from fault
    except DAMAGED as error:
        raise ValueError(
            f"{name}: a clip must be whole. Received: {received}: {cause_of(error)}. "
            "Was it copied or downloaded whole? Leave it out, or fetch it again."
        ) from error


def clip_reader(name, frames, max_pixels=48_000_000):
    """Function of marked paths and contents (B,) string, as `Examples` holds them -> clips (B,) string, in graphs."""

    def convert(value):
        mark, rest = value.numpy()[:1], value.numpy()[1:]
        return as_clip(name, rest.decode() if mark == b"@" else rest, frames, max_pixels) if rest else b""

    def read(value):
        return tf.ensure_shape(python_function(convert, [value], tf.string, eager=True), ())

    return lambda batch: tf.map_fn(read, batch, parallel_iterations=1)


def clip_of_pixels(pixels):
    """Pixels (N, H, W, C) uint8 -> `bytes`, a ZIP file of PNGs; b"" (absent) if there are none."""
    pixels = np.asarray(pixels)
    return packed([png(Pillow.fromarray(frame.squeeze(-1) if frame.shape[-1] == 1 else frame)) for frame in pixels])


def _content(value):
    content = Path(value).read_bytes() if isinstance(value, str) else value
    if isinstance(value, str) and not content:  # an empty file is an error; from here on, b"" would mean "absent"
        raise ClipFault("the file is empty (0 bytes).", "", "Leave it out, or fetch it again.")
    return content


def _converted(name, content, frames, max_pixels):
    if not needs_frames(content):
        check_stored(content, frames)
        return content
    if content.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            _check_size(sum(each.file_size for each in archive.infolist()), content)
            check_directory(archive)
            files = {each.filename: (each.file_size, _reads(archive, each)) for each in archive.infolist()}
            return packed(sampled(files, frames, max_pixels))
    if content.startswith(_TARS) or content[257:262] == b"ustar":
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            total, files = 0, {}
            for each in archive:  # the size of a compressed archive is only known while unpacking it
                total += each.size
                _check_size(total, content)
                files |= {each.name: (each.size, _reads(archive, each))} if each.isfile() else {}
            check_end(archive)
            return packed(sampled(files, frames, max_pixels))
    if content.startswith(b"\x89PNG") or (content[:4], content[8:12]) == (b"RIFF", b"WEBP"):
        return _animated(content, frames, max_pixels)
    if _is_movie(content):
        check_decoder(name, [content])
        return _movie(content, frames, max_pixels)
    return content


def _check_size(total, content):
    problem = expands_too_far(total, len(content), _FREE)
    if problem:
        raise ClipFault("an archive must not unpack to many times its size.", f": {problem}", "Give a folder instead.")


def _reads(archive, member):
    def read():
        opened = archive.extractfile(member) if isinstance(archive, tarfile.TarFile) else archive.open(member)
        with opened:
            return opened.read()

    return read


def _animated(content, frames, max_pixels):
    with Pillow.open(io.BytesIO(content)) as picture:
        check_pixels(*picture.size, max_pixels)
        count, pictures = getattr(picture, "n_frames", 1), []
        if count == 1 and picture.format == "PNG":
            return content  # a still image; refused by `DecodeVideo` with a clear error
        for i in chosen(count, frames):
            picture.seek(i)
            pictures.append(png(picture))
    return packed(pictures)


def _is_movie(content):
    riff = (content[:4], content[8:12]) == (b"RIFF", b"AVI ")
    return riff or content.startswith(_MOVIE_STARTS) or content[4:8] in (b"ftyp", b"moov")


def _movie(content, frames, max_pixels):
    import av

    try:
        return packed(_frames_of_movie(av, content, frames, max_pixels))
    except av.FFmpegError as error:
        raise ValueError(f"PyAV cannot decode it: {cause_of(error)}") from error


def _frames_of_movie(av, content, frames, max_pixels):
    with av.open(io.BytesIO(content)) as file:  # counts the packets without decoding them
        context = file.streams.video[0].codec_context
        check_pixels(context.width, context.height, max_pixels)
        count = sum(map(_is_shown, file.demux(video=0)))
    with av.open(io.BytesIO(content)) as file:
        taken = chosen(count, frames)
        pictures = [_upright(frame) for i, frame in enumerate(file.decode(video=0)) if i in taken]
    if len(pictures) < max(1, len(taken)):
        raise EOFError(f"not all of its {count} frames can be decoded")
    return pictures


def _is_shown(packet):
    """Whether a packet is a visible frame: not the empty last one, nor a hidden reference frame of VP8."""
    return packet.size > 0 and (packet.stream.codec_context.name != "vp8" or bool(bytes(packet)[0] & 16))


def _upright(frame):
    picture, memory = frame.to_image(), io.BytesIO()
    turn = getattr(frame, "rotation", 0)  # degrees counterclockwise; how the phone was held
    (picture.rotate(turn, expand=True) if turn else picture).save(memory, "JPEG", **_JPEG)
    return memory.getvalue()
