"""Callbacks for `model.fit`: best checkpoint, early stopping, exact resuming, a log and its curves, in one run folder.

    run_dir/
      best.keras     the model of the best epoch so far
      resume.npz     everything the next epoch depends on, as of the end of the last whole epoch
      log.csv        one row per epoch
      curves.png     the log, drawn
      lock           which process trains here, or trained last

The same script run again after a kill goes on behind the last whole epoch, and ends with the weights of a run that was
never interrupted:

    keras.utils.set_random_seed(1)
    tf.config.experimental.enable_op_determinism()      # else sums may differ in their last bits
    ...
    model.fit(batches, validation_data=..., epochs=20, callbacks=mm.train.callbacks("runs/1", batches))
"""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import keras

from mmkeras.distribute import cluster
from mmkeras.train._direction import Direction, direction
from mmkeras.train._discriminative import Discriminative, discriminative
from mmkeras.train._private import PrivateModel, privacy_budget, private
from mmkeras.train._transfer import transfer
from mmkeras.train.baseline import Baseline
from mmkeras.train.lock import Lock, RunInUseError
from mmkeras.train.log import Curves, Log, draw_log
from mmkeras.train.resume import Resume
from mmkeras.train.samples import SampleAnswers
from mmkeras.train.saving import BestCheckpoint, whole_epochs
from mmkeras.train.schedule import adamw

__all__ = [
    "Baseline", "BestCheckpoint", "Curves", "Direction", "Discriminative", "Lock", "Log", "PrivateModel", "Resume",
    "RunInUseError", "SampleAnswers", "adamw", "callbacks", "direction", "discriminative", "draw_log",
    "privacy_budget", "private", "transfer", "whole_epochs",
]  # fmt: skip


def callbacks(
    run_dir: str | PathLike[str],
    batches: Any = None,
    *,
    monitor: str = "val_loss",
    mode: str = "auto",
    patience: int | None = 10,
    others: Sequence[keras.callbacks.Callback] = (),
) -> list[keras.callbacks.Callback]:
    """The callbacks of one training run, for `model.fit(..., callbacks=...)`.

    After `fit` the model has the weights of the best epoch, and heads that are no better than a constant answer are
    named (see `Baseline`). Calling `fit` again with the same folder goes on behind its last epoch; where that was
    already the last, or early stopping ended the run, nothing is trained (a message says so) until `epochs` or
    `patience` is larger.

    Of several workers (see `distribute.strategy`) only the chief writes; all of them read `run_dir` where a run goes
    on, so it must lie on a file system that they share.

    Args:
        run_dir: folder of the run, `~` for the home folder; made where it is not there. One training at a time may use
            it.
        batches: what `fit` is given, made by `mmkeras.data.train_batches`: their `epoch` is set at the beginning of
            each epoch, so that a resumed run sees the order of the uninterrupted one. None, or data sets without
            `epoch`: the order is not replayed.
        monitor: key of the log that says which epoch is the best.
        mode: "min", "max", or "auto": what the monitored metric itself knows; losses are to fall. What no metric of the
            model tells is refused after the first batch.
        patience: epochs without improvement after which training stops. None: it does not stop, and the model keeps
            the weights of the last epoch (`best.keras` has the best ones).
        others: further callbacks. Of `ReduceLROnPlateau`, `EarlyStopping` and `ModelCheckpoint` among them, the state
            is resumed too.

    Returns:
        List of `keras.callbacks.Callback`, in an order that matters: put further ones into `others`.

    Raises:
        ValueError: an unknown `mode`; from `fit`, what `Direction`, `BestCheckpoint` and `Resume` raise.
        RunInUseError: from `fit`, where another training uses the folder.

    Example:

    >>> import tempfile
    >>> from mmkeras import train
    >>> folder = tempfile.mkdtemp()
    >>> [type(callback).__name__ for callback in train.callbacks(folder)]
    ['Lock', 'BestCheckpoint', 'EarlyStopping', 'Log', 'Curves', 'Baseline', 'Direction', 'Resume']
    """
    if mode not in ("min", "max", "auto"):
        raise ValueError(f'mode is "min", "max" or "auto". Received: mode={mode!r}.')
    run_dir = Path(run_dir).expanduser()
    run_dir.mkdir(parents=True, exist_ok=True)
    best, stopping = BestCheckpoint(run_dir / "best.keras", monitor=monitor, mode=mode), []
    if patience is not None:
        stopping = [keras.callbacks.EarlyStopping(monitor, mode=mode, patience=patience, restore_best_weights=True)]
    curves = Curves(run_dir, monitor=monitor, mode=mode)
    # Only what was made here: others have monitors of their own. On all workers alike, since they meet to read metrics.
    directed = Direction(monitor, [best, *stopping, curves])
    if not cluster().is_chief:
        return [*stopping, *others, directed, Resume(run_dir, batches, callbacks=[*stopping, *others])]
    chosen = [best, *stopping, *others, Log(run_dir), curves, Baseline(run_dir, batches)]
    return [Lock(run_dir), *chosen, directed, Resume(run_dir, batches, callbacks=chosen)]
