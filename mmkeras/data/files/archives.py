"""Archives as folders: `photos.zip/7.png` is the file `7.png` in `photos.zip`.

An archive is extracted once, as a whole, into a cache: the folder in the environment variable `MMKERAS_CACHE`, or
`~/.cache/mmkeras/archives`. Its files are then read like any others, in parallel and without Python. The cache is keyed
by the archive's path, size and date: a changed archive is extracted again, an unchanged one is not opened. The cache
may be deleted while nothing reads from it.
"""

import hashlib
import os
import re
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from lzma import LZMAError
from pathlib import Path, PurePosixPath

from mmkeras.data.progress import shown_if_slow

_SUFFIX = re.compile(r"\.(?:zip|tar|tar\.gz|tar\.bz2|tar\.xz|tgz|tbz2|txz)(?=/|$)", re.IGNORECASE)
_BROKEN = (zipfile.BadZipFile, tarfile.TarError, zlib.error, LZMAError, EOFError, OSError, NotImplementedError)
_EXPANSION, _FREE = 200, 2**30  # largest ratio of unpacked to packed size, and the size in bytes that is always allowed
_given = {}  # folder in the cache -> the archive that was extracted into it


def on_disk(path, known=None):
    """The path of a file or folder on disk; archives in the path are extracted.

    Args:
        path: `str`. Each part of it that is a .zip, .tar, .tar.gz, .tgz, .tar.bz2, .tbz2, .tar.xz or .txz *file* counts
            as a folder; an archive may lie within an archive.
        known: dict that caches archives between calls.

    Returns:
        `str`: the path itself if it contains no archive; it need not exist.

    Raises:
        ValueError: an archive is broken or encrypted, has members outside its folder, or would expand to more than 200
            times its size (and more than 1 GiB).

    Example:

    >>> on_disk("photos/7.png")
    'photos/7.png'
    """
    path, known = os.path.expanduser(path), {} if known is None else known
    for suffix in _SUFFIX.finditer(path):
        archive, inner = path[: suffix.end()], path[suffix.end() :].strip("/")
        if archive not in known and os.path.isfile(archive):
            known[archive] = _extracted(archive)
        if archive in known:
            return on_disk(os.path.join(known[archive], inner) if inner else known[archive], known)
    return path


def as_given(text):
    """Replaces paths within the cache by those within their archives: `photos.zip/7.png`."""
    for folder, archive in reversed(_given.items()):
        text = text.replace(folder, archive)
    return text


def absence(path):
    """Why a file does not exist: (missing path, cause). `path` comes from `on_disk`."""
    if os.path.isdir(path):
        return as_given(path), "this is a folder or an archive, not a file in it"
    for suffix in _SUFFIX.finditer(path):
        archive = path[: suffix.end()]
        if archive != path and not os.path.exists(archive):
            return as_given(archive), "there is no such archive"
    return as_given(path), "there is no such file"


