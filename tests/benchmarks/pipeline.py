"""Raw files -> ready batches, against a hand-tuned tf.data pipeline that does the same work, in turns.

    python tests/benchmarks/pipeline.py --data DIR

DIR holds easy-vqa/ and fsdd/; without it (or MMKERAS_DATA) files are generated. Wanted: mmkeras / by hand at least
0.95, decoding, from the cache and from TFRecord shards; of the time of a step, less than 5 % waiting for data where
they are cached; a whole training from raw files faster than a script that decodes in every epoch; and `bucket_by`
faster than padding to the maximum.
"""

import argparse
import functools
import os
import statistics
import tempfile
import time
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import real_files
import tensorflow as tf
from rich.console import Console
from rich.table import Table

import mmkeras as mm

N, BATCH, SIDE, RATE, SECONDS, TOKENS = 3072, 64, 64, 8000, 0.5, 24
SPECS = [
    mm.Text("question", max_tokens=TOKENS, vocabulary_size=200),
    mm.Image("photo", size=(SIDE, SIDE)),
    mm.Audio("voice", seconds=SECONDS, sample_rate=RATE),
]
HEADS = [mm.heads.classification("answer", classes=mm.data.generate.ANSWERS)]


def by_hand(path, cache):
    """Per-example decoding in parallel, text by the batch, cached as decoded, full shuffle, prefetch."""
    frame = pd.read_csv(path)
    root = str(path.parent) + "/"
    words = keras.layers.TextVectorization(max_tokens=200, output_sequence_length=TOKENS)
    words.adapt(frame.question.to_numpy())
    labels = frame.answer.map(mm.data.generate.ANSWERS.index).to_numpy("int32")

    def decode(photo, voice):
        pixels = tf.io.decode_image(tf.io.read_file(photo), 3, expand_animations=False)
        pixels = tf.ensure_shape(tf.image.resize(pixels, (SIDE, SIDE), antialias=True), (SIDE, SIDE, 3))
        wave, _ = tf.audio.decode_wav(tf.io.read_file(voice), 1, int(RATE * SECONDS))
        return tf.cast(tf.round(pixels), tf.uint8), tf.reshape(wave, (int(RATE * SECONDS),))

    rows = (frame.question.to_numpy(), (root + frame.photo).to_numpy(), (root + frame.voice).to_numpy(), labels)
    data = tf.data.Dataset.from_tensor_slices(rows)
    data = data if cache else data.shuffle(len(frame))
    data = data.map(lambda q, p, v, y: (q, *decode(p, v), y), tf.data.AUTOTUNE)
    data = data.cache().shuffle(len(frame)) if cache else data
    data = data.batch(BATCH, drop_remainder=True)
    ready = lambda q, p, v, y: ({"question": words(q), "photo": p, "voice": v}, {"answer": y})  # noqa: E731
    return data.map(ready, tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def through_mmkeras(path, cache):
    raw = mm.data.from_csv(path, SPECS, HEADS)
    preprocess = mm.adapt(mm.preprocessor(SPECS), raw, verbose=False)
    return mm.data.train_batches(
        raw, preprocess, HEADS, batch_size=BATCH, cache="memory" if cache else None, verbose=False
    )


def in_turns(sides, rounds):
    """Seconds of each function, one list per side; neither side is always the second."""
    took = {name: [] for name in sides}
    for i in range(rounds):
        for name in list(sides) if i % 2 else list(sides)[::-1]:
            took[name].append(sides[name]())
    return [np.array(times) for times in took.values()]


def timed(function):
    def run():
        start = time.perf_counter()
        function()
        return time.perf_counter() - start

    return run


def epoch(batches):
    """(seconds to the first batch, seconds per batch from then on)"""

    def run():
        start = time.perf_counter()
        iterator = iter(batches)
        next(iterator)
        first = time.perf_counter()
        rest = sum(1 for _ in iterator)
        return first - start, (time.perf_counter() - first) / rest

    return run


def small_model():
    branches = {
        "question": mm.branches.text.lstm(SPECS[0], units=32, embed_dim=32),
        "photo": mm.branches.image.conv2d(SPECS[1], filters=(8, 16, 16), pool="mean"),
        "voice": mm.branches.audio.conv2d(SPECS[2], filters=(8, 16), mel_bands=32, pool="mean"),
    }
    return compiled(mm.fusion_model(SPECS, branches, mm.fusion.Concatenate(32), HEADS), HEADS)


def compiled(model, heads):
    model.compile("adam", **mm.heads.compile_for(heads))
    return model


def with_masks(x, y):
    """By hand there are no masks: those of mmkeras' model are made here, so that both train the same one."""
    return x | {"question_mask": x["question"] != 0, "voice_mask": tf.ones_like(x["voice"], tf.bool)}, y


def whole_training(path, epochs):
    """From raw files to a trained model: decoding in every epoch, by hand, against a cache of ready tensors."""

    def plain():
        small_model().fit(by_hand(path, False).map(with_masks), epochs=epochs, verbose=0)

    def cached():
        small_model().fit(through_mmkeras(path, True), epochs=epochs, verbose=0)

    return {"decoding in every epoch": timed(plain), "mmkeras, cached": timed(cached)}


def uneven_text():
    """Texts of 5 to 200 words, most of them short."""
    rng = np.random.default_rng(0)
    lengths = np.clip(rng.lognormal(3.2, 0.8, 2048).astype(int), 5, 200)
    texts = [" ".join(rng.choice(list("abcdefghij"), n)) for n in lengths]
    spec = mm.Text("review", max_tokens=200, vocabulary_size=20)
    head = mm.heads.classification("kind", classes=["x", "y"])
    frame = pd.DataFrame({"review": texts, "kind": rng.choice(["x", "y"], len(texts))})
    raw = mm.data.from_dataframe(frame, [spec], [head])
    preprocess = mm.adapt(mm.preprocessor([spec]), raw, verbose=False)
    branch = {"review": mm.branches.text.lstm(spec, units=64, embed_dim=64)}
    model = compiled(mm.fusion_model([spec], branch, mm.fusion.Concatenate(32), [head]), [head])

    def fit(bucket_by):
        batches = mm.data.train_batches(
            raw, preprocess, [head], batch_size=BATCH, cache="memory", bucket_by=bucket_by, verbose=False
        )
        model.fit(batches, verbose=0)  # traces the functions for these shapes
        return timed(lambda: model.fit(batches, verbose=0))

    return {"padded to 200": fit(None), "bucket_by": fit("review")}


def waiting(batches, model):
    """A trained epoch: share of its steps' time that was spent waiting for the next batch; the first one has a row."""
    step = tf.function(model.train_step, reduce_retracing=True)

    def run():
        iterator = iter(batches)
        tf.nest.map_structure(np.asarray, step(next(iterator)))
        waited, start = 0.0, time.perf_counter()
        asked = start
        for batch in iterator:
            waited += time.perf_counter() - asked
            tf.nest.map_structure(np.asarray, step(batch))  # converting to NumPy waits until the step is finished
            asked = time.perf_counter()
        return waited / (asked - start)

    return run


def on_real_files(table, data, n, rounds):
    """First epoch, caches and TFRecord; and a small model that is trained from them."""
    with tempfile.TemporaryDirectory() as folder:
        for job in real_files.jobs(data, folder, n):
            for way, title in real_files.WAYS.items():
                own = Path(folder) / job.name / way
                own.mkdir(parents=True)
                real_file_rows(table, f"{job.name}, {title}", job, way, own, rounds)


def real_file_rows(table, work, job, way, folder, rounds):
    makers = {"by hand": real_files.by_hand, "mmkeras": real_files.through_mmkeras}
    sides = dict.fromkeys(makers)

    def first_epoch(name):
        sides[name] = makers[name](job, way, folder)
        epoch(sides[name])()

    begun = in_turns({name: timed(functools.partial(first_epoch, name)) for name in makers}, 1)
    add(table, f"{work}: from files to the end of the first epoch, s", *begun, False, "")
    hand, ours = in_turns({name: epoch(batches) for name, batches in sides.items()}, rounds)
    add(table, f"{work}: examples/s", BATCH / hand[:, 1], BATCH / ours[:, 1], True, ">= 0.95")
    add(table, f"{work}: s to the first batch of an epoch", hand[:, 0], ours[:, 0], False, "")
    model = compiled(mm.fusion_model(job.specs, job.branches(), mm.fusion.Concatenate(32), job.heads), job.heads)
    trained = {name: waiting(batches, model) for name, batches in sides.items()}
    in_turns(trained, 1)
    hand, ours = in_turns(trained, rounds)
    wanted = "< 5 %" if "cached" in work else ""
    add(table, f"{work}: % of step time spent waiting", 100 * hand, 100 * ours, False, wanted)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--data", default=os.environ.get("MMKERAS_DATA"), help="folder with easy-vqa/ and fsdd/")
    parser.add_argument("--n", type=int, default=N, help="questions of easy-VQA that are taken")
    parser.add_argument("--real-only", action="store_true", help="leave out the rows on generated files")
    args = parser.parse_args()
    table = Table("work", "by hand", "mmkeras", "mmkeras / by hand", "wanted", title=f"batch {BATCH}")
    on_real_files(table, args.data, args.n, args.rounds)
    if not args.real_only:
        on_generated_files(table, args.rounds)
    Console(width=130).print(table)


def on_generated_files(table, rounds):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(mm.data.generate.scenes(folder, n=N, size=SIDE, sample_rate=RATE, seconds=SECONDS))
        for work, cache in (("raw files -> ready", False), ("from the cache", True)):
            sides = {"by hand": epoch(by_hand(path, cache)), "mmkeras": epoch(through_mmkeras(path, cache))}
            for run in sides.values():
                run()  # warm-up: traces functions and fills the page cache and other caches
            hand, ours = in_turns(sides, rounds)
            add(table, f"{work}, examples/s", BATCH / hand[:, 1], BATCH / ours[:, 1], True, ">= 0.95")
            add(table, f"{work}, s to the first batch of an epoch", hand[:, 0], ours[:, 0], False, "")
        add(table, "training, 10 epochs from raw files, s", *in_turns(whole_training(path, 10), 3), False, "> 1")
        add(table, "text of 5 to 200 words, padded / bucket_by, s", *in_turns(uneven_text(), 3), False, "> 1")


def add(table, work, hand, ours, larger_is_better, wanted):
    ratio = statistics.median(ours / hand if larger_is_better else hand / ours)
    row = [f"{statistics.median(values):,.{0 if larger_is_better else 2}f}" for values in (hand, ours)]
    print(f"{work}: {', '.join(row)}; {ratio:.3f}", flush=True)
    table.add_row(work, *row, f"{ratio:.3f}", wanted)


if __name__ == "__main__":
    main()
