"""Learns to answer questions about a picture (the easy-VQA set), and writes what a phone or a board needs.

    python recipes/edge_deploy.py --data easy-vqa

All four files gave Keras' answer to each of 4,868 test questions, 0.9996 of them right (0.9985 to 0.9999; seed 0). In
float32, float16, dynamic and int8 they have 762, 402, 235 and 236 KiB, and a call takes 0.04 to 0.06 of the time of
Keras' predict_on_batch; two shared cores.

The set is that of github.com/vzhou842/easy-VQA; recipes/easy_vqa.py says how it is laid out, and has the same model.
Every file holds the vocabulary, the labels and what turns questions and PNG files into numbers: on the device
`mmkeras.edge.Model("NAME.tflite")({"question": "...", "photo": png_bytes})` answers, without TensorFlow.
"""

import argparse
import json
import logging
import os
import statistics
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported

import keras
import pandas as pd

import mmkeras as mm
from mmkeras import edge
from mmkeras.branches import image, text

QUANTIZE = {"float32": None, "float16": "float16", "dynamic": "dynamic", "int8": "int8"}


def main(args):
    started = time.perf_counter()
    logging.getLogger("tensorflow").setLevel("ERROR")  # it warns about several exports in one process
    keras.utils.set_random_seed(args.seed)
    out = Path(args.out or ("runs/edge_deploy-smoke" if args.smoke else "runs/edge_deploy"))
    epochs = 1 if args.smoke else args.epochs
    data = Path(args.data or mm.data.generate.lookalikes.easy_vqa(out / "data", seed=args.seed))

    # 1. What goes in and what comes out, and tables of both. Questions about one picture stay in one part.
    question, photo = mm.Text("question", max_tokens=16), mm.Image("photo", size=(48, 48))
    specs = [question, photo]
    heads = [mm.heads.classification("answer", classes=(data / "answers.txt").read_text().split())]
    raw_train, raw_valid = mm.data.split(read(data, "train", specs, heads), (0.9, 0.1), seed=args.seed, group="id")
    raw_test = read(data, "test", specs, heads)
    preprocess = mm.adapt(mm.preprocessor(specs), raw_train)
    question, photo = specs = preprocess.specs  # with the sizes of the learned vocabularies
    train = mm.data.train_batches(raw_train, preprocess, batch_size=64, seed=args.seed, cache="memory")
    valid = mm.data.eval_batches(raw_valid, preprocess, batch_size=256, cache="memory")

    # 2. The model, made of ops that all quantisations support.
    with mm.distribute.strategy().scope():
        branches = {"question": text.transformer(question, dim=64, num_layers=1, pool="mean"),
                    "photo": image.conv2d(photo, filters=(16, 32, 64, 128), pool="max")}  # fmt: skip
        model = mm.fusion_model(specs, branches, mm.fusion.Concatenate(256), heads)
        rate = keras.optimizers.schedules.CosineDecay(0.0, epochs * len(train), warmup_target=1.5e-3, warmup_steps=200)
        model.compile(keras.optimizers.Adam(rate), **mm.heads.compile_for(heads))
    run_dir = out / "training" / f"{len(raw_train.frame)}-examples-{epochs}-epochs-seed-{args.seed}"
    callbacks = mm.train.callbacks(run_dir, train, patience=epochs)
    model.fit(train, validation_data=valid, epochs=epochs, callbacks=callbacks, shuffle=False, verbose=2)

    # 3. A file for each quantisation. It has to answer every test question, without TensorFlow, before it is kept.
    files = {}
    for name, quantize in QUANTIZE.items():
        path = Path("saved_models", out.name, f"{name}.tflite")
        measured = raw_train if quantize == "int8" else None
        options = {"quantize": quantize, "representative": measured, "samples": raw_test, "overwrite": True}
        files[name] = mm.export.litert(preprocess, model, path, n_samples=len(raw_test.frame), **options)

    # 4. Milliseconds per call, one example at a time as on the device; in turns, so that other load affects all alike.
    prepare = edge.Model(files["float32"]["path"]).preprocess
    calls = {name: edge.Model(file["path"]).predict for name, file in files.items()} | {"Keras": model.predict_on_batch}
    seconds = {name: [] for name in calls}
    for row in list(raw_test.select(["question", "photo"]).take(50).as_numpy_iterator()):
        for name, call in calls.items():
            ready, began = prepare(row), time.perf_counter()
            call(ready)
            seconds[name].append(time.perf_counter() - began)
    took = {name: round(1000 * statistics.median(each), 3) for name, each in seconds.items()}

    rows = {
        name: {
            "path": file["path"],
            "accuracy": file["metrics"]["litert"]["answer"]["accuracy"],
            "same_as_keras": file["agreement"]["litert"]["answer"],
            "max_difference": file["max_difference"]["answer"],
            "bytes": file["bytes"],
            "size_ratio": round(file["bytes"] / files["float32"]["bytes"], 3),
            "milliseconds": took[name],
            "latency_ratio": round(took[name] / took["Keras"], 4),
        }
        for name, file in files.items()
    }
    report = {
        **mm.evaluate.summary({"models": {"Keras": files["float32"]["metrics"]["keras"]}}),
        "files": rows,
        "n_train": len(raw_train.frame),
        "seed": args.seed,
        "seconds": round(time.perf_counter() - started, 1),
    }
    (out / "report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print("\n" + pd.DataFrame.from_dict(rows, orient="index").drop(columns="path").to_string())
    print(f"Keras: accuracy {report['accuracy']:.4f} of {report['n']} test questions, {took['Keras']:.2f} ms a call")
    print(f"Written: {out}/report.json, saved_models/{out.name}/*.tflite; {report['seconds']:.0f} s in all")


def read(folder, part, specs, heads):
    """The questions of one part, as raw examples."""
    rows = json.loads((folder / f"{part}_questions.json").read_text(encoding="utf-8"))
    frame = pd.DataFrame(rows, columns=["question", "answer", "id"])
    frame["photo"] = frame["id"].astype(str) + ".png"
    return mm.data.from_dataframe(frame, specs, heads, root=folder / f"{part}_images.zip")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", help="folder of the set; without it a tiny one is generated")
    parser.add_argument("--out", help="folder of the run, runs/edge_deploy by default; its name is that of the export")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0, help="of split, order and weights")
    parser.add_argument("--smoke", action="store_true", help="tiny data and one epoch, to see that everything works")
    main(parser.parse_args())
