"""Learns to answer questions about a picture (the easy-VQA set), and writes what a phone or a board needs.

    python recipes/edge_deploy.py --data easy-vqa

All four files gave Keras' answer to each of 4,868 test questions, 0.9996 of them right (0.9985 to 0.9999; seed 0). In
float32, float16, dynamic and int8 they have 780, 411, 239 and 241 KiB, and a call takes 0.03 to 0.05 of the time of
Keras' predict_on_batch; two shared cores.

The set is that of github.com/vzhou842/easy-VQA; recipes/easy_vqa.py says how it is laid out, and has the same model.
Every file holds the vocabulary, the labels and what turns questions and PNG files into numbers: on the device
`mmkeras.edge.Model("NAME.tflite")({"question": "...", "photo": png_bytes})` answers, without TensorFlow.
"""

import argparse
import collections
import json
import logging
import os
import statistics
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported

import keras
import pandas as pd
import rich
from rich.table import Table

import mmkeras as mm
from mmkeras import edge
from mmkeras.branches import image, text

QUANTIZE = {"float32": None, "float16": "float16", "dynamic": "dynamic", "int8": "int8"}


def main(args):
    started = time.perf_counter()
    logging.getLogger("tensorflow").setLevel("ERROR")  # it takes several exports in one process for a mistake
    keras.utils.set_random_seed(args.seed)
    out = Path(args.out or ("runs/edge_deploy-smoke" if args.smoke else "runs/edge_deploy"))
    data = Path(args.data or mm.data.generate.lookalikes.easy_vqa(out / "data", args.seed))

    # 1. What goes in and what comes out, and tables of both. Questions about one picture stay together.
    question, photo = mm.Text("question", max_tokens=16, vocabulary_size=100), mm.Image("photo", size=(48, 48))
    specs = [question, photo]
    heads = [mm.heads.classification("answer", classes=(data / "answers.txt").read_text().split())]
    raw_train, raw_valid = mm.data.split(read(data, "train", specs, heads), (0.9, 0.1), seed=args.seed, group="id")
    raw_test = read(data, "test", specs, heads)
    preprocess = mm.adapt(mm.preprocessor(specs), raw_train)
    train = mm.data.train_batches(raw_train, preprocess, heads, batch_size=64, seed=args.seed, cache="memory")
    valid = mm.data.eval_batches(raw_valid, preprocess, heads, batch_size=256, cache="memory")

    # 2. The model, of ops that all quantisations have.
    with mm.distribute.strategy().scope():
        branches = {"question": text.transformer(question, dim=64, layers=1, pool="mean"),
                    "photo": image.conv2d(photo, filters=(16, 32, 64, 128), pool="max")}  # fmt: skip
        model = mm.fusion_model(specs, branches, mm.fusion.Concatenate(256), heads)
        rate = keras.optimizers.schedules.CosineDecay(
            0.0, args.epochs * len(train), warmup_target=1.5e-3, warmup_steps=200
        )
        model.compile(keras.optimizers.Adam(rate), **mm.heads.compile_for(heads))
    run_dir = out / "training" / f"{len(raw_train.frame)}-examples-{args.epochs}-epochs-seed-{args.seed}"
    callbacks = mm.train.callbacks(run_dir, train, patience=args.epochs)
    model.fit(train, validation_data=valid, epochs=args.epochs, callbacks=callbacks, shuffle=False, verbose=2)

    # 3. A file for each quantisation. It is asked every test question, where no TensorFlow is, before it is written.
    files = {}
    for name, quantize in QUANTIZE.items():
        path = Path("saved_models", out.name, f"{name}.tflite")
        calibration = {"representative": raw_train} if quantize == "int8" else {}
        files[name] = mm.export.litert(preprocess, model, heads, path, quantize, samples=raw_test, overwrite=True,
                                       n_samples=len(raw_test.frame), **calibration)  # fmt: skip

    # 4. One example at a time, from the bytes of a PNG file to the answer, as on the device.
    asked = list(raw_test.select(["question", "photo"]).take(50).as_numpy_iterator())
    took = measure({name: edge.Model(file["path"]) for name, file in files.items()}, model, asked)

    scores = files["float32"]["metrics"]["keras"]["answer"]
    report = {
        "accuracy": scores["accuracy"],
        "interval": scores["accuracy_interval"],
        "files": {name: summary(file, files["float32"], took[name] / took["Keras"]) for name, file in files.items()},
        "milliseconds": took,
        "n_train": len(raw_train.frame),
        "n_test": len(raw_test.frame),
        "seed": args.seed,
        "seconds": round(time.perf_counter() - started, 1),
    }
    (out / "report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    rich.print("", table(report))
    print(f"Written: {out}/report.json, saved_models/{out.name}/*.tflite; {report['seconds']:.0f} s in all")


def read(folder, part, specs, heads):
    """The questions of one part, as raw examples."""
    rows = json.loads((folder / f"{part}_questions.json").read_text(encoding="utf-8"))
    frame = pd.DataFrame(rows, columns=["question", "answer", "id"])
    frame["photo"] = frame["id"].astype(str) + ".png"
    return mm.data.from_dataframe(frame, specs, heads, root=folder / f"{part}_images.zip")


def measure(files, model, rows):
    """Median milliseconds: to prepare an example, of each file, of Keras. In turns: a busy machine slows all alike."""
    seconds = collections.defaultdict(list)
    for row in rows:
        for name, file in files.items():
            ready = timed(seconds["prepare"], file.preprocess, row)
            timed(seconds[name], file.predict, ready)
        timed(seconds["Keras"], model.predict_on_batch, ready)
    return {name: round(1000 * statistics.median(each), 3) for name, each in seconds.items()}


def timed(seconds, function, value):
    began = time.perf_counter()
    found = function(value)
    seconds.append(time.perf_counter() - began)
    return found


def summary(file, float32, latency_ratio):
    return {
        "path": file["path"],
        "accuracy": file["metrics"]["litert"]["answer"]["accuracy"],
        "same_as_keras": file["agreement"]["litert"]["answer"],
        "max_difference": file["max_difference"]["answer"],
        "bytes": file["bytes"],
        "size_ratio": round(file["bytes"] / float32["bytes"], 3),
        "latency_ratio": round(latency_ratio, 4),
    }


def table(report):
    took = report["milliseconds"]
    shown = Table("", "accuracy", "as Keras", "KiB", "of float32", "ms a call", "of Keras")
    shown.title = f"{report['n_test']} test questions; {took['prepare']:.2f} ms to prepare one"
    shown.add_row("Keras", f"{report['accuracy']:.4f}", "", "", "", f"{took['Keras']:.2f}", "1")
    for name, file in report["files"].items():
        shown.add_row(name, f"{file['accuracy']:.4f}", f"{file['same_as_keras']:.4f}", f"{file['bytes'] / 1024:,.0f}",
                      f"{file['size_ratio']:.2f}", f"{took[name]:.2f}", f"{file['latency_ratio']:.3f}")  # fmt: skip
    return shown


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", help="folder of the set; without it a tiny one is generated")
    parser.add_argument("--out", help="folder of the run, runs/edge_deploy by default; its name is that of the export")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0, help="of split, order and weights")
    parser.add_argument("--smoke", action="store_true", help="tiny data and one epoch, to see that everything works")
    arguments = parser.parse_args()
    if arguments.smoke:
        arguments.epochs = 1
    main(arguments)
