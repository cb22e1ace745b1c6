"""Learns to answer questions about a picture and a sound, and exports the model for TF Serving and for devices.

    python recipes/quickstart.py

It answered 0.994 of 540 unseen questions (0.984 to 0.998), the best model of one input 0.256, after 116 s on two cores.
The files are generated: two shapes side by side, a tone that rises or falls, and questions such as "Which colour is on
the right if the tone rises, on the left if it falls?". Only all three inputs together tell the answer, so the table at
the end shows the fused model beside models that get one of them.
"""

import argparse
import json
import logging
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported

import keras
import rich

import mmkeras as mm
from mmkeras.branches import audio, image, text


def main(args):
    started = time.perf_counter()
    logging.getLogger("tensorflow").setLevel("ERROR")  # it warns about four models in one process
    keras.utils.set_random_seed(args.seed)
    out = Path(args.out or ("runs/quickstart-smoke" if args.smoke else "runs/quickstart"))
    size, epochs = (240, 1) if args.smoke else (3600, args.epochs)

    # 1. What goes in and what comes out. The names are the columns of the table, and later the keys of a request.
    question = mm.Text("question", max_tokens=24)
    photo = mm.Image("photo", size=(48, 48))
    voice = mm.Audio("voice", seconds=0.5, sample_rate=8000)
    specs = [question, photo, voice]
    heads = [mm.heads.classification("answer", classes=mm.data.generate.ANSWERS)]

    # 2. A table of texts, paths and answers. Two questions share one scene, which must not be in two parts.
    data = Path(args.data or out / "data")
    if not args.data:
        mm.data.generate.scenes(data, n=size, seed=args.seed, size=48)
    raw = mm.data.from_csv(data / "examples.csv", specs, heads)
    raw_train, raw_valid, raw_test = mm.data.split(raw, (0.75, 0.1, 0.15), seed=args.seed, group="scene")

    # 3. Preprocessing turns strings and bytes into numbers. It is a model, part of the export; the cache runs it once.
    preprocess = mm.adapt(mm.preprocessor(specs), raw_train)
    question, photo, voice = specs = preprocess.specs  # with the sizes of the learned vocabularies
    train = mm.data.train_batches(raw_train, preprocess, batch_size=64, seed=args.seed, cache="memory")
    valid = mm.data.eval_batches(raw_valid, preprocess, cache="memory")
    test = mm.data.eval_batches(raw_test, preprocess, cache="memory")

    # 4. A branch for each input, a fusion, a head for each answer. The baselines have a single input each.
    branches = {
        "question": lambda: text.lstm(question, units=64),
        "photo": lambda: image.conv2d(photo, filters=(16, 32, 64), pool="flatten"),
        "voice": lambda: audio.conv2d(voice, filters=(16, 32), mel_bands=32, frame_seconds=0.032, hop_seconds=0.016),
    }
    # An interrupted run is resumed when it is started again, so each data set and seed gets a folder of its own.
    run_dir = out / "training" / f"{len(raw_train.frame)}-examples-{epochs}-epochs-seed-{args.seed}"
    models = {}
    for name, inputs in {"all three": specs, **{f"{spec.name} only": [spec] for spec in specs}}.items():
        rich.print(f"\n[bold]{name}[/bold]")
        with mm.distribute.strategy().scope():
            own_branches = {spec.name: branches[spec.name]() for spec in inputs}
            model = mm.fusion_model(inputs, own_branches, mm.fusion.Concatenate(256), heads)
            model.compile("adam", **mm.heads.compile_for(heads))
        own_train, own_valid = mm.data.select_inputs(train, model), mm.data.select_inputs(valid, model)
        callbacks = mm.train.callbacks(run_dir / name.replace(" ", "_"), train, patience=4)
        model.fit(own_train, validation_data=own_valid, epochs=epochs, callbacks=callbacks, shuffle=False, verbose=2)
        models[name] = model

    # 5. Scores on unseen scenes; plots are in OUT/evaluation.
    model = models.pop("all three")
    found = mm.evaluate.report(
        model, test, heads, out_dir=out / "evaluation", train=raw_train, baselines=models, name="all three"
    )

    # 6. Files and strings in, answers out. The export is kept only if a process without mmkeras gives the same answers.
    export = mm.export.saved_model(preprocess, model, f"saved_models/{out.name}", samples=raw_test, version="next")

    # 7. The file for a phone or a board. Its row in the table has its answers in a process without TensorFlow.
    file = f"saved_models/{out.name}-{Path(export['path']).name}.tflite"  # the version of the SavedModel
    lite = mm.export.litert(preprocess, model, file, samples=raw_test, n_samples=len(raw_test.frame),
                            saved_model=export["path"])  # fmt: skip
    first = {"all three": found["models"]["all three"], "all three, LiteRT": lite["metrics"]["litert"]}

    # 8. One example of the test part, answered by the export alone, as on a server.
    row = raw_test.frame.iloc[0]
    example = [f"question={row.question}", f"photo={data / row.photo}", f"voice={data / row.voice}"]
    ask = ["ask", export["path"], *example]
    command = [sys.executable, "-m", "mmkeras.cli", *ask, "--json"]  # `mmkeras`, of this environment
    answers = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    report = {
        **mm.evaluate.summary(found),
        "parity_max_abs": export["largest_difference"],
        "n_train": len(raw_train.frame),
        "skipped": len({*train.skipped, *valid.skipped, *test.skipped}),
        "export": export["path"],
        "litert": {key: lite[key] for key in ("path", "bytes", "max_difference", "latency_ratio")},
        "seed": args.seed,
        "seconds": round(time.perf_counter() - started, 1),
    }
    (out / "report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    table = mm.evaluate.table({"models": first | found["models"]})
    table.title = f"{report['n']} unseen questions, {report['n_train']} to learn from"
    rich.print("", table)
    print(f"{export['path']} answers as Python does ({report['parity_max_abs']:.0e}); {report['seconds']:.0f} s in all")
    print(f"\n$ {shlex.join(['mmkeras', *ask])}")
    print(f"{answers['answer']} ({max(answers['answer_scores']):.3f}); the label is {row.answer}")
    print(f"\nWritten: {out}/report.json, training/ (curves, best weights), evaluation/ ({', '.join(found['files'])})")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", help="folder with an examples.csv such as that of OUT/data, which is made without it")
    parser.add_argument("--out", help="folder of the run, runs/quickstart by default; its name is that of the export")
    parser.add_argument("--epochs", type=int, default=14, help="at most; a model that learns nothing more ends sooner")
    parser.add_argument("--seed", type=int, default=0, help="of data, split, order and weights")
    parser.add_argument("--smoke", action="store_true", help="tiny data and one epoch, to see that everything works")
    main(parser.parse_args())
