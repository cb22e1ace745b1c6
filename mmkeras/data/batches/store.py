"""Ready tensors of a whole data set, decoded once: in memory, or in a folder of .npy files."""

import itertools
import math

import numpy as np
import tensorflow as tf
from rich.progress import track

from mmkeras.data import faults
from mmkeras.data.batches import cache_folder
from mmkeras.data.batches.memory import free_memory
from mmkeras.data.batches.packed import pack, restore, unpacked
from mmkeras.data.python_function import python_function

_ALIGNED = 64  # bytes; TensorFlow uses memory aligned to this without copying it
_SHARE = 0.8  # of the free memory that a cache may take; training needs some as well


class Store:
    """Ready tensors and labels by name, with the rows along the first axis.

    Args:
        arrays: dict, name -> numpy array (rows, ...), memory-mapped or not, perhaps in a smaller form (see `packed`).
            Arrays in memory must not change, since TensorFlow reads them in place.
        ready: dict, name -> `tf.TensorSpec` of each ready tensor.
    """

    def __init__(self, arrays, ready):
        self.arrays, self._ready = arrays, ready
        self.rows = len(next(iter(arrays.values())))
        mapped = any(isinstance(array, np.memmap) for array in arrays.values())
        self._tensors = None if mapped else {name: _in_place(array) for name, array in arrays.items()}

    @property
    def options(self):
        """`tf.data.Options` under which no iterator copies what is in memory: TensorFlow 2.17 serializes, and so
        copies, every tensor that a function of a data set uses, before it rewrites the data set."""
        options = tf.data.Options()
        if self._tensors is not None:
            options.experimental_optimization.apply_default_optimizations = False
        return options

    def read(self, rows):
        """Positions (B,) int64 -> dict of tensors (B, ...)."""
        batch = self._gathered(rows) if self._tensors is not None else self._mapped(rows)
        return {name: restore(x, self._ready[name]) if name in self._ready else x for name, x in batch.items()}

    def _gathered(self, rows):
        taken = {name: tf.gather(tensor, rows) for name, tensor in self._tensors.items()}
        return {name: tf.cast(x, tf.bool) if self.arrays[name].dtype == bool else x for name, x in taken.items()}

    def _mapped(self, rows):
        arrays = list(self.arrays.values())
        batch = python_function(lambda rows: [array[rows] for array in arrays], [rows], [a.dtype for a in arrays])
        for tensor, array in zip(batch, arrays, strict=True):
            tensor.set_shape([rows.shape[0], *array.shape[1:]])
        return dict(zip(self.arrays, batch, strict=True))

    def lengths(self, name):
        """Number of True in each row of a mask, (rows,)."""
        mask = self.arrays[name]
        return np.sum(mask, axis=1) if mask.dtype == bool else mask


def _in_place(array):
    """The array as a tensor that shares its memory, booleans as bytes; `tf.constant` would copy it."""
    if array.dtype.hasobject:  # an array of strings
        return tf.constant(array)
    array = array.view(np.uint8) if array.dtype == bool else array
    return tf.experimental.dlpack.from_dlpack(array.__dlpack__())


def materialise(batches, rows, steps, where, fingerprint, skipped, verbose):
    """Fills a `Store` from ready batches.

    Args:
        batches: data set of (key, ready dict, labels dict).
        rows: largest number of examples.
        steps: largest number of batches.
        where: "memory", or a folder. The folder is reused if it holds the same examples and labels with the same
            preprocessing; otherwise, or if it is damaged, it is written again. An incomplete one is never used.
        fingerprint: fingerprint of examples and preprocessing; None never reuses the folder.
        skipped: list to which faults are appended, including those of a reused folder.
        verbose: whether to show the size of the cache and a progress bar.

    Returns:
        `Store`.

    Raises:
        OSError: the disk is full. The previous cache is kept.
        MemoryError: it would take more than 80 % of the free memory.
        ValueError: `where` is invalid or holds other files; or no example is left.
    """

    def fill(allocate):
        return _collect(batches, rows, steps, skipped, allocate, verbose)

    ready = batches.element_spec[1]
    if where == "memory":
        return Store(fill(_in_memory), ready)
    folder = cache_folder.check_folder(where)
    found = cache_folder.opened(folder, fingerprint) if fingerprint else None
    if found is None:
        cache_folder.write(folder, fingerprint, fill, skipped)
        found = cache_folder.opened(folder, fingerprint)
    arrays, skipped[:] = found
    return Store(arrays, ready)


