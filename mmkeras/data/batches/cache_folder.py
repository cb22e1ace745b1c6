"""A folder of ready tensors: one .npy file each, and store.json, which identifies their examples."""

import errno
import functools
import hashlib
import json
import math
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np

from mmkeras.data.faults import Fault
from mmkeras.data.tfrecord.manifest import describe_file, file_fault

_TOLD = "store.json"
_OF_WORKERS = "worker-*"  # folders within a cache, which `Share.place` names


def check_folder(where):
    """The folder as a `Path`; raises ValueError if it is not a folder, or holds something other than a cache."""
    if not isinstance(where, str | Path):
        raise ValueError(f"cache must be None, 'memory' or the path of a folder. Received: {where!r}.")
    folder = Path(where).expanduser()
    if folder.exists() and not (folder.is_dir() and _is_cache(folder)):
        raise ValueError(
            f"cache= needs a folder of its own. Received: '{folder}', which holds other files. "
            "Name a folder that is new or empty."
        )
    return folder


def _is_cache(folder):
    """Whether the folder is empty or holds a cache, possibly a damaged one."""
    others = [path for path in folder.iterdir() if path.name != _TOLD and not path.match(_OF_WORKERS)]
    try:
        return "fingerprint" in json.loads((folder / _TOLD).read_text())
    except FileNotFoundError:
        return not others
    except (ValueError, TypeError):
        return all(path.suffix == ".npy" for path in others)


def opened(folder, fingerprint):
    """The memory-mapped arrays by name and the list of faults; None unless the cache is complete and matches.

    Args:
        folder: `Path`.
        fingerprint: of examples and preprocessing.
    """
    if not (folder / _TOLD).exists():
        return None
    try:
        told = _told(folder)
        if told["fingerprint"] != fingerprint:
            return None
        arrays = {name: _opened(folder, told["rows"], told["files"][name]) for name in told["files"]}
        return arrays, [Fault(*fault) for fault in told["skipped"]]
    except (FileNotFoundError, KeyError, TypeError, ValueError) as error:
        print(f"The cache in '{folder}' is damaged and will be rebuilt: {type(error).__name__}: {error}")
        return None


def _told(folder):
    told = json.loads((folder / _TOLD).read_text())
    if told.pop("digest", None) != _digest(told):
        raise ValueError(f"{_TOLD} does not agree with its own digest")
    return told


def _digest(told):
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def _opened(folder, rows, told):
    # Compare sizes and digests before reading a header that may be damaged.
    fault = file_fault(folder / told["file"], told)
    if fault:
        raise ValueError(fault)
    return np.lib.format.open_memmap(folder / told["file"], "r")[:rows]


def write(folder, fingerprint, fill, skipped):
    """Writes the cache atomically; an existing one is kept until the new one is complete.

    Args:
        folder: `Path`.
        fingerprint: of examples and preprocessing.
        fill: function of a function (dict, name -> (shape, dtype)) -> (arrays by name, what the place is called), which
            gives the arrays with those rows that were filled.
        skipped: list of faults, read when all is filled.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f"{folder.name}.unfinished-", dir=folder.parent))
    try:
        arrays = fill(functools.partial(_allocated, unfinished, folder))
        told = {"fingerprint": fingerprint, "rows": len(next(iter(arrays.values())))}
        told["skipped"] = [[str(part) for part in fault] for fault in skipped]
        for array in arrays.values():
            array.flush()
        told["files"] = {name: describe_file(unfinished / f"{name}.npy", told["rows"]) for name in arrays}
        (unfinished / _TOLD).write_text(json.dumps(told | {"digest": _digest(told)}))
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(unfinished, folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _allocated(unfinished, folder, wanted):
    """Creates files with allocated disk space: writing to a sparse file on a full disk would kill Python (SIGBUS)."""
    needed = sum(math.prod(shape) * dtype.itemsize for shape, dtype in wanted.values())
    free = shutil.disk_usage(unfinished).free
    try:
        if needed > free:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        arrays = {name: _file(unfinished / f"{name}.npy", *each) for name, each in wanted.items()}
    except OSError as error:
        raise OSError(
            error.errno,
            f"The cache needs {needed / 1e6:,.1f} MB in '{folder.parent}'. Received: {error.strerror}; "
            f"{free / 1e6:,.1f} MB are free there. Nothing was left behind. Free some space, or give cache= a "
            "folder on another disk.",
        ) from error
    return arrays, f"'{folder}'"


def _file(path, shape, dtype):
    path.unlink(missing_ok=True)  # a smaller form of the same rows, which is being read, stays until it is closed
    array = np.lib.format.open_memmap(path, "w+", dtype, shape)
    with open(path, "r+b") as file:
        _reserve(file.fileno(), os.fstat(file.fileno()).st_size)
    return array


def _reserve(descriptor, size):
    if hasattr(os, "posix_fallocate"):  # not available on macOS
        os.posix_fallocate(descriptor, 0, size)
