"""What does the one signature cost over its parts? `serving_default` against preprocess + `ready`, interleaved.

    python tests/benchmarks/serving.py

Wanted: a ratio of at most 1.05, for one request and for 32 at once.
"""

import statistics
import tempfile
import time

import tensorflow as tf
from rich.console import Console
from rich.table import Table

import mmkeras as mm

SPECS = [
    mm.Text("question", max_tokens=24),
    mm.Image("photo", size=(64, 64)),
    mm.Audio("voice", seconds=0.5, sample_rate=8000),
]
ROUNDS = {1: 300, 32: 40}


def build(folder):
    heads = [mm.heads.classification("answer", classes=mm.data.generate.ANSWERS)]
    raw = mm.data.from_csv(mm.data.generate.scenes(folder, n=64), SPECS, heads)
    preprocess = mm.adapt(mm.preprocessor(SPECS), raw, verbose=False)
    branches = {
        "question": mm.branches.text.lstm(SPECS[0], units=64),
        "photo": mm.branches.image.conv2d(SPECS[1]),
        "voice": mm.branches.audio.conv2d(SPECS[2]),
    }
    model = mm.fusion_model(SPECS, branches, mm.fusion.Attention(dim=64), heads)
    report = mm.export.saved_model(preprocess, model, f"{folder}/saved/1", heads=heads, samples=raw)
    return raw, preprocess, tf.saved_model.load(report["path"]).signatures


def measure(signatures, decode, raw, rounds):
    """Median milliseconds of serving_default, preprocess and ready, and the median of the rounds' ratios."""

    def serve():
        signatures["serving_default"](**raw)

    def parts():
        ready = decode(raw)
        between = time.perf_counter()
        signatures["ready"](**ready)
        return between

    times, ratios = {"serving_default": [], "preprocess": [], "ready": []}, []
    for index in range(rounds + 5):
        took = {}
        # Alternate the order, so that neither side is always second.
        for part in (serve, parts) if index % 2 else (parts, serve):
            start = time.perf_counter()
            between = part()
            end = time.perf_counter()
            if part is serve:
                took["serving_default"] = end - start
            else:
                took |= {"preprocess": between - start, "ready": end - between}
        if index >= 5:  # the first calls trace and warm up
            for name, seconds in took.items():
                times[name].append(seconds)
            ratios.append(took["serving_default"] / (took["preprocess"] + took["ready"]))
    return {name: 1000 * statistics.median(values) for name, values in times.items()}, statistics.median(ratios)


def main():
    with tempfile.TemporaryDirectory() as folder:
        raw, preprocess, signatures = build(folder)
        decode = tf.function(lambda tensors: preprocess(tensors, training=False), autograph=False)
        table = Table("examples", "serving_default ms", "preprocess ms", "ready ms", "ratio", title="one and its parts")
        for size, rounds in ROUNDS.items():
            batch = next(iter(raw.select(list(preprocess.input)).batch(size)))
            times, ratio = measure(signatures, decode, batch, rounds)
            table.add_row(str(size), *(f"{value:.2f}" for value in times.values()), f"{ratio:.3f}")
    Console().print(table)


if __name__ == "__main__":
    main()
