"""Ready tensors of a whole data set, decoded once: in memory, or in a folder of .npy files."""

import json
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import tensorflow as tf
from rich.progress import track

from mmkeras.data import faults


class Store:
    """Ready tensors and labels by name, with the rows along the first axis.

    Args:
        arrays: dict, name -> numpy array (rows, ...), memory-mapped or not.
    """

    def __init__(self, arrays):
        self.arrays = arrays
        self.rows = len(next(iter(arrays.values())))
        self._mapped = any(isinstance(array, np.memmap) for array in arrays.values())
        if not self._mapped:
            with tf.device("CPU:0"):
                self._tensors = {name: tf.constant(array) for name, array in arrays.items()}
            self.arrays = {name: tensor.numpy() for name, tensor in self._tensors.items()}

    def read(self, rows):
        """Positions (B,) int64 -> dict of (B, ...)."""
        if not self._mapped:
            return {name: tf.gather(tensor, rows) for name, tensor in self._tensors.items()}
        arrays = list(self.arrays.values())
        batch = tf.numpy_function(lambda rows: [array[rows] for array in arrays], [rows], [a.dtype for a in arrays])
        for tensor, array in zip(batch, arrays, strict=True):
            tensor.set_shape([rows.shape[0], *array.shape[1:]])
        return dict(zip(self.arrays, batch, strict=True))


def materialise(batches, rows, steps, where, fingerprint, skipped, verbose):
    """Fills a `Store` from ready batches.

    Args:
        batches: data set of (key, ready dict, labels dict).
        rows: at most how many examples they hold.
        steps: at most how many batches there are.
        where: "memory", or a folder. The folder is used again where it holds the same examples and labels, made by
            the same preprocessing, and is written anew otherwise; a half-written one is never taken for a whole one.
        fingerprint: of examples and preprocessing; None writes anew every time.
        skipped: list that faults are put into; those of a folder that is used again are added.
        verbose: show a progress bar.

    Returns:
        `Store`.
    """
    if where == "memory":
        return Store(_collect(batches, rows, steps, skipped, _in_memory, verbose))
    folder = _folder(where)
    if fingerprint is None or _told(folder).get("fingerprint") != fingerprint:
        _write(folder, batches, rows, steps, fingerprint, skipped, verbose)
    told = _told(folder)
    skipped[:] = [faults.Fault(*fault) for fault in told["skipped"]]
    return Store({name: np.load(folder / f"{name}.npy", mmap_mode="r")[: told["rows"]] for name in told["names"]})


def _folder(where):
    if not isinstance(where, str | Path):
        raise ValueError(f"cache is None, 'memory' or the path of a folder. Received: {where!r}.")
    folder = Path(where)
    if folder.exists() and "fingerprint" not in _told(folder) and any(folder.iterdir()):
        raise ValueError(f"cache= needs a folder of its own. Received: '{folder}', which holds other files.")
    return folder


def _in_memory(shape, dtype, name):
    return np.empty(shape, dtype)


def _told(folder):
    path = folder / "store.json"
    return json.loads(path.read_text()) if path.exists() else {}


def _write(folder, batches, rows, steps, fingerprint, skipped, verbose):
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f"{folder.name}.unfinished-", dir=folder.parent))
    try:

        def on_disk(shape, dtype, name):
            return np.lib.format.open_memmap(unfinished / f"{name}.npy", "w+", dtype, shape)

        arrays = _collect(batches, rows, steps, skipped, on_disk, verbose)
        told = {"fingerprint": fingerprint, "names": list(arrays), "rows": len(next(iter(arrays.values())))}
        told["skipped"] = [[str(part) for part in fault] for fault in skipped]
        (unfinished / "store.json").write_text(json.dumps(told))
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(unfinished, folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _collect(batches, rows, steps, skipped, allocate, verbose):
    arrays, filled = {}, 0
    try:
        for _, ready, labels in track(batches, "Reading examples", steps, disable=not verbose):
            batch = {name: tensor.numpy() for name, tensor in (ready | labels).items()}
            if not arrays:
                shapes = {name: (rows, *values.shape[1:]) for name, values in batch.items()}
                arrays = {name: allocate(shapes[name], batch[name].dtype, name) for name in batch}
            size = len(next(iter(batch.values())))
            for name, values in batch.items():
                arrays[name][filled : filled + size] = values
            filled += size
    except tf.errors.OpError as error:
        raise ValueError(faults.cause_of(error)) from error
    if not filled:
        raise ValueError(f"No example is left to train on. {len(skipped)} were skipped.\n{faults.report(skipped)}")
    return {name: array[:filled] for name, array in arrays.items()}
