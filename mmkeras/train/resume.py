"""Resuming an interrupted run with the same result."""

import json
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import keras
import numpy as np

from mmkeras.distribute import cluster
from mmkeras.train.saving import load, whole, whole_epochs

# State of EarlyStopping, ModelCheckpoint, ReduceLROnPlateau and AnswerScores. Their arguments are not restored, so that
# a resumed run may use a larger patience, for example.
_REMEMBERED = ("best", "best_epoch", "wait", "stopped_epoch", "cooldown_counter", "last_scores")


class Resume(keras.callbacks.Callback):
    """Saves the whole training state at the end of each epoch, and restores it when a run is resumed.

    The state consists of the weights, the seeds of `Dropout` and similar layers (which `save_weights`, and so Keras'
    `BackupAndRestore`, omit), the optimizer with its learning rate, the state of other callbacks, and the epoch, which
    determines the order of the batches. An interrupted epoch is repeated from its beginning. An epoch whose loss is not
    finite is not saved. Not covered: random numbers drawn without a `SeedGenerator`, and metrics.

    Args:
        run_dir: folder of `resume.npz`.
        batches: data set with the attribute `epoch`, a `tf.Variable`, or None.
        callbacks: callbacks whose state is saved; they must precede this one in the list.

    Raises:
        ValueError: the folder holds the run of another model or of other examples.
    """

    def __init__(
        self, run_dir: str | PathLike[str], batches: Any = None, *, callbacks: Sequence[keras.callbacks.Callback] = ()
    ) -> None:
        super().__init__()
        self.path = Path(run_dir).expanduser() / "resume.npz"
        self.order = getattr(batches, "epoch", None)
        self.fingerprint = getattr(batches, "fingerprint", None)
        self.callbacks = list(callbacks)

    def on_train_begin(self, logs=None):
        if not self.model.built:
            raise ValueError("Resuming needs a built model. Received: one without weights. Call it on a batch first.")
        if not self.model.optimizer.built:
            self.model.optimizer.build(self.model.trainable_variables)
        strategy = getattr(self.model, "distribute_strategy", None)  # only the TensorFlow backend sets it
        if hasattr(strategy, "check_alike"):
            saved = whole_epochs(self.path.parent)
            strategy.check_alike(f"run folder, which has the epochs saved so far ({self.path.parent})", saved)
        if self.path.exists():
            self._restore()

    def on_epoch_begin(self, epoch, logs=None):
        if self.order is not None:
            self.order.assign(epoch)

    def on_epoch_end(self, epoch, logs=None):
        if not np.isfinite(logs.get("loss", 0.0)):
            print(f"Epoch {epoch + 1}: the loss is not finite; {self.path} keeps the last epoch with a finite loss.")
            return
        arrays = {f"variable_{i}": keras.ops.convert_to_numpy(v) for i, v in enumerate(self._variables())}
        remembered = {name: _state(callback) for name, callback in self._named()}
        meta = {"epoch": epoch + 1, "model": self._signature(), "callbacks": remembered, "batches": self.fingerprint}
        for name, callback in self._named():
            best = getattr(callback, "best_weights", None) or []
            arrays |= {f"{name}_best_{i}": array for i, array in enumerate(best)}
        if not cluster().is_chief:
            return  # after the variables are read, which synchronises all workers
        with whole(self.path) as file:
            np.savez(file, meta=json.dumps(meta), **arrays)

    def on_train_end(self, logs=None):
        # Otherwise a later `fit` without these callbacks would also start at this epoch.
        self.model._initial_epoch = None

    def _variables(self):
        return [*self.model.variables, *self.model.optimizer.variables]

    def _named(self):
        """(name, callback) pairs; the name is the class and a counter."""
        named, classes = [], [type(callback).__name__ for callback in self.callbacks]
        for i, callback in enumerate(self.callbacks):
            named.append((f"{classes[i]}_{classes[:i].count(classes[i])}", callback))
        return named

    def _signature(self):
        """What must be equal to resume a run; without names made up by Keras, which count on from model to model."""
        ends = [f"{name} {tuple(t.shape)}" for ends in (self.model.input, self.model.output) for name, t in _flat(ends)]
        optimizer = [type(self.model.optimizer).__name__]
        weights = [f"{v.path.split('/')[-1]} {tuple(v.shape)} {v.dtype}" for v in self.model.variables]
        return ends + weights + optimizer + [f"{tuple(v.shape)} {v.dtype}" for v in self.model.optimizer.variables]

    def _restore(self):
        with load(self.path) as saved:
            meta = json.loads(str(saved["meta"]))
            self._check(meta["model"])
            self._check_batches(meta["batches"])
            for i, variable in enumerate(self._variables()):
                variable.assign(_typed(saved[f"variable_{i}"], variable.dtype))
            for name, callback in self._named():
                self._remind(callback, name, meta["callbacks"].get(name, {}), saved)
        self._go_on(meta["epoch"])

    def _remind(self, callback, name, state, saved):
        for attribute, value in state.items():
            setattr(callback, attribute, value)
        if f"{name}_best_0" in saved:
            weights = enumerate(self.model.weights)
            callback.best_weights = [_typed(saved[f"{name}_best_{i}"], weight.dtype) for i, weight in weights]

    def _go_on(self, epoch):
        stopped = [c for c in self.callbacks if isinstance(c, keras.callbacks.EarlyStopping) and c.stopped_epoch]
        done = any(callback.wait >= callback.patience for callback in stopped)
        if done or epoch >= self.params["epochs"]:
            why = "stopped early" if done else "is at its end"
            more = "a larger patience" if done else "more epochs"
            print(f"The run in {self.path.parent} {why} after epoch {epoch}: nothing to train. To go on, give {more}.")
            epoch = self.params["epochs"]
        self.model._initial_epoch = epoch

    def _check(self, saved):
        here = self._signature()
        if saved == here:
            return
        pairs = [*zip(saved, here, strict=False), (f"{len(saved)} entries", f"{len(here)} entries")]
        there, now = next(pair for pair in pairs if pair[0] != pair[1])
        raise ValueError(
            f"A run can only be resumed with the same model. {self.path} was written by another one: that one has "
            f"'{there}', this one '{now}'. Received: run_dir='{self.path.parent}'. Give a new run_dir, or delete that "
            "folder."
        )

    def _check_batches(self, saved):
        if None not in (saved, self.fingerprint) and saved != self.fingerprint:
            raise ValueError(
                f"A run can only be resumed with the same examples, seed and batch size. {self.path} was written with "
                f"others. Received: run_dir='{self.path.parent}'. Give a new run_dir, or delete that folder."
            )


def _state(callback):
    state = {name: getattr(callback, name) for name in _REMEMBERED if hasattr(callback, name)}
    return {name: float(value) if name == "best" and value is not None else value for name, value in state.items()}


def _flat(tensors):
    named = tensors if isinstance(tensors, dict) else dict(enumerate(keras.tree.flatten(tensors)))
    return sorted((str(name), tensor) for name, tensor in named.items())


def _typed(array, dtype):
    # NumPy files cannot store bfloat16: its bytes are loaded as void.
    return array.view(keras.backend.standardize_dtype(dtype)) if array.dtype.kind == "V" else array
