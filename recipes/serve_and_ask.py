"""Learns to answer questions about a picture and a sound, serves the export, and asks it over HTTP.

    python recipes/serve_and_ask.py

It answered all 540 unseen questions (at least 0.993 by the interval), after some 90 s of one core.

The server is a process of its own, `mmkeras serve` (`pip install "mmkeras[serve]"`), and speaks the protocol of TF
Serving. Among the rows that it is asked is one whose picture is broken: the others are answered, and that one is
told what is wrong with it. Files and model are those of recipes/quickstart.py.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported

import keras
import numpy as np
import pandas as pd

import mmkeras as mm
from mmkeras.branches import audio, image, text
from mmkeras.client import Client, ServerError

BROKEN = 2  # the row whose picture is no picture


def main(args):
    began = time.perf_counter()
    keras.utils.set_random_seed(args.seed)
    out = Path(args.out or ("runs/serve_and_ask-smoke" if args.smoke else "runs/serve_and_ask"))
    size, epochs = (120, 1) if args.smoke else (3600, args.epochs)

    # 1. A table of questions, pictures, sounds and answers; and a model, as in the quickstart.
    specs = [mm.Text("question", max_tokens=24), mm.Image("photo", size=(48, 48)),
             mm.Audio("voice", seconds=0.5, sample_rate=8000, optional=True)]  # fmt: skip
    heads = [mm.heads.classification("answer", classes=mm.data.generate.ANSWERS)]
    data = Path(args.data or out / "data")
    if not args.data:
        mm.data.generate.scenes(data, n=size, seed=args.seed, size=48)
    raw = mm.data.from_csv(data / "examples.csv", specs, heads)
    raw_train, raw_valid, raw_test = mm.data.split(raw, (0.75, 0.1, 0.15), seed=args.seed, group="scene")
    preprocess = mm.adapt(mm.preprocessor(specs), raw_train)
    question, photo, voice = specs = preprocess.specs
    train = mm.data.train_batches(raw_train, preprocess, batch_size=64, seed=args.seed, cache="memory")
    valid = mm.data.eval_batches(raw_valid, preprocess, cache="memory")
    with mm.distribute.strategy().scope():
        branches = {
            "question": text.conv1d(question, filters=64),
            "photo": image.conv2d(photo, filters=(16, 32, 64), pool="flatten"),
            "voice": audio.conv2d(voice, filters=(16, 32), mel_bands=32, frame_seconds=0.032, hop_seconds=0.016),
        }
        model = mm.fusion_model(specs, branches, mm.fusion.Concatenate(256), heads)
        model.compile("adam", **mm.heads.compile_for(heads))
    run_dir = out / "training" / f"{len(raw_train.frame)}-examples-{epochs}-epochs-seed-{args.seed}"
    callbacks = mm.train.callbacks(run_dir, train, patience=4)
    model.fit(train, validation_data=valid, epochs=epochs, callbacks=callbacks, shuffle=False, verbose=2)
    test = mm.data.eval_batches(raw_test, preprocess, cache="memory")
    found = mm.evaluate.report(model, test, heads, out_dir=out / "evaluation", train=raw_train)

    # 2. saved_models/NAME/VERSION, each export the next version: a running server picks it up.
    export = mm.export.saved_model(preprocess, model, f"saved_models/{out.name}", samples=raw_test, version="next")

    # 3. The server, on a free port. Without --newest it serves every version, and removing the last one is a rollback.
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mmkeras.cli", "serve", "saved_models", "--port", str(port), "--newest", "1"]
    with (out / "server.log").open("w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        # 4. The rows of a table, with paths for the files, bytes, and a voice that is absent.
        frame = raw_test.frame.head(8)
        rows = [{"question": row.question, "photo": data / row.photo, "voice": data / row.voice}
                for row in frame.itertuples()]  # fmt: skip
        rows[0] |= {"voice": None}
        rows[1] |= {"photo": Path(data / frame.photo.iloc[1]).read_bytes()}
        rows[BROKEN] |= {"photo": b"no picture"}
        with Client(f"http://127.0.0.1:{port}", out.name, retries=1) as client:
            start_seconds = wait_for(client, server)
            answers = client.predict(rows, on_error="skip")
            milliseconds = [1000 * took(client.predict, rows[1]) for _ in range(20 if args.smoke else 200)]
    finally:
        server.terminate()
        server.wait()

    table = pd.DataFrame(answers, columns=["answer", "answer_scores", "status"])
    table["score"] = [round(max(each), 3) if isinstance(each, list) else None for each in table["answer_scores"]]
    table.insert(0, "question", frame["question"].to_numpy())
    report = {
        **mm.evaluate.summary(found),
        "parity_max_abs": export["largest_difference"],
        "n_train": len(raw_train.frame),
        "skipped": len({*train.skipped, *valid.skipped, *test.skipped}),
        "export": export["path"],
        "answers": answers,
        "start_seconds": round(start_seconds, 2),
        "p50_ms": round(float(np.percentile(milliseconds, 50)), 2),
        "p99_ms": round(float(np.percentile(milliseconds, 99)), 2),
        "seed": args.seed,
        "seconds": round(time.perf_counter() - began, 1),
    }
    (out / "report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print("\n" + table[["question", "answer", "score", "status"]].astype(object).fillna("").to_string(max_colwidth=60))
    print(f"\nThe server answered {report['start_seconds']} s after its start; one row takes {report['p50_ms']} ms, "
          f"{report['p99_ms']} ms at most in 99 of 100 requests.")  # fmt: skip
    print(f"Accuracy {report['accuracy']:.3f} of {report['n']} test questions. Written: {out}/report.json, server.log")
    print(f"$ mmkeras serve saved_models   # serves {export['path']}")


def took(function, *arguments):
    """Seconds of one call."""
    began = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - began


def wait_for(client, server):
    """Seconds until the server answers; nothing listens before the models are loaded."""
    began = time.perf_counter()
    while server.poll() is None:
        try:
            client.status()
            return time.perf_counter() - began
        except ServerError:
            time.sleep(0.1)
    raise RuntimeError("The server ended. Its log, server.log in the folder of the run, says why.")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", help="folder with an examples.csv such as that of OUT/data, which is made without it")
    parser.add_argument("--out", help="folder of the run, runs/serve_and_ask by default; its name is that of the model")
    parser.add_argument("--epochs", type=int, default=14, help="at most; a model that learns nothing more ends sooner")
    parser.add_argument("--seed", type=int, default=0, help="of data, split, order and weights")
    parser.add_argument("--smoke", action="store_true", help="tiny data and one epoch, to see that everything works")
    main(parser.parse_args())
