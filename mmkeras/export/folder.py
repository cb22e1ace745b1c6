"""The folder of one version, as TF Serving wants it: all there or not at all."""

import contextlib
import os
import shutil
import tempfile
from pathlib import Path


def next_version(path):
    """`saved_models/NAME` -> `saved_models/NAME/N`, N one above the highest version there is.

    >>> next_version("nowhere/sentiment").as_posix()
    'nowhere/sentiment/1'
    """
    path = Path(path)
    taken = [int(child.name) for child in path.iterdir() if child.name.isdecimal()] if path.is_dir() else []
    return path / str(max(taken, default=0) + 1)


@contextlib.contextmanager
def new_version(path):
    """Gives a folder to write into, which becomes `path` when the block ends, and vanishes when it fails.

    Args:
        path: `.../NAME/VERSION`, a positive integer, not there yet. TF Serving passes over folders of other names, so
            it never sees a version half written.

    Raises:
        ValueError: the path does not end in a positive integer.
        FileExistsError: this version is there; it names the next free one.
    """
    path = Path(path)
    check_version(path)
    made = [parent for parent in path.parents if not parent.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=path.parent))
    try:
        yield temporary / path.name
        os.rename(temporary / path.name, path)
        made = []
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        for parent in made:
            with contextlib.suppress(OSError):  # somebody else has put something there
                parent.rmdir()


def check_version(path):
    """Raises where `new_version` would; cheap, so that it can be asked before any work."""
    path = Path(path)
    if not path.name.isdecimal() or int(path.name) < 1:
        raise ValueError(
            f"The last folder of the path must be the version, a positive integer, or TF Serving passes over it. "
            f"Received: '{path}'. Give '{path / '1'}', or next_version=True to count up."
        )
    if path.exists():
        raise FileExistsError(
            f"A version is never overwritten, since a server may have loaded it. Received: '{path}', which is there. "
            f"The next free one is '{next_version(path.parent)}'; next_version=True with '{path.parent}' takes it."
        )
