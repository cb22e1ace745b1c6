"""Ready tensors of a whole data set, decoded once: in memory, or in a folder of .npy files."""

import hashlib
import json
import os
import shutil
from pathlib import Path

import numpy as np
import tensorflow as tf
from rich.progress import track

from mmkeras.data import faults
from mmkeras.data.examples import Examples


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
        where: "memory", or a folder. The folder is used again where it holds the same examples, made by the same
            preprocessing, and is written anew otherwise; a half-written one is never taken for a whole one.
        fingerprint: of examples and preprocessing; None writes anew every time.
        skipped: list that faults are put into; those of a folder that is used again are added.
        verbose: show a progress bar.

    Returns:
        `Store`.
    """
    if where == "memory":
        return Store(_collect(batches, rows, steps, skipped, _in_memory, verbose))
    folder = Path(where)
    if fingerprint is None or _told(folder).get("fingerprint") != fingerprint:
        _write(folder, batches, rows, steps, fingerprint, skipped, verbose)
    told = _told(folder)
    skipped[:] = [faults.Fault(*fault) for fault in told["skipped"]]
    return Store({name: np.load(folder / f"{name}.npy", mmap_mode="r")[: told["rows"]] for name in told["names"]})


def _in_memory(shape, dtype, name):
    return np.empty(shape, dtype)


def _told(folder):
    path = folder / "store.json"
    return json.loads(path.read_text()) if path.exists() else {}


def _write(folder, batches, rows, steps, fingerprint, skipped, verbose):
    unfinished = folder.with_name(f"{folder.name}.unfinished-{os.getpid()}")
    unfinished.mkdir(parents=True)
    try:

        def on_disk(shape, dtype, name):
            return np.lib.format.open_memmap(unfinished / f"{name}.npy", "w+", dtype, shape)

        arrays = _collect(batches, rows, steps, skipped, on_disk, verbose)
        told = {"fingerprint": fingerprint, "names": list(arrays), "rows": len(next(iter(arrays.values())))}
        told["skipped"] = [[str(part) for part in fault] for fault in skipped]
        (unfinished / "store.json").write_text(json.dumps(told))
        if folder.exists():
            if "fingerprint" not in _told(folder) and any(folder.iterdir()):
                raise ValueError(f"cache= needs a folder of its own. Received: '{folder}', which holds other files.")
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


def fingerprint_of(raw, preprocess, files=True):
    """A digest of the rows and of what preprocess does; None for other data sets than `Examples`.

    With `files`, of the sizes and dates of files as well; without, of their names alone, wherever they lie.
    """
    if not isinstance(raw, Examples):
        return None
    digest = hashlib.sha256(preprocess.to_json().encode())
    for layer in preprocess.layers:
        learned = [weight.numpy().tobytes() for weight in layer.weights]
        learned += [repr(lookup.get_vocabulary()).encode() for lookup in getattr(layer, "lookups", ())]
        digest.update(b"".join([*learned, repr(getattr(layer, "vocabulary", None)).encode()]))
    for name, values in sorted(raw.table.items()):
        digest.update(name.encode())
        for value in values.tolist() if values.dtype == object else [values.tobytes()]:
            digest.update(value if isinstance(value, bytes) else _stamp(value) if files else Path(value).name.encode())
    return digest.hexdigest()


def _stamp(path):
    status = os.stat(path)
    return f"{path} {status.st_size} {status.st_mtime_ns}".encode()
