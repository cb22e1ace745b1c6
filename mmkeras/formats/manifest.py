"""SHA-256 checksums of the files of an export, as `sha256sum` writes and checks them."""

import hashlib
from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import NamedTuple

NAME = "SHA256SUMS"
_BLOCK = 2**20


class Differences(NamedTuple):
    """What `compare` found: how many files were checked, and the names of those that are missing or changed."""

    files: int
    missing: list[str]
    changed: list[str]


def write(path: str | PathLike[str], files: Iterable[str | PathLike[str]], *, root: str | PathLike[str]) -> None:
    """Writes the checksums of some files; `sha256sum -c PATH`, called in `root`, checks them as well.

    Args:
        path: of the manifest.
        files: paths of existing files below `root`.
        root: folder that the names in the manifest are relative to.
    """
    names = sorted(Path(file).relative_to(root).as_posix() for file in files)
    lines = [f"{_digest(Path(root, name))}  {name}\n" for name in names]
    Path(path).write_text("".join(lines), encoding="utf-8")


def compare(path: str | PathLike[str], *, root: str | PathLike[str]) -> Differences:
    """Computes the checksums of the listed files again.

    Args:
        path: of the manifest.
        root: folder that its names are relative to.

    Raises:
        FileNotFoundError: there is no manifest.
        ValueError: it is damaged.

    Example:

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "a").write_text("1"), (folder / "b").write_text("2")
    >>> write(folder / NAME, [folder / "a", folder / "b"], root=folder)
    >>> _ = (folder / "b").write_text("3")
    >>> compare(folder / NAME, root=folder)
    Differences(files=2, missing=[], changed=['b'])
    """
    known = dict(_entry(path, line) for line in Path(path).read_text(encoding="utf-8").splitlines())
    missing = [name for name in known if not Path(root, name).is_file()]
    changed = [name for name in known if name not in missing and _digest(Path(root, name)) != known[name]]
    return Differences(len(known), missing, changed)


def _entry(path, line):
    digest, _, name = line.partition("  ")
    if len(digest) != 64 or not name:
        raise ValueError(
            "A manifest holds lines of a SHA-256 checksum, two blanks and the name of a file. Received: "
            f"{line[:80]!r} in '{path}'. Copy or export it again."
        )
    return name, digest


def _digest(path):
    found = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(_BLOCK):
            found.update(block)
    return found.hexdigest()
