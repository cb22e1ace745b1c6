"""Callbacks for `model.fit`: best checkpoint, early stopping, exact resuming, a log and its curves, in one run folder.

    run_dir/
      best.keras     the model of the best epoch so far
      resume.npz     the complete training state at the end of the last completed epoch
      log.csv        one row per epoch
      curves.png     a plot of the log
      lock           the process that is training here, or was the last to do so

When an interrupted script is run again, it continues after the last completed epoch and ends with the same weights as
an uninterrupted run:

    keras.utils.set_random_seed(1)
    tf.config.experimental.enable_op_determinism()      # otherwise sums may differ in the last bits
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
from mmkeras.train._micro_batches import micro_batches
from mmkeras.train._private import PrivateModel, privacy_budget, private
from mmkeras.train._pseudo_labels import pseudo_labels
from mmkeras.train._transfer import transfer
from mmkeras.train.answer_scores import AnswerScores
from mmkeras.train.baseline import Baseline
from mmkeras.train.lock import Lock, RunInUseError
from mmkeras.train.log import Curves, Log, draw_log
from mmkeras.train.resume import Resume
from mmkeras.train.samples import SampleAnswers
from mmkeras.train.saving import BestCheckpoint, whole_epochs
from mmkeras.train.schedule import adamw

__all__ = [
    "AnswerScores", "Baseline", "BestCheckpoint", "Curves", "Direction", "Discriminative", "Lock", "Log",
    "PrivateModel", "Resume", "RunInUseError", "SampleAnswers", "adamw", "callbacks", "direction", "discriminative",
    "draw_log", "micro_batches", "privacy_budget", "private", "pseudo_labels", "transfer", "whole_epochs",
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
    reported (see `Baseline`). Calling `fit` again with the same folder resumes after its last epoch. If the run was
    already complete, or was ended by early stopping, nothing is trained and a message is printed, until `epochs` or
    `patience` is increased.

    With several workers (see `distribute.strategy`) only the chief writes. All workers read `run_dir` to resume, so it
    must be on a shared file system.

    Args:
        run_dir: folder of the run, created if it does not exist; `~` is the home folder. Only one training at a time
            can use it.
        batches: the training batches passed to `fit`, from `mmkeras.data.train_batches`. Their `epoch` is set at the
            start of each epoch, so that a resumed run sees the examples in the same order as an uninterrupted one. If
            None, or a data set without `epoch`, the order is not reproduced.
        monitor: key of the log that determines the best epoch.
        mode: "min", "max" or "auto", which takes the direction from the monitored metric; losses are minimized. If the
            direction cannot be determined, an error is raised after the first batch.
        patience: number of epochs without improvement after which training stops. If None, training does not stop
            early, and the model keeps the weights of the last epoch (`best.keras` has the best ones).
        others: further callbacks. The state of `ReduceLROnPlateau`, `EarlyStopping` and `ModelCheckpoint` is resumed as
            well. The scores of `AnswerScores` can be monitored.

    Returns:
        List of `keras.callbacks.Callback`, whose order matters: pass further ones as `others`.

    Raises:
        ValueError: `mode` is unknown; during `fit`, the errors of `Direction`, `BestCheckpoint` and `Resume`.
        RunInUseError: during `fit`, if another training uses the folder.

    Example:

    >>> import tempfile
    >>> from mmkeras import train
    >>> folder = tempfile.mkdtemp()
    >>> [type(callback).__name__ for callback in train.callbacks(folder)]
    ['Lock', 'BestCheckpoint', 'EarlyStopping', 'Log', 'Curves', 'Baseline', 'Direction', 'Resume']
    """
    if mode not in ("min", "max", "auto"):
        raise ValueError(f'mode must be "min", "max" or "auto". Received: mode={mode!r}.')
    run_dir = Path(run_dir).expanduser()
    run_dir.mkdir(parents=True, exist_ok=True)
    best, stopping = BestCheckpoint(run_dir / "best.keras", monitor=monitor, mode=mode), []
    if patience is not None:
        stopping = [keras.callbacks.EarlyStopping(monitor, mode=mode, patience=patience, restore_best_weights=True)]
    curves = Curves(run_dir, monitor=monitor, mode=mode)
    # What adds scores to the log comes before all that read it.
    scores = [each for each in others if isinstance(each, AnswerScores)]
    others = [each for each in others if each not in scores]
    # Set the direction of these callbacks only: the user's may monitor something else. Do so on all workers, because
    # reading metrics synchronises them.
    directed = Direction(monitor, [best, *stopping, curves])
    if not cluster().is_chief:
        chosen = [*scores, *stopping, *others]
        return [*chosen, directed, Resume(run_dir, batches, callbacks=chosen)]
    chosen = [*scores, best, *stopping, *others, Log(run_dir), curves, Baseline(run_dir, batches)]
    return [Lock(run_dir), *chosen, directed, Resume(run_dir, batches, callbacks=chosen)]
