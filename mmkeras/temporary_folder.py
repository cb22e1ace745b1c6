"""Temporary folders to write into; those left by a killed process are removed by the next one.

A killed process runs no `finally`. So each folder is locked (flock) by the process that writes into it. The system
releases the lock when that process ends, in whatever way, so an unlocked folder with such a name is abandoned.
"""

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

try:
    import fcntl
except ImportError:  # not available on Windows, where nothing is locked or removed
    fcntl = None


@contextlib.contextmanager
def temporary_folder(prefix, parent):
    """A new folder, which is gone when the block ends; it may be renamed in it, or what is in it may.

    Args:
        prefix: how its name begins; other folders in `parent` that begin so, and whose writers are dead, are removed.
        parent: folder that exists.

    Example:

    >>> with temporary_folder(".unfinished-", tempfile.gettempdir()) as folder:
    ...     folder.is_dir()
    True
    >>> folder.exists()
    False
    """
    remove_abandoned(prefix, parent)
    folder, lock = _locked_folder(prefix, parent)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def remove_abandoned(prefix, parent):
    """Removes the folders in `parent` whose names begin with `prefix` and that no running process writes into."""
    for folder in [child for child in Path(parent).iterdir() if child.name.startswith(prefix)]:
        lock = None if folder.is_symlink() else _lock(folder)
        if lock is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)


@contextlib.contextmanager
def alone_in(folder):
    """Waits until no other process is in such a block for this folder; used while files are renamed."""
    lock = _lock(folder, wait=True)
    try:
        yield
    finally:
        if lock is not None:
            os.close(lock)


def _locked_folder(prefix, parent):
    for _ in range(10):
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        lock = _lock(folder)
        # Between creating and locking the folder, another process may have removed it as abandoned.
        if lock is not None and _is_still(folder, lock):
            return folder, lock
        if lock is not None:
            os.close(lock)
        shutil.rmtree(folder, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=prefix, dir=parent)), None  # the file system does not support locks


def _lock(folder, wait=False):
    """File descriptor that holds the lock of a folder; None if it is gone, locked elsewhere, or cannot be locked."""
    if fcntl is None:
        return None
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _is_still(folder, lock):
    try:
        return os.path.samestat(os.stat(folder), os.fstat(lock))
    except OSError:
        return False
