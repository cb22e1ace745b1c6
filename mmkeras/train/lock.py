"""Allows only one training at a time in a run folder."""

import errno
import fcntl
import os
import socket
import threading
import warnings
from os import PathLike
from pathlib import Path

import keras

_HELD = {}  # path -> (open file, thread); a POSIX lock belongs to the process and is released when the file is closed


class RunInUseError(RuntimeError):
    """Another training is writing into the run folder."""


class Lock(keras.callbacks.Callback):
    """Locks the run folder while `fit` trains, so that no other training writes into it.

    The operating system releases the lock when the process ends in any way, so a run that was killed can be resumed at
    once. After `fit` failed, the process keeps the lock and may train there again.

    Args:
        run_dir: folder of the run; its file `lock` names the process that holds the lock or held it last.

    Raises:
        RunInUseError: another process, or another thread of this one, trains there.
    """

    def __init__(self, run_dir: str | PathLike[str]) -> None:
        super().__init__()
        self.path = (Path(run_dir).expanduser() / "lock").resolve()

    def on_train_begin(self, logs=None):
        file, thread = _HELD.get(self.path, (None, None))
        if thread not in (None, threading.current_thread()) and thread.is_alive():
            self._refuse(f"thread '{thread.name}' of this process")
        _HELD[self.path] = file or self._taken(), threading.current_thread()

    def on_train_end(self, logs=None):
        file, _ = _HELD.pop(self.path, (None, None))
        if file:
            file.close()

    def _taken(self):
        file = open(self.path, "a+", encoding="utf-8")  # noqa: SIM115 - closing the file would release the lock
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EAGAIN):
                file.seek(0)
                holder = file.read()
                file.close()
                self._refuse(holder)
            warnings.warn(f"{self.path} cannot be locked ({error}): start one training at a time there.", stacklevel=2)
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}")
        file.flush()
        return file

    def _refuse(self, holder):
        raise RunInUseError(
            f"One training at a time may use a run folder. Received: run_dir='{self.path.parent}', in which {holder} "
            "trains. Give another run_dir, or wait until that training has ended."
        )
