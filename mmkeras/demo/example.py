"""The request that an export recorded -> what the widgets of a page hold, with its files in a folder."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmkeras.demo.answers import short
from mmkeras.demo.values import FILES
from mmkeras.demo.without import is_absent

_SUFFIXES = {b"\x89PNG": ".png", b"\xff\xd8\xff": ".jpg", b"GIF8": ".gif", b"BM": ".bmp", b"RIFF": ".wav",
             b"PK\3\4": ".zip"}  # fmt: skip


def held(row: Mapping[str, Any], inputs: Sequence[Any], folder: Path) -> dict[str, Any]:
    """What the widget of each input holds for a raw example: a text, a number, or the path of a file in `folder`."""
    return {each.name: _held(each, row[each.name], folder) for each in inputs}


def _held(each, value, folder):
    if is_absent(value if isinstance(value, bytes) else np.asarray(value)):
        return None
    if each.kind in FILES:
        return _written(each.name, value, folder)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return ", ".join(map(short, np.ravel(value).tolist())) if each.shape else float(value)


def _written(name, content, folder):
    suffix = next((suffix for start, suffix in _SUFFIXES.items() if content.startswith(start)), "")
    path = Path(folder, f"{name}-{hashlib.sha256(content).hexdigest()[:8]}{suffix}")
    path.write_bytes(content)
    return str(path)
