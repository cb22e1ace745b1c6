"""Atomic writing of files and folders, such as the version folders of TF Serving."""

import contextlib
import os
from pathlib import Path

from mmkeras.temporary_folder import alone_in, temporary_folder

_PREFIX = ".unfinished-"


def next_version(path):
    """`saved_models/NAME` -> `saved_models/NAME/N`, N one above the highest version there is.

    Example:

    >>> next_version("nowhere/sentiment").as_posix()
    'nowhere/sentiment/1'
    """
    path = Path(path)
    taken = [int(child.name) for child in path.iterdir() if child.name.isdecimal()] if path.is_dir() else []
    return path / str(max(taken, default=0) + 1)


@contextlib.contextmanager
def new_version(path):
    """A folder to write into, which becomes `path` when the block ends, and is removed if it fails.

    Args:
        path: `.../NAME/VERSION`, a positive integer that does not exist yet. TF Serving ignores folders of other names,
            so it never loads an incomplete version.

    Raises:
        ValueError: the path does not end in a positive integer.
        FileExistsError: this version is there, before the block or after it; it names the next free one.
    """
    path = Path(path)
    check_version(path)
    with _unfinished(path) as folder:
        yield folder / path.name
        with alone_in(path.parent):
            check_version(path)  # another process may have written it in the meantime
            os.rename(folder / path.name, path)


@contextlib.contextmanager
def new_file(path, suffix, overwrite=False, beside=()):
    """A path in a temporary folder, which becomes `path` when the block ends.

    Args:
        path: of the file, STEM + `suffix`.
        suffix: that it must have.
        overwrite: replace a file that is there.
        beside: endings of more files that the block may write into the same folder, as `STEM.parity.json`. They are
            moved after the file, and those of an older one are removed first, so the files beside a file always belong
            to it.

    Raises:
        ValueError: the path has another suffix.
        FileExistsError: one of the files exists and is not to be overwritten; or it is a folder.
    """
    path = Path(path)
    check_file(path, suffix, overwrite, beside)
    with _unfinished(path) as folder:
        yield folder / path.name
        with alone_in(path.parent):  # so that the files of two exports are not mixed
            check_file(path, suffix, overwrite, beside)  # another process may have written it in the meantime
            _take_places(folder, path, [path.with_name(path.stem + ending) for ending in beside])


def _take_places(folder, path, others):
    for other in others:
        other.unlink(missing_ok=True)
    for each in (path, *others):
        if (folder / each.name).exists() or each == path:
            os.replace(folder / each.name, each)


def check_file(path, suffix, overwrite=False, beside=()):
    """Raises the errors of `new_file` before any work is done."""
    path = Path(path)
    if path.suffix != suffix:
        raise ValueError(f"The path must end in {suffix}. Received: '{path}'. Give '{path.with_suffix(suffix)}'.")
    for each in (path, *(path.with_name(path.stem + ending) for ending in beside)):
        if each.is_dir() or (each.exists() and not overwrite):
            raise FileExistsError(
                f"An existing file is not overwritten. Received: '{each}', which exists. Give another name, or "
                "overwrite=True."
            )


@contextlib.contextmanager
def _unfinished(path):
    """A temporary folder next to `path`; parent folders made for it are removed if the block fails."""
    made = [parent for parent in path.parents if not parent.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with temporary_folder(_PREFIX, path.parent) as temporary:
            yield temporary
        made = []
    finally:
        for parent in made:
            with contextlib.suppress(OSError):  # another process has put something there
                parent.rmdir()


def check_version(path):
    """Raises the errors of `new_version` before any work is done."""
    path = Path(path)
    if not path.name.isdecimal() or int(path.name) < 1:
        raise ValueError(
            "The last folder of the path must be the version, a positive integer, since TF Serving ignores other "
            "folders. "
            f"Received: '{path}'. Give '{path / '1'}', or version='next' to count up."
        )
    if path.exists():
        raise FileExistsError(
            f"A version is never overwritten, since a server may have loaded it. Received: '{path}', which exists. The "
            f"next free one is '{next_version(path.parent)}'; version='next' with '{path.parent}' takes it."
        )
