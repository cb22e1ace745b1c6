"""What does the package cost over plain Keras? One three-branch model, written by hand and through mmkeras, in turns.

    python tests/benchmarks/training.py

Both get the same ready examples from memory: token ids, uint8 pictures, float32 waveforms. Wanted: mmkeras / by hand
at least 0.97, for steady epochs and for the time from the first line of the model to the end of the first step.
"""

import argparse
import statistics
import time

import keras
import numpy as np
import tensorflow as tf
from rich.console import Console
from rich.table import Table

import mmkeras as mm

N, BATCH, TOKENS, WORDS, SIDE, RATE, SECONDS, CLASSES = 1536, 64, 32, 2000, 64, 8000, 1.0, 8
SPECS = [
    mm.Text("question", max_tokens=TOKENS, vocabulary_size=WORDS),
    mm.Image("photo", size=(SIDE, SIDE)),
    mm.Audio("voice", seconds=SECONDS, sample_rate=RATE),
]
HEADS = [mm.heads.classification("answer", classes=range(CLASSES))]


def examples():
    rng = np.random.default_rng(0)
    lengths = rng.integers(4, TOKENS + 1, (N, 1))
    mask = np.arange(TOKENS) < lengths
    return {
        "question": np.where(mask, rng.integers(2, WORDS, (N, TOKENS)), 0).astype("int32"),
        "question_mask": mask,
        "photo": rng.integers(0, 256, (N, SIDE, SIDE, 3)).astype("uint8"),
        "voice": rng.uniform(-1, 1, (N, int(RATE * SECONDS))).astype("float32"),
        "voice_mask": np.ones((N, int(RATE * SECONDS)), bool),
        "answer": rng.integers(0, CLASSES, N).astype("int32"),
    }


def blocks(x):
    for filters in (32, 64, 128):
        x = keras.layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = keras.layers.BatchNormalization()(x)
        x = keras.layers.ReLU()(x)
        x = keras.layers.MaxPooling2D(2)(x)
    return x


def by_hand():
    """What a good engineer would write: masked LSTM, folded normalisation, Keras' own mel spectrogram."""
    question = keras.Input((None,), dtype="int32", name="question")
    x = keras.layers.Embedding(WORDS, 128, mask_zero=True)(question)
    x = keras.layers.LSTM(128)(x)
    photo = keras.Input((SIDE, SIDE, 3), dtype="uint8", name="photo")
    y = keras.layers.GlobalAveragePooling2D()(blocks(keras.layers.Rescaling(1 / 127.5, -1.0)(photo)))
    voice = keras.Input((int(RATE * SECONDS),), name="voice")
    mel = keras.layers.MelSpectrogram(256, int(0.01 * RATE), int(0.025 * RATE), sampling_rate=RATE, num_mel_bins=64)
    z = keras.layers.Permute((2, 1))(mel(voice))
    z = blocks(keras.layers.BatchNormalization()(keras.layers.Reshape((*z.shape[1:], 1))(z)))
    z = keras.layers.Reshape((z.shape[1], z.shape[2] * z.shape[3]))(z)
    z = keras.layers.GlobalAveragePooling1D()(keras.layers.Dense(128, activation="relu")(z))
    fused = keras.layers.Dense(128, activation="relu")(keras.layers.Concatenate()([x, y, z]))
    answer = keras.layers.Dense(CLASSES, activation="softmax", name="answer")(fused)
    model = keras.Model({"question": question, "photo": photo, "voice": voice}, {"answer": answer})
    model.compile("adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def by_hand_batches(arrays):
    x = {name: arrays[name] for name in ("question", "photo", "voice")}
    data = tf.data.Dataset.from_tensor_slices((x, {"answer": arrays["answer"]}))
    return data.shuffle(N).batch(BATCH, drop_remainder=True).prefetch(tf.data.AUTOTUNE)


def through_mmkeras():
    branches = {
        "question": mm.branches.text.lstm(SPECS[0]),
        "photo": mm.branches.image.conv2d(SPECS[1], pool="mean"),
        "voice": mm.branches.audio.conv2d(SPECS[2], pool="mean"),
    }
    model = mm.fusion_model(SPECS, branches, mm.fusion.Concatenate(128), HEADS)
    model.compile("adam", **mm.heads.compile_for(HEADS))
    return model


def mmkeras_batches(arrays):
    """The second half of `mm.data.train_batches(cache="memory")`: its store, its order, its batches."""
    ready = {
        name: keras.Input(a.shape[1:], dtype=a.dtype.name, name=name) for name, a in arrays.items() if name != "answer"
    }
    as_they_are = keras.Model(ready, dict(ready))
    data = tf.data.Dataset.from_tensor_slices(arrays)
    return mm.data.train_batches(data, as_they_are, HEADS, batch_size=BATCH, cache="memory", verbose=False)


def first_step(build, batches):
    """Seconds from the first line of the model to the end of the first training step, and the model."""
    keras.backend.clear_session()
    start = time.perf_counter()
    model = build()
    model.fit(batches.take(1), verbose=0)
    return time.perf_counter() - start, model


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    arrays = examples()
    sides = {"by hand": (by_hand, by_hand_batches(arrays)), "mmkeras": (through_mmkeras, mmkeras_batches(arrays))}
    first, epoch, models = {name: [] for name in sides}, {name: [] for name in sides}, {}
    for i in range(rounds):
        # Alternate the order, so that neither side is always second.
        for name in list(sides) if i % 2 else list(sides)[::-1]:
            seconds, models[name] = first_step(*sides[name])
            first[name].append(seconds)
    for name, (_, batches) in sides.items():
        models[name].fit(batches, verbose=0)  # traces the whole epoch and fills the pipeline
    for i in range(rounds):
        for name in list(sides) if i % 2 else list(sides)[::-1]:
            start = time.perf_counter()
            models[name].fit(sides[name][1], verbose=0)
            epoch[name].append(time.perf_counter() - start)
    show(first, epoch, {name: model.count_params() for name, model in models.items()})


def show(first, epoch, parameters):
    table = Table("", "first step, s", "samples/s", "parameters", title=f"LSTM + Conv2D + Conv2D, batch {BATCH}")
    used = N // BATCH * BATCH
    for name in first:
        row = f"{statistics.median(first[name]):.2f}", f"{used / statistics.median(epoch[name]):.0f}"
        table.add_row(name, *row, f"{parameters[name]:,}")
    ratios = [statistics.median(h / m for h, m in zip(t["by hand"], t["mmkeras"], strict=True)) for t in (first, epoch)]
    table.add_row("mmkeras / by hand", *(f"{ratio:.3f}" for ratio in ratios), "")
    Console().print(table)


if __name__ == "__main__":
    main()
