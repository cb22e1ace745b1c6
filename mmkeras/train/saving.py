"""Files that are replaced atomically: if the process is killed while writing, the previous file remains."""

import contextlib
import json
import os
import zipfile
from os import PathLike
from pathlib import Path

import keras
import numpy as np

from mmkeras.checks import did_you_mean


@contextlib.contextmanager
def whole(path):
    """A binary file to write to; it replaces `path` once it is complete."""
    partial = Path(path).with_name(Path(path).name + ".writing")
    with open(partial, "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)


def load(path):
    try:
        return np.load(path, allow_pickle=False)
    except (ValueError, OSError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"{path} is not a file of mmkeras.train. Received: {error}. Delete it to start again."
        ) from error


def whole_epochs(run_dir: str | PathLike[str]) -> int:
    """Number of completed epochs of the run in `run_dir`; 0 if there is no run.

    Example:

    >>> whole_epochs("no/such/run")
    0
    """
    path = Path(run_dir).expanduser() / "resume.npz"
    if not path.exists():
        return 0
    with load(path) as saved:
        return json.loads(str(saved["meta"]))["epoch"]


class BestCheckpoint(keras.callbacks.ModelCheckpoint):
    """`ModelCheckpoint(save_best_only=True)` that replaces its file atomically."""

    def __init__(self, path: str | PathLike[str], *, monitor: str = "val_loss", mode: str = "min") -> None:
        self.path = Path(path).expanduser()
        self.partial = self.path.with_suffix(".writing.keras")
        # Keras formats the path, so braces are escaped.
        template = str(self.partial).replace("{", "{{").replace("}", "}}")
        super().__init__(template, monitor, mode=mode, save_best_only=True)

    def on_train_begin(self, logs=None):
        self.partial.unlink(missing_ok=True)  # partial file of a run that was killed
        super().on_train_begin(logs)

    def on_epoch_end(self, epoch, logs=None):
        names = {name.removeprefix("val_") for name in logs}
        if self.monitor.removeprefix("val_") not in names:
            raise ValueError(
                f"monitor must be a key of the log. Received: monitor={self.monitor!r}, the log has {sorted(logs)}. "
                f"{did_you_mean(self.monitor, [*logs, *(f'val_{name}' for name in names)])}"
            )
        super().on_epoch_end(epoch, logs)
        if self.partial.exists():
            os.replace(self.partial, self.path)
