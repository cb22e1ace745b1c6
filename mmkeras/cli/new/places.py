"""Folders and archives beside a table, in which its files may lie."""

import contextlib
import os
import tarfile
import zipfile
from pathlib import Path, PurePosixPath

_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
_MOST = 60  # folders that are looked into


class Folder:
    """A folder. `root` is its path from that of the table, "" for that itself."""

    def __init__(self, base: Path, root: str):
        self.root, self._path = root, base / root

    def __contains__(self, name: str) -> bool:
        return os.path.exists(self._path / name)

    def holds_files_in(self, name: str, endings: tuple[str, ...]) -> bool:
        """Whether it has a folder of this name, with a file in it that ends so."""
        path = self._path / name
        return os.path.isdir(path) and any(each.name.lower().endswith(endings) for each in os.scandir(path))

    def names(self) -> list[str]:
        return [each.name for each in os.scandir(self._path) if each.is_file()]

    def value(self, name: str) -> str | bytes:
        """The path of a file, or its content."""
        return str(self._path / name)


class Archive:
    """A folder in a ZIP or tar file, read where it is: nothing is extracted."""

    def __init__(self, root: str, path: Path, inner: str, members: frozenset):
        self.root, self._path, self._inner, self._members = root, path, inner, members

    def __contains__(self, name: str) -> bool:
        return self._inner + name in self._members

    def holds_files_in(self, name: str, endings: tuple[str, ...]) -> bool:
        """No: the files of an archive are read, its folders are not."""
        return False

    def names(self) -> list[str]:
        cut = len(self._inner)
        return [each[cut:] for each in self._members if each.startswith(self._inner) and "/" not in each[cut:]]

    def value(self, name: str) -> str | bytes:
        if zipfile.is_zipfile(self._path):
            with zipfile.ZipFile(self._path) as opened:
                return opened.read(self._inner + name)
        with tarfile.open(self._path) as opened:
            return opened.extractfile(self._inner + name).read()


def place(base: Path, root: str):
    """The folder or archive at `root`, "photos.zip/small" for one within; None where there is none."""
    if (base / root).is_dir():
        return Folder(base, root)
    parts = PurePosixPath(root).parts
    for count in range(1, len(parts) + 1):
        path = base.joinpath(*parts[:count])
        if path.is_file() and path.name.lower().endswith(_ARCHIVES):
            inner = "".join(f"{part}/" for part in parts[count:])
            return Archive(root, path, inner, _members(path))
    return None


def places(base: Path) -> list:
    """All of them at and below the folder of the table, two folders deep."""
    found = []
    for folder in _folders(base):
        root = folder.relative_to(base).as_posix()
        found.append(Folder(base, "" if root == "." else root))
        for path in sorted(folder.iterdir()):
            if path.name.lower().endswith(_ARCHIVES) and path.is_file() and _is_listed_fast(path):
                with contextlib.suppress(ValueError):  # a broken one need not be of this table
                    found += _within(base, path)
    return found


def _is_listed_fast(path):
    """A tar file has no directory: it is read as a whole."""
    return path.suffix.lower() == ".zip" or path.stat().st_size < 2**30


def _folders(base):
    deep = [base, *sorted(each for each in base.iterdir() if each.is_dir() and not each.name.startswith("."))]
    deeper = [each for folder in deep[1:_MOST] for each in sorted(folder.iterdir()) if each.is_dir()]
    return (deep + deeper)[:_MOST]


def _within(base, path):
    members, root = _members(path), path.relative_to(base).as_posix()
    inner = sorted({name.rpartition("/")[0] for name in members} | {""})[:_MOST]
    return [Archive(root + f"/{each}" * bool(each), path, f"{each}/" * bool(each), members) for each in inner]


def _members(path):
    try:
        if path.name.lower().endswith(".zip"):
            with zipfile.ZipFile(path) as opened:
                return frozenset(name for name in opened.namelist() if not name.endswith("/"))
        with tarfile.open(path) as opened:
            return frozenset(each.name for each in opened if each.isfile())
    except (zipfile.BadZipFile, tarfile.TarError, EOFError) as error:
        raise ValueError(f"An archive must be whole. Received: {path}: {error}. Was it copied or downloaded whole?") \
            from error  # fmt: skip
