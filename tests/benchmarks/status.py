"""What does the `status` of each example cost in a SavedModel? `on_error="skip"` and "absent" against "raise".

    python tests/benchmarks/status.py

The three exports of one model are asked in turns: one example, 32, and 32 of which 3 have a broken picture (which
"raise" refuses altogether). Wanted: a ratio of at most 1.15 where nothing is broken.
"""

import argparse
import io
import statistics
import tempfile
import time

import numpy as np
import tensorflow as tf
from PIL import Image
from rich.console import Console
from rich.table import Table

import mmkeras as mm
from mmkeras.formats.status import ON_ERROR

ROUNDS = {1: 300, 32: 60}
RNG = np.random.default_rng(0)


def picture(form, size):
    """The content of a file of coloured squares."""
    pixels = np.kron(RNG.integers(0, 256, (size // 8, size // 8, 3), "uint8"), np.ones((8, 8, 1), "uint8"))
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form)
    return file.getvalue()


def question_and_picture():
    """Specs as of easy-VQA, and an example."""
    specs = [mm.Text("question", vocabulary=("is", "a", "there"), max_tokens=16), mm.Image("photo", size=(64, 64))]
    return specs, {"question": b"is a circle there?", "photo": picture("PNG", 64)}


def four_modalities():
    """Specs of which all but the question are optional, and an example."""
    specs = [
        mm.Text("question", vocabulary=("is", "a", "there"), max_tokens=16),
        mm.Image("photo", size=(96, 96), optional=True),
        mm.Audio("voice", seconds=1.0, sample_rate=16_000, optional=True),
        mm.Vector("face", size=8, optional=True),
    ]
    sound = tf.audio.encode_wav(RNG.uniform(-0.5, 0.5, (16_000, 1)).astype("float32"), 16_000).numpy()
    face = np.ones(8, "float32")
    return specs, {"question": b"is a circle there?", "photo": picture("JPEG", 256), "voice": sound, "face": face}


def exports(specs, example, folder):
    """Dict, on_error -> the loaded SavedModel of the same model."""
    make = {"question": lambda spec: mm.branches.text.conv1d(spec, filters=32),
            "photo": lambda spec: mm.branches.image.conv2d(spec, filters=(8, 16)),
            "voice": lambda spec: mm.branches.audio.conv2d(spec, filters=(8,)),
            "face": lambda spec: mm.branches.vector.linear(spec, dim=16)}  # fmt: skip
    heads = [mm.heads.classification("answer", classes=[str(i) for i in range(13)])]
    branches = {spec.name: make[spec.name](spec) for spec in specs}
    model, preprocess = mm.fusion_model(specs, branches, mm.fusion.Attention(32), heads), mm.preprocessor(specs)
    samples = {name: np.array([value], object if isinstance(value, bytes) else None) for name, value in example.items()}
    for way in ON_ERROR:
        mm.export.saved_model(preprocess, model, f"{folder}/{way}/1", samples=samples, on_error=way)
    return {way: tf.saved_model.load(f"{folder}/{way}/1") for way in ON_ERROR}


def measure(loaded, batch, rounds):
    """Dict, on_error -> (median milliseconds, median of the rounds' ratios to "raise", or None without it)."""
    times = {way: [] for way in loaded}
    for index in range(rounds + 5):
        for way in loaded if index % 2 else reversed(loaded):
            began = time.perf_counter()
            loaded[way].signatures["serving_default"](**batch)
            times[way].append(1000 * (time.perf_counter() - began))
    base = times.get("raise")
    ratios = {way: base and statistics.median(a / b for a, b in zip(values[5:], base[5:], strict=True))
              for way, values in times.items()}  # fmt: skip
    return {way: (statistics.median(values[5:]), ratios[way]) for way, values in times.items()}


def main():
    table = Table("inputs", "examples", *(f"{way} ms" for way in ON_ERROR), "skip / raise", "absent / raise")
    for make in (question_and_picture, four_modalities):
        specs, example = make()
        with tempfile.TemporaryDirectory() as folder:
            loaded = exports(specs, example, folder)
            for size, rounds in ROUNDS.items():
                batch = {name: tf.constant([value] * size) for name, value in example.items()}
                found = measure(loaded, batch, rounds)
                times, ratios = (f"{ms:.2f}" for ms, _ in found.values()), [found[way][1] for way in ON_ERROR[1:]]
                table.add_row(make.__name__, str(size), *times, *(f"{ratio:.3f}" for ratio in ratios))
            batch["photo"] = tf.constant([b"broken"] * 3 + [example["photo"]] * 29)
            found = measure({way: loaded[way] for way in ON_ERROR[1:]}, batch, ROUNDS[32])
            table.add_row(make.__name__, "32, 3 broken", "-", *(f"{ms:.2f}" for ms, _ in found.values()), "-", "-")
    Console().print(table)


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    main()
