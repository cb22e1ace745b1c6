"""Run by test_resume.py: python run_and_kill.py FOLDER [kill]; with "kill" it ends itself amid epoch 3."""

import os
import signal
import sys

import keras
import numpy as np
import tensorflow as tf

from mmkeras import train


def batches(seed=0, size=8):
    """Batches as `train_batches` makes them: the order is a function of (seed, epoch), counted in `epoch`."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(40, 6)).astype("float32")
    y = np.argmax(x[:, :3], axis=-1).astype("int32")
    epoch = tf.Variable(0, dtype="int64", trainable=False)

    def order(_):
        now = epoch.read_value()
        epoch.assign_add(1)
        rows = tf.random.experimental.stateless_shuffle(tf.range(40), seed=tf.stack([tf.cast(seed, "int64"), now]))
        return tf.data.Dataset.from_tensor_slices(rows)

    rows = tf.data.Dataset.range(1).flat_map(order)
    dataset = rows.map(lambda row: ({"x": tf.gather(x, row)}, {"mood": tf.gather(y, row)})).batch(size)
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(5))
    dataset.epoch = epoch
    return dataset


def model(units=16):
    keras.utils.set_random_seed(3)
    inputs = {"x": keras.Input((6,), name="x")}
    hidden = keras.layers.BatchNormalization()(keras.layers.Dense(units, activation="relu")(inputs["x"]))
    hidden = keras.layers.Dropout(0.4)(hidden)
    built = keras.Model(inputs, {"mood": keras.layers.Dense(3, activation="softmax", name="mood")(hidden)})
    built.compile(keras.optimizers.Adam(0.02), loss={"mood": "sparse_categorical_crossentropy"})
    return built


def fit(folder, epochs=5, patience=9, extra=(), units=16):
    data, built = batches(), model(units)
    plateau = keras.callbacks.ReduceLROnPlateau("val_loss", factor=0.5, patience=1)
    chosen = train.callbacks(folder, data, patience=patience, others=[plateau, *extra])
    validation = batches(seed=1)
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
