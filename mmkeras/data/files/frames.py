"""Pictures of a folder or an archive -> the frames of a clip, ordered by name, in a ZIP file."""

import contextlib
import io
import re
import struct
import tarfile
import zipfile
import zlib
from lzma import LZMAError
from pathlib import PurePosixPath

from PIL import Image as Pillow

from mmkeras.data.files.archives import check_count
from mmkeras.formats.sampling import chosen
from mmkeras.formats.zipped import ZipFault, members

_PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp")
_AS_THEY_ARE = (b"\xff\xd8\xff", b"\x89PNG", b"BM", b"GIF8")
# What Python's archive modules and Pillow raise for damaged files; Pillow does not document its exceptions.
DAMAGED = (OSError, EOFError, SyntaxError, ValueError, TypeError, IndexError, KeyError, OverflowError, RuntimeError,
            struct.error, zipfile.BadZipFile, tarfile.TarError, zlib.error, LZMAError,
            Pillow.DecompressionBombError)  # fmt: skip


class ClipFault(Exception):
    """An invalid clip: the rule, what was received, and the remedy."""


def cause_of(error):
    """The first line of an error's message, without its full stop."""
    return (str(error).splitlines() or [""])[0].rstrip(".:") or type(error).__name__


def sampled(files, frames, max_pixels):
    """Contents of the pictures that are used, sorted by name.

    Args:
        files: dict, name -> (size in bytes, function that gives the content).
        frames: largest number of pictures to use.
        max_pixels: of one that is decoded here, such as WebP.
    """
    names = [each for each in files if _is_picture(each)] or [each for each in files if _is_unnamed(each, *files[each])]
    if not names:
        rule = "a folder or an archive that is a clip must hold its frames as pictures, " + ", ".join(_PICTURES) + "."
        raise ClipFault(rule, f" with {len(files)} other files", "Give the path of the folder in which they lie.")
    for each in names:
        if not files[each][0]:
            raise ClipFault(
                "a frame must not be empty.", f" with {each} of 0 bytes", "Write it again, or leave it out."
            )
    names.sort(key=_in_name_order)
    return [_as_picture(names[i], files[names[i]][1], max_pixels) for i in chosen(len(names), frames)]


def _in_name_order(name):
    """Sort key for names that compares the numbers in them by value.

    >>> sorted(["z_1", "a_10", "a_2", "a_02", "intro_1"], key=_in_name_order)
    ['a_02', 'a_2', 'a_10', 'intro_1', 'z_1']
    """
    parts = re.split(r"([0-9]+)", name)  # every second part is a number
    numbers = [part.lstrip("0") for part in parts[1::2]]
    parts[1::2] = [(len(number), number) for number in numbers]
    return parts, name


def _is_visible(name):
    hidden = any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(name).parts)
    return not hidden and not name.endswith("/")


def _is_picture(name):
    return _is_visible(name) and PurePosixPath(name).suffix.lower() in _PICTURES


def _is_unnamed(name, size, read):
    """Whether a file is a picture although its name ("7", "frame.007") has no known extension."""
    return _is_visible(name) and _says_nothing(name) and read().startswith(_AS_THEY_ARE)


def _says_nothing(name):
    suffix = PurePosixPath(name).suffix[1:]
    return not suffix or suffix.isdigit()


def _as_picture(name, read, max_pixels):
    try:
        content = read()
        if content.startswith(_AS_THEY_ARE):
            return content
        with Pillow.open(io.BytesIO(content)) as picture:
            check_pixels(*picture.size, max_pixels)
            return png(picture)
    except DAMAGED as error:
        raise ValueError(f"{name}: {cause_of(error)}") from error


def check_pixels(width, height, max_pixels):
    """Raises ClipFault if a frame is too large to be decoded."""
    if width * height > max_pixels:
        rule = f"a frame may have max_pixels={max_pixels} pixels at most."
        raise ClipFault(rule, f" with {height} x {width} pixels (h x w)", "Make it smaller, or raise max_pixels.")


def png(picture):
    """A Pillow picture -> the bytes of a PNG file."""
    memory = io.BytesIO()
    picture = picture if picture.mode in ("L", "RGB") else picture.convert("RGBA")
    picture.save(memory, "PNG", compress_level=1)
    return memory.getvalue()


def is_stored(content):
    """Whether `DecodeVideo` accepts the ZIP file unchanged: stored pictures only, sorted by name.

    As there, the directory at the end of the file may be damaged, since the frames are not.
    """
    try:
        names, pictures, _ = zip(*members(content), strict=True)
    except ZipFault:
        return False
    listed = _listed(content) or [name.decode("latin-1") for name in names]
    named = all(map(_is_picture, listed)) or all(_is_visible(each) and _says_nothing(each) for each in listed)
    in_order = len(names) == len(listed) and listed == sorted(listed, key=_in_name_order)
    return named and in_order and all(picture.startswith(_AS_THEY_ARE) for picture in pictures)


def check_stored(content, frames):
    """Raises ClipFault if a selected frame has a wrong checksum; `content` is a stored clip."""
    files = members(content) if content.startswith(b"PK") else []
    for name, picture, checksum in (files[i] for i in chosen(len(files), frames)):
        if zlib.crc32(picture) != checksum:
            rule, remedy = "the checksum of a frame must be right.", "Was it copied whole? Leave it out."
            raise ClipFault(rule, f" with {name.decode('utf-8', 'replace')}", remedy)


def check_directory(archive):
    """Raises zipfile.BadZipFile if a ZIP file's directory does not list all members, because frames would be lost."""
    check_count(archive)
    for member in archive.infolist():
        with contextlib.suppress(RuntimeError):  # encrypted, or an unknown compression method
            archive.open(member).close()  # zipfile compares the names in the directory and the local header


def _listed(content):
    """Names in the directory of a ZIP file, in the order of the files' offsets; None if it is damaged."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            check_directory(archive)
            lying = sorted(archive.infolist(), key=lambda each: each.header_offset)
            return [each.filename for each in lying if not each.filename.endswith("/")]
    except DAMAGED:
        return None


def packed(pictures):
    """Contents of pictures -> `bytes`, a ZIP file of them; b"" (absent) if there are none."""
    if not pictures:
        return b""
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        for i, picture in enumerate(pictures):
            # A fresh ZipInfo has no timestamp, so equal frames give equal bytes.
            archive.writestr(zipfile.ZipInfo(f"{i:05d}"), picture)
    return memory.getvalue()