def _in_memory(wanted):
    """Uninitialised arrays by name -> (shape, dtype), and where they are stored."""
    free = free_memory()
    try:
        if free is not None and _bytes(wanted) > _SHARE * free:
            raise MemoryError
        return {name: _aligned(*each) for name, each in wanted.items()}, "memory"
    except MemoryError as error:
        there = "" if free is None else f"; {free / 1e6:,.1f} MB are free, of which it may take {_SHARE:.0%}"
        raise MemoryError(
            f"cache='memory' needs memory for all examples. Received: {megabytes(wanted)}, which is not available"
            f"{there}. Give cache= a folder instead."
        ) from error


def _aligned(shape, dtype):
    if dtype.hasobject:
        return np.empty(shape, dtype)
    size = math.prod(shape) * dtype.itemsize
    memory = np.empty(size + _ALIGNED, np.uint8)
    start = -memory.ctypes.data % _ALIGNED
    return memory[start : start + size].view(dtype).reshape(shape)


def megabytes(wanted):
    """Total size of arrays by name -> (shape, dtype), as text."""
    return f"{_bytes(wanted) / 1e6:,.1f} MB"


def _bytes(wanted):
    return sum(math.prod(shape) * dtype.itemsize for shape, dtype in wanted.values())


def _collect(batches, rows, steps, skipped, allocate, verbose):
    arrays, filled = {}, 0
    try:
        stream = iter(batches)
        first = list(itertools.islice(stream, 1))  # its shapes determine how much memory to allocate
        if first:
            wanted = _wanted(first[0], rows)
            arrays, place = allocate(wanted)
            if verbose:
                print(f"Cache of {rows:,} examples: {megabytes(wanted)} in {place}")
        for batch in track(itertools.chain(first, stream), "Reading examples", steps, disable=not verbose):
            batch = _arrays(batch)
            for name, values in batch.items():
                _put(arrays, name, filled, values, allocate)
            filled += len(next(iter(batch.values())))
    except tf.errors.OpError as error:
        raise ValueError(faults.cause_of(error)) from error
    if not filled:
        raise ValueError(f"No example is left to train on. {len(skipped)} were skipped.\n{faults.report(skipped)}")
    return {name: array[:filled] for name, array in arrays.items()}


def _wanted(batch, rows):
    """Shapes and dtypes of the arrays, of which inputs may have a smaller form; labels are read in place."""
    arrays = _arrays(batch)
    small = {name: pack(arrays[name]) for name in batch[1]}
    arrays |= {name: array for name, array in small.items() if array is not None}
    return {name: ((rows, *array.shape[1:]), array.dtype) for name, array in arrays.items()}


def _put(arrays, name, filled, values, allocate):
    """Writes rows after those that are filled. If the smaller form cannot hold them, all are stored as they are."""
    small = values if arrays[name].dtype == values.dtype else pack(values)
    if small is None:
        packed = arrays[name]
        wide, _ = allocate({name: ((len(packed), *values.shape[1:]), values.dtype)})
        unpacked(packed[:filled], wide[name][:filled])
        arrays[name], small = wide[name], values
    arrays[name][filled : filled + len(values)] = small


def _arrays(batch):
    _, ready, labels = batch
    return {name: tensor.numpy() for name, tensor in (ready | labels).items()}
