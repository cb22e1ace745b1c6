"""Run by test_distribute.py in its own process: logical devices must be there before TensorFlow is first used."""

import sys

import keras
import numpy as np
import tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)

from mmkeras import distribute, evaluate, train  # noqa: E402


def data(n=30):
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 255, (n, 4, 4, 3)).astype("uint8")
    x = {"review": rng.integers(0, 20, (n, 5)).astype("int32"), "photo": photo, "photo_mask": rng.random((n, 1)) < 0.7}
    y = {"mood": rng.integers(0, 3, n).astype("int32"), "price": rng.normal(size=(n, 1)).astype("float32")}
    return tf.data.Dataset.from_tensor_slices((x, y)).batch(8)


def model():
    keras.utils.set_random_seed(1)
    review = keras.Input((5,), dtype="int32", name="review")
    photo = keras.Input((4, 4, 3), dtype="uint8", name="photo")
    mask = keras.Input((1,), dtype="bool", name="photo_mask")
    words = keras.layers.GlobalAveragePooling1D()(keras.layers.Embedding(20, 8)(review))
    seen = keras.layers.Dense(8)(keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(photo)))
    both = keras.layers.Concatenate()([words, seen * keras.ops.cast(mask, "float32")])
    outputs = {"mood": keras.layers.Dense(3, activation="softmax", name="mood")(both)}
    outputs["price"] = keras.layers.Dense(1, name="price")(both)
    built = keras.Model({"review": review, "photo": photo, "photo_mask": mask}, outputs)
    built.compile("adam", loss={"mood": "sparse_categorical_crossentropy", "price": "mse"})
    return built


def fit(strategy, folder, epochs=3):
    with strategy.scope():
        built = model()
    losses = built.fit(data(), epochs=epochs, verbose=0, callbacks=train.callbacks(folder, monitor="loss"))
    return losses.history["loss"], built


one, two = distribute.strategy("one_device"), distribute.strategy(devices=["CPU:0", "/cpu:1"])
alone, first = fit(one, f"{sys.argv[1]}/one")
mirrored, _ = fit(two, f"{sys.argv[1]}/two", epochs=1)
rest, second = fit(two, f"{sys.argv[1]}/two")  # resumed, under the strategy
answers = [evaluate.predict(built, data().take(1))[1]["price"] for built in (first, second)]
np.savez(
    f"{sys.argv[1]}/found.npz",
    replicas=[
        strategy.num_replicas_in_sync
        for strategy in (one, two, distribute.strategy(), distribute.strategy(devices=["CPU:1"]))
    ],
    losses=[alone, mirrored + rest],
    weights=[np.concatenate([weight.ravel() for weight in built.get_weights()]) for built in (first, second)],
    answers=answers,
)
