"""What must be the same on all workers before they start: versions, and the code itself."""

import hashlib
import platform
import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from mmkeras import __version__


def versions():
    """Dict, name -> version; of this package and of the script that runs, with a digest of the source."""
    root = Path(__file__).parents[1]
    found = {
        "mmkeras": f"{__version__} ({_digest(sorted(root.rglob('*.py')))})",
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
        "Python": ".".join(platform.python_version_tuple()[:2]),
    }
    script = getattr(sys.modules.get("__main__"), "__file__", None)
    if script and Path(script).is_file():
        found["script"] = f"{Path(script).name} ({_digest([Path(script)])})"
    return found


def _digest(paths):
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
