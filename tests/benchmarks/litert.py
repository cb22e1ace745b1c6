"""What does a LiteRT file cost over other ways to run the same model? One example, one thread, calls in turns.

    python tests/benchmarks/litert.py

Beside `export.litert`: (a) Keras' own `model.export(format="litert")`, whose loops need TensorFlow's kernels and so run
in `tf.lite.Interpreter` only; (b) `model.predict_on_batch`; (c) a `tf.function` of the model. Wanted: at most 1/3 of
(a) for LSTMs, at most 1/8 of (b). Every state should cost at most 1.3 times the last one alone.
"""

import argparse
import contextlib
import io
import os
import statistics
import tempfile
import time
import types
import warnings
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported

import keras
import numpy as np
import tensorflow as tf
from rich.console import Console
from rich.table import Table

import mmkeras as mm

LENGTHS = (16, 64, 256)
KINDS = ("lstm", "lstm states", "transformer")
OURS = {"float32": {}, "dynamic": {"quantize": "dynamic"}}


def build(kind, length):
    """A classifier of texts, with what `export.litert` wants, and one ready example of full length."""
    spec = mm.Text("text", max_tokens=length, vocabulary=[f"w{i}" for i in range(2000)])
    head = mm.heads.classification("label", classes=["a", "b", "c"])
    branch = {
        "lstm": lambda: mm.branches.text.lstm(spec, units=128, embed_dim=128),
        "lstm states": lambda: mm.branches.text.lstm(spec, units=128, embed_dim=128, pool=None),
        "transformer": lambda: mm.branches.text.transformer(spec, dim=128, num_layers=2, pool="mean"),
    }[kind]()
    fusion = mm.fusion.Attention(dim=64) if kind == "lstm states" else mm.fusion.Concatenate(64)
    model = mm.fusion_model([spec], {"text": branch}, fusion, [head])
    words = np.random.default_rng(0).integers(0, 2000, (4, length))
    samples = {"text": [" ".join(f"w{i}" for i in row) for row in words]}
    preprocess = mm.preprocessor([spec])
    ready = preprocess({"text": tf.constant(samples["text"][:1])})
    feed = {name: value.numpy() for name, value in ready.items()}
    return types.SimpleNamespace(preprocess=preprocess, model=model, heads=[head], samples=samples, feed=feed)


def callers(kind, parts, folder):
    """Name -> (function of no arguments, bytes of the file or None)."""
    found = {}
    for name, options in OURS.items():
        path = Path(folder, f"{name}.tflite")
        try:
            options = {"heads": parts.heads, "samples": parts.samples, "verbose": False, **options}
            mm.export.litert(parts.preprocess, parts.model, path, **options)
        except (ValueError, RuntimeError) as error:
            print(f"{kind}, {name}: left out, {str(error).splitlines()[0][:200]}")
            continue
        found[name] = (runner(path, parts.feed), path.stat().st_size)
    by_keras = Path(folder, "keras.tflite")
    with contextlib.redirect_stdout(io.StringIO()):
        parts.model.export(str(by_keras), format="litert", verbose=False)
    found["a keras"] = (runner_of_keras(by_keras, parts.feed), by_keras.stat().st_size)
    found["b predict"] = (lambda: parts.model.predict_on_batch(parts.feed), None)
    call = tf.function(lambda feed: parts.model(feed, training=False), autograph=False)
    tensors = {name: tf.constant(value) for name, value in parts.feed.items()}
    found["c function"] = (lambda: call(tensors), None)
    return found


def runner(path, feed):
    from ai_edge_litert.interpreter import Interpreter

    signature = Interpreter(model_path=str(path), num_threads=1).get_signature_runner()
    return lambda: signature(**feed)


def runner_of_keras(path, feed):
    warnings.simplefilter("ignore")  # the interpreter warns that it is deprecated
    interpreter = tf.lite.Interpreter(model_path=str(path), num_threads=1)
    signature = interpreter.get_signature_runner("serving_default")
    names = list(signature.get_input_details())  # Keras may use other names
    return lambda: signature(**{name: feed[match(name, feed)] for name in names})


def match(name, feed):
    return max((key for key in feed if key in name), key=len)


def milliseconds(found, rounds):
    """Medians of calls in turns, so that a busy machine slows all alike."""
    seconds = {name: [] for name in found}
    for index in range(rounds + 3):
        for name, (call, _) in found.items():
            began = time.perf_counter()
            call()
            if index >= 3:  # the first calls trace and allocate
                seconds[name].append(time.perf_counter() - began)
    return {name: 1000 * statistics.median(each) for name, each in seconds.items()}


def main(args):
    table = Table("model", "tokens", "file", "KiB", "ms", "of a", "of b", "of c", "of float32", title="one example")
    for kind in args.kinds:
        for length in args.lengths:
            keras.utils.set_random_seed(0)
            parts = build(kind, length)
            with tempfile.TemporaryDirectory() as folder:
                found = callers(kind, parts, folder)
                took = milliseconds(found, args.rounds)
            for name, (_, size) in found.items():
                others = ("a keras", "b predict", "c function", "float32")
                ratios = [f"{took[name] / took[other]:.3f}" if other in took else "-" for other in others]
                size = "-" if size is None else f"{size / 1024:,.0f}"
                table.add_row(kind, str(length), name, size, f"{took[name]:.3f}", *ratios)
    Console(width=110).print(table)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kinds", nargs="+", default=KINDS, choices=KINDS)
    parser.add_argument("--lengths", nargs="+", type=int, default=LENGTHS)
    parser.add_argument("--rounds", type=int, default=60)
    main(parser.parse_args())
