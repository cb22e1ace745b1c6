"""What do training and answering of `heads.generation` cost beside other ways to the same end? In turns, by ratios.

    python tests/benchmarks/generation.py

Training beside the same model by hand (Keras' embeddings and MultiHeadAttention, shifted labels as an input; wanted: at
least 0.97 of its speed). Greedy answers with cached keys and values beside recomputing the whole sequence for every
token, in one graph, and beside a Python loop over `predict`; and the LiteRT file, per token.
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops
from rich.console import Console
from rich.table import Table

import mmkeras as mm

N, BATCH, READ, LENGTH, WORDS, DIM, HEADS = 1024, 64, 24, 24, 1000, 128, 4
SPEC = mm.Text("source", max_tokens=READ, vocabulary=[f"w{i}" for i in range(WORDS - 2)])
HEAD = mm.heads.generation("target", max_tokens=LENGTH - 1, vocabulary=[f" w{i}" for i in range(WORDS - 3)], dim=DIM,
                           num_heads=HEADS, dropout=0.0)  # fmt: skip


def examples():
    rng = np.random.default_rng(0)
    x = {"source": rng.integers(2, WORDS, (N, READ)).astype("int32"), "source_mask": np.ones((N, READ), bool)}
    target = rng.integers(2, WORDS - 1, (N, LENGTH)).astype("int32")
    target[:, -1] = WORDS - 1
    return x, {"target": target}


def through_mmkeras():
    branch = mm.branches.text.transformer(SPEC, dim=DIM, num_layers=0, dropout=0.0, unknown_rate=0.0)
    model = mm.encoder_decoder([SPEC], {"source": branch}, [HEAD], dim=DIM)
    model.compile("adam", **mm.heads.compile_for([HEAD]))
    return model


def by_hand():
    """The same layers by Keras' own, under teacher forcing."""
    source, mask = (
        keras.Input((None,), dtype="int32", name="source"),
        keras.Input((None,), dtype="bool", name="source_mask"),
    )
    before = keras.Input((LENGTH,), dtype="int32", name="before")
    memory = layers.Embedding(WORDS, DIM)(source) + layers.Embedding(READ, DIM)(ops.arange(READ))
    memory = layers.Dense(DIM)(ops.where(ops.expand_dims(mask, -1), memory, 0.0))
    x = layers.Embedding(WORDS, DIM)(before) + layers.Embedding(LENGTH, DIM)(ops.arange(LENGTH))
    there = ops.expand_dims(mask, 1)
    for _ in range(HEAD.num_layers):
        y = layers.LayerNormalization()(x)
        x = x + layers.MultiHeadAttention(HEADS, DIM // HEADS)(y, y, use_causal_mask=True)
        y = layers.LayerNormalization()(x)
        x = x + layers.MultiHeadAttention(HEADS, DIM // HEADS)(y, memory, attention_mask=there)
        y = layers.Dense(4 * DIM, "gelu")(layers.LayerNormalization()(x))
        x = x + layers.Dense(DIM)(y)
    logits = layers.Dense(WORDS, name="target")(layers.LayerNormalization()(x))
    model = keras.Model({"source": source, "source_mask": mask, "before": before}, {"target": logits})
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=0)
    model.compile("adam", loss={"target": loss}, metrics={"target": ["accuracy"]})
    return model


def batches(x, y):
    return tf.data.Dataset.from_tensor_slices((x, y)).batch(BATCH, drop_remainder=True).cache().prefetch(2)


def training(rounds):
    x, y = examples()
    before = np.pad(y["target"][:, :-1], ((0, 0), (1, 0)))
    sides = {"by hand": (by_hand(), batches(x | {"before": before}, y)), "mmkeras": (through_mmkeras(), batches(x, y))}
    seconds = {name: [] for name in sides}
    for i in range(rounds + 1):
        # Alternate the order, so that neither side is always second.
        for name in list(sides) if i % 2 else list(sides)[::-1]:
            model, data = sides[name]
            began = time.process_time()
            model.fit(data, verbose=0)
            seconds[name].append(time.process_time() - began)
    ratio = statistics.median(h / m for h, m in list(zip(*seconds.values(), strict=True))[1:])
    return sides["mmkeras"][0], {name: statistics.median(each[1:]) for name, each in seconds.items()}, ratio


def answering(model, rounds, sizes=(1, 32)):
    """Rows (way, size of the batch, milliseconds a token)."""
    x, _ = examples()
    taught = model.taught()

    @tf.function
    def recomputed(feed):
        ids = tf.zeros((tf.shape(feed["source"])[0], LENGTH), tf.int32)
        for i in tf.range(LENGTH):
            logits = taught(feed | {"target.label": ids})["target"][:, i, 2:]
            new = tf.argmax(logits, -1, output_type=tf.int32) + 2
            ids = tf.where(tf.range(LENGTH) == i, new[:, None], ids)
            ids.set_shape((None, LENGTH))
        return ids

    def by_predict(feed):
        ids = np.zeros((len(feed["source"]), LENGTH), "int32")
        for i in range(LENGTH):
            logits = taught.predict_on_batch(feed | {"target.label": ids})["target"][:, i, 2:]
            ids[:, i] = logits.argmax(-1) + 2
        return ids

    cached = tf.function(lambda feed: model(feed, training=False)["target"])
    for size in sizes:
        feed = {name: value[:size] for name, value in x.items()}
        tensors = {name: tf.constant(value) for name, value in feed.items()}
        ways = {
            "cached": (cached, tensors),
            "recomputed": (recomputed, tensors),
            "predict in a loop": (by_predict, feed),
        }
        seconds = {name: [] for name in ways}
        for _ in range(rounds + 1):
            for name, (call, fed) in ways.items():
                began = time.perf_counter()
                call(fed)
                seconds[name].append(time.perf_counter() - began)
        for name, each in seconds.items():
            yield name, size, 1000 * statistics.median(each[1:]) / LENGTH / size


def on_a_device(model):
    """KiB, and milliseconds a token, of the LiteRT file of each kind."""
    words = np.random.default_rng(0).integers(0, WORDS - 2, (4, READ))
    samples = {"source": [" ".join(f"w{i}" for i in row) for row in words]}
    with tempfile.TemporaryDirectory() as folder:
        for kind in (None, "dynamic"):
            path = Path(folder, f"{kind}.tflite")
            # The targets are random: all tokens are near ties, which 8 bits may decide otherwise. No limit on parity.
            said = mm.export.litert(mm.preprocessor([SPEC]), model, path, samples=samples, quantize=kind,
                                    tolerance=40.0, verbose=False)  # fmt: skip
            yield f"LiteRT {kind or 'float32'}, {said['bytes'] >> 10} KiB", 1, said["latency_ms"]["litert"] / LENGTH


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    keras.utils.set_random_seed(0)
    model, seconds, ratio = training(rounds)
    table = Table("", "batch", "ms a token and row", title=f"{model.count_params():,} weights, {LENGTH} tokens")
    for name, size, milliseconds in [*answering(model, rounds), *on_a_device(model)]:
        table.add_row(name, str(size), f"{milliseconds:.3f}")
    Console().print(table)
    print(f"CPU seconds an epoch: {seconds}; by hand / mmkeras {ratio:.3f}")


if __name__ == "__main__":
    main()
