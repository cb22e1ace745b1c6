"""Digest of examples and their preprocessing: equal digests mean equal ready tensors."""

import functools
import hashlib
import json
import os

import numpy as np

from mmkeras import __version__
from mmkeras.contract import SAMPLE_WEIGHT
from mmkeras.data.examples import Examples
from mmkeras.data.progress import shown_if_slow
from mmkeras.data.tfrecord.shards import Shards

_ROWS = 256  # rows per chunk: joining copies the file contents that the table holds


def fingerprint(raw, preprocess, heads, *settings, stamps=True, verbose=False):
    """A digest of the columns that are used, of preprocess with all it learned, and of settings.

    Args:
        raw: `Examples` or `Shards`.
        preprocess: model from raw to ready.
        heads: list of the heads whose labels are used.
        settings: whatever else matters, compared by `repr`.
        verbose: show a progress bar where it takes long.
        stamps: sizes and dates of the files count; False: their names alone, wherever they lie.

    Returns:
        A string; None where `raw` is another data set, whose content is not known before it is read.
    """
    if not isinstance(raw, Examples | Shards):
        return None
    digest = hashlib.sha256()
    for part in _parts(raw, preprocess, heads, stamps, verbose):
        # The length prefix keeps the boundaries between the parts part of the digest.
        digest.update(f"{len(part)}:".encode() + part)
    digest.update(repr(settings).encode())
    return digest.hexdigest()


def _parts(raw, preprocess, heads, stamps, verbose):
    yield __version__.encode()
    told = json.loads(preprocess.to_json())
    told["config"].pop("specs", None)  # the layers hold the same and more, but not the path of a preset
    yield json.dumps(told).encode()
    for layer in preprocess.layers:
        yield from (weight.numpy().tobytes() for weight in layer.weights)
        learned = [lookup.get_vocabulary() for lookup in getattr(layer, "lookups", ())]
        yield repr([*learned, getattr(layer, "vocabulary", None)]).encode()
    # The vocabulary learned from the labels.
    yield repr([head.meaning for head in heads if head.needs_targets]).encode()
    weights = [SAMPLE_WEIGHT] if SAMPLE_WEIGHT in raw.element_spec else []
    for name in [*preprocess.input, *(head.name for head in heads), *weights]:
        yield name.encode()
        if isinstance(raw, Shards):
            yield raw.digest.encode()
            continue
        values = raw.table[name]
        yield from _objects(values, stamps, verbose) if values.dtype == object else [values.tobytes()]


def _objects(values, stamps, verbose):
    """The lengths of all objects, so that their boundaries count, followed by their joined contents."""
    told = functools.cache(_stamp if stamps else _name)  # stat each file once, even if many rows refer to it
    starts = range(0, len(values), _ROWS)
    for i in shown_if_slow(starts, "Looking at files", len(starts), verbose):
        some = [value if isinstance(value, bytes) else told(value) for value in values[i : i + _ROWS]]
        yield np.array([len(value) for value in some], "int64").tobytes()
        yield b"".join(some)


def _name(path):
    return os.path.basename(path).encode()


def _stamp(path):
    inside = sorted(entry.path for entry in os.scandir(path)) if os.path.isdir(path) else []  # the frames of a clip
    try:
        told = [(each, os.stat(each)) for each in (path, *inside)]
    except FileNotFoundError:  # deleted after the table was read; reported with its row when the file is read
        return f"{path} is not there".encode()
    return " ".join(f"{each} {status.st_size} {status.st_mtime_ns}" for each, status in told).encode()
