"""Run by test_resume.py: python run_and_kill.py FOLDER [kill]; with "kill" it ends itself amid epoch 3."""

import functools
import os
import signal
import sys

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

import mmkeras as mm
from mmkeras import train

COLUMNS = [f"x{i}" for i in range(6)]
SPEC = mm.Table("x", numeric=COLUMNS)
HEAD = mm.heads.classification("mood", classes=["a", "b", "c"])


@functools.cache
def raw(seed):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(40, 6)), columns=COLUMNS)
    frame["mood"] = np.array(HEAD.classes)[frame.to_numpy()[:, :3].argmax(1)]
    return mm.data.from_dataframe(frame, [SPEC], [HEAD])


@functools.cache
def preprocess():
    return mm.adapt(mm.preprocessor([SPEC]), raw(0), verbose=False)


def batches():
    return mm.data.train_batches(raw(0), preprocess(), [HEAD], batch_size=8)


def model(units=16):
    keras.utils.set_random_seed(3)
    inputs = {"x": keras.Input((6,), name="x"), "x_mask": keras.Input((6,), dtype="bool", name="x_mask")}
    hidden = keras.layers.BatchNormalization()(keras.layers.Dense(units, activation="relu")(inputs["x"]))
    hidden = keras.layers.Dropout(0.4)(hidden)
    built = keras.Model(inputs, {"mood": keras.layers.Dense(3, activation="softmax", name="mood")(hidden)})
    built.compile(keras.optimizers.Adam(0.02), loss={"mood": "sparse_categorical_crossentropy"})
    return built


def fit(folder, epochs=5, patience=9, extra=(), units=16):
    data, built = batches(), model(units)
    plateau = keras.callbacks.ReduceLROnPlateau("val_loss", factor=0.5, patience=1)
    chosen = train.callbacks(folder, data, patience=patience, others=[plateau, *extra])
    validation = mm.data.eval_batches(raw(1), preprocess(), [HEAD], batch_size=8)
    built.fit(data, validation_data=validation, epochs=epochs, verbose=0, callbacks=chosen)
    return built, chosen


class Kill(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if self.epoch == 2 and batch == 2:
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    tf.config.experimental.enable_op_determinism()
    fit(sys.argv[1], extra=[Kill()] if sys.argv[2:] == ["kill"] else [])
