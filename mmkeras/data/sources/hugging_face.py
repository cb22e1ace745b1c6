"""The columns of a Hugging Face `datasets.Dataset` as a table: contents of files go into the cache of `archives`.

Everything comes through slices of the columns as they are stored, with no decoding.
"""

import copy
import json
from pathlib import Path

import numpy as np
import pandas as pd

from mmkeras.data.files import archives
from mmkeras.data.modalities import kind_of
from mmkeras.data.sources.stream import leaves, picker

_AT_ONCE = 100


def table(dataset, files, vectors, used, sample_rate):
    """The columns that are used, and those of single values, by which one may split.

    Args:
        dataset: `datasets.Dataset`.
        files: dict, column -> its spec, for pictures and sounds.
        vectors: names of the columns of vectors.
        used: names of the columns that are needed.
        sample_rate: of sounds that are stored as samples alone, in Hz.

    Returns:
        `pandas.DataFrame`: pictures and sounds as paths, None where absent; a ClassLabel as the class's name.
    """
    columns, features = {}, dict(dataset.features)
    for key in leaves(features):
        feature = picker(key)(features)
        if key in files:
            columns[key] = _files(dataset, key, files[key], sample_rate)
        elif key in used or _is_plain(feature):
            kept = _compact if key in vectors else lambda cell: cell
            cells = [kept(cell) for batch in _batches(dataset, key) for cell in batch]
            columns[key] = pd.Series(_named(feature, cells), dtype=object)
    return pd.DataFrame(columns)


def _compact(cell):
    """Converts lists of numbers to float32 arrays: 4 bytes per number instead of 32."""
    try:
        return np.asarray(cell, "float32") if isinstance(cell, list) else cell
    except (TypeError, ValueError):
        return cell  # reported with its row when the table is read


def _is_plain(feature):
    return type(feature).__name__ in ("Value", "ClassLabel") and "binary" not in feature.dtype


def _batches(dataset, key):
    """Lists of a column's cells as they are stored."""
    top = key if key in dataset.features else key.split(".")[0]
    stored, feature, pick = dataset.with_format(None).select_columns([top]), dataset.features[top], picker(key)
    if _undecoded(feature) != feature:  # casting unaffected columns would rewrite them
        stored = stored.cast_column(top, _undecoded(feature))
    for start in range(0, len(stored), _AT_ONCE):
        yield [pick({top: cell}) for cell in stored[start : start + _AT_ONCE][top]]


def _undecoded(feature):
    """The same feature, with files returned as {"bytes", "path"} instead of decoded."""
    if isinstance(feature, dict):
        return {key: _undecoded(inner) for key, inner in feature.items()}
    feature = copy.copy(feature)
    if hasattr(feature, "decode"):
        feature.decode = False
    return feature


def _named(feature, cells):
    """ClassLabel numbers, or lists of them, as class names; -1 means no label."""
    feature = getattr(feature, "feature", feature)
    names = getattr(feature, "names", None)
    if not names:
        return cells

    def named(cell):
        if isinstance(cell, list):
            return [named(each) for each in cell]
        return None if cell is None or cell < 0 else names[cell]

    return [named(cell) for cell in cells]


def labels(head, column):
    """Converts stored labels to the values that a table would have."""
    return pd.Series([head.named(value, row) for row, value in column.items()], column.index, dtype=object)


def _files(dataset, key, spec, sample_rate):
    """Path of each cell's file, or None if it is absent; contents are written into the cache."""

    def fill(folder):
        kept = []
        for batch in _batches(dataset, key):
            kept += [_keep(cell, spec, Path(folder), len(kept) + i, sample_rate) for i, cell in enumerate(batch)]
        (Path(folder) / "index.json").write_text(json.dumps(kept))

    folder = archives.once(key, f"{dataset._fingerprint} {key} {spec.kind} {sample_rate}", fill)
    kept = json.loads((folder / "index.json").read_text())
    return pd.Series([str(folder / name) if name else None for name in kept], dtype=object)


def _keep(cell, spec, folder, row, sample_rate):
    """Path of a cell's file: absolute, or a name in the folder that its content is written to; "" if there is none."""
    cell = cell if isinstance(cell, dict) else {"path" if isinstance(cell, str) else "bytes": cell}
    content, path = cell.get("bytes"), cell.get("path") or ""
    if "array" in cell or isinstance(content, list | np.ndarray):
        content = _encode(spec, row, cell.get("array", content), cell.get("sampling_rate", sample_rate))
    if content is None:
        return _local(spec, row, path) if path else ""
    if not content:
        return ""
    suffix = Path(path).suffix
    suffix = kind_of(spec).suffix(content, suffix)
    (folder / f"{row:08d}{suffix}").write_bytes(content)
    return f"{row:08d}{suffix}"


def _local(spec, row, path):
    if "://" in path:
        raise ValueError(
            f"Files must lie within the data set or on this machine. Received: {path!r} as '{spec.name}' in row {row}. "
            "Download them first."
        )
    return str(Path(path).absolute())


def _encode(spec, row, values, rate):
    array = np.asarray(values)
    content = kind_of(spec).encoded(spec, row, array, rate)
    if content is not None:
        return content
    raise ValueError(
        "Decoded sounds have shape (S,), pictures (H, W) or (H, W, C), videos (N, H, W, C); pixels are whole numbers "
        f"from 0 to 255. Received: shape {array.shape}, {array.dtype}, as '{spec.name}' in row {row}. Store them so: "
        "dataset.map(...)."
    )
