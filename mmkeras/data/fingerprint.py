"""A digest of examples and of what preprocessing makes of them: equal digests, equal ready tensors."""

import hashlib
import os
from pathlib import Path

from mmkeras import __version__
from mmkeras.data.examples import Examples


def fingerprint(raw, preprocess, heads, *settings, stamps=True):
    """A digest of the columns that are used, of preprocess with all it learned, and of settings.

    Args:
        raw: `Examples`.
        preprocess: model from raw to ready.
        heads: list of the heads whose labels are used.
        settings: whatever else matters, compared by `repr`.
        stamps: sizes and dates of the files count; False: their names alone, wherever they lie.

    Returns:
        A string; None where `raw` is another data set, whose content is not known before it is read.
    """
    if not isinstance(raw, Examples):
        return None
    digest = hashlib.sha256()
    for part in _parts(raw, preprocess, heads, stamps):
        digest.update(f"{len(part)}:".encode() + part)  # so that the ends of the parts count
    digest.update(repr(settings).encode())
    return digest.hexdigest()


def _parts(raw, preprocess, heads, stamps):
    yield __version__.encode()
    yield preprocess.to_json().encode()
    for layer in preprocess.layers:
        yield from (weight.numpy().tobytes() for weight in layer.weights)
        learned = [lookup.get_vocabulary() for lookup in getattr(layer, "lookups", ())]
        yield repr([*learned, getattr(layer, "vocabulary", None)]).encode()
    for name in [*preprocess.input, *(head.name for head in heads)]:
        yield name.encode()
        values = raw.table[name]
        yield from (_bytes(value, stamps) for value in values) if values.dtype == object else [values.tobytes()]


def _bytes(value, stamps):
    if isinstance(value, bytes):
        return value
    if not stamps:
        return Path(value).name.encode()
    status = os.stat(value)
    return f"{value} {status.st_size} {status.st_mtime_ns}".encode()