def once(name, stamp, fill):
    """A folder of the cache that is filled once by `fill`, atomically.

    Args:
        name: prefix of the folder's name.
        stamp: `str` that identifies the content.
        fill: function of the path of an empty folder.

    Returns:
        `Path`.
    """
    folder = _place(name, stamp)
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = tempfile.mkdtemp(prefix="unfinished-", dir=folder.parent)
        try:
            fill(unfinished)
            _finish(unfinished, folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        sizes = [file.stat().st_size for file in folder.rglob("*") if file.is_file()]
        print(f"Extracted {as_given(name)}: {len(sizes):,} files, {sum(sizes) / 1e6:,.1f} MB, into {folder}")
    return folder


def _place(name, stamp):
    cache = Path(os.environ.get("MMKERAS_CACHE") or "~/.cache/mmkeras/archives").expanduser().absolute()
    return cache / f"{os.path.basename(name)}-{hashlib.sha256(stamp.encode()).hexdigest()[:16]}"


def _finish(unfinished, folder):
    try:
        os.rename(unfinished, folder)
    except OSError:
        if not folder.is_dir():  # otherwise another process has extracted the same files first
            raise


def _extracted(archive):
    """The folder with the archive's extracted files."""
    status = os.stat(archive)
    stamp = f"{os.path.realpath(archive)} {status.st_size} {status.st_mtime_ns}"
    _given[str(_place(archive, stamp))] = archive
    return str(once(archive, stamp, lambda folder: _extract(archive, folder, status.st_mtime)))


def _extract(archive, folder, date):
    """Extracts an archive; files get its date, so that caches of data derived from them stay valid."""
    try:
        if archive.lower().endswith(".zip"):
            _extract_zip(archive, folder)
        else:
            _extract_tar(archive, folder)
    except _BROKEN as error:
        if isinstance(error, OSError) and error.errno:  # a full disk, missing permissions, ...
            raise
        cause = (str(error).splitlines() or ["it ends too early"])[0].rstrip(":.")
        raise _refusal(archive, cause, "Was it copied or downloaded whole?") from error
    for parent, _, names in os.walk(folder):
        for name in names:
            os.utime(os.path.join(parent, name), (date, date))


def _extract_zip(archive, folder):
    with zipfile.ZipFile(archive) as opened:
        check_count(opened)
        for member in opened.infolist():
            path = PurePosixPath(member.filename)
            if path.is_absolute() or ".." in path.parts or stat.S_ISLNK(member.external_attr >> 16):
                raise _refusal(archive, f"its member {member.filename!r} {_OUTSIDE}", _UNPACK)
            if member.flag_bits & 1:
                raise _refusal(archive, f"its member {member.filename!r} is encrypted", _UNPACK)
        _check_size(archive, sum(member.file_size for member in opened.infolist()))
        for member in shown_if_slow(opened.infolist(), _UNPACKING, len(opened.infolist())):
            opened.extract(member, folder)  # zipfile never writes more bytes than the directory declares


def check_count(opened):
    """Raises zipfile.BadZipFile if the directory of a ZIP file lists a wrong number of members.

    Python relies on the directory, in which a damaged length silently skips members.
    """
    opened.fp.seek(0, 2)
    opened.fp.seek(max(0, opened.fp.tell() - _ZIP_END))
    end, count = opened.fp.read().rpartition(b"PK\5\6")[2], len(opened.infolist())
    promised = int.from_bytes(end[6:8], "little")
    if promised not in (count % 2**16, 2**16 - 1):  # 65,535 means that the count is stored in the ZIP64 record
        raise zipfile.BadZipFile(f"its directory lists {count} members instead of {promised}")


def check_end(opened):
    """Raises tarfile.ReadError if the members of a tar file do not lead to its end.

    Python stops silently at a damaged header, or if the file is truncated between two members.
    """
    opened.fileobj.seek(opened.offset)
    if opened.fileobj.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError(f"its members end at byte {opened.offset:,}, without an end-of-archive marker")


def _extract_tar(archive, folder):
    try:
        with tarfile.open(archive) as opened:
            members = shown_if_slow(_as_they_fit(archive, opened), _UNPACKING)
            opened.extractall(folder, members, filter="data")
            check_end(opened)
    except tarfile.FilterError as error:
        raise _refusal(archive, f"its member {error.tarinfo.name!r} {_OUTSIDE}", _UNPACK) from error


def _as_they_fit(archive, opened):
    """Yields the members of a tar file one by one; those of a compressed one are only known while unpacking it."""
    total = 0
    for member in opened:
        total += member.size
        _check_size(archive, total)
        yield member


def expands_too_far(total, size, free):
    """Why an archive of `size` bytes may not expand to `total` bytes; None if it may."""
    if total <= max(free, _EXPANSION * size):
        return None
    most = f"{_EXPANSION} times as large, and {free >> 20:,} MiB in any case"
    return f"{size:,} bytes that would become {total:,} or more; they may become {most}"


def _check_size(archive, total):
    problem = expands_too_far(total, os.path.getsize(archive), _FREE)
    if problem:
        raise _refusal(archive, problem, _UNPACK)


_ZIP_END = 22 + 2**16  # bytes; maximum size of a ZIP file's end record with its comment
_UNPACKING = "Unpacking an archive"
_OUTSIDE = "does not belong within a folder (an absolute path, '..', a link, a device)"
_UNPACK = "Unpack it yourself, look at what it holds, and give the folder instead."


def _refusal(archive, received, remedy):
    return ValueError(
        f"An archive must be whole, readable and safe to unpack. Received: {as_given(archive)}: {received}. {remedy}"
    )
