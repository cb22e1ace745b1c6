"""Learns to answer questions about a picture and a sound, and exports the model for TF Serving.

    python recipes/quickstart.py

The pictures, sounds and questions are generated: two shapes side by side, a tone that rises or falls, and "Which colour
is on the right if the tone rises, on the left if it falls?". No one or two of the three inputs tell the answer, so
the table at the end shows the fused model beside models that get one of them.
"""

import argparse
import json
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
    keras.utils.set_random_seed(args.seed)
    out = Path(args.out or ("runs/quickstart-smoke" if args.smoke else "runs/quickstart"))
    epochs = 1 if args.smoke else args.epochs

    # 1. What goes in, and what is to come out. Names are the columns of the table, and later of the REST request.
    specs = [
        mm.Text("question", max_tokens=24, vocabulary_size=100),
        mm.Image("photo", size=(48, 48)),
        mm.Audio("voice", seconds=0.5, sample_rate=8000),
    ]
    heads = [mm.heads.classification("answer", classes=mm.data.generate.ANSWERS)]

    # 2. A table of texts, paths and answers. Two questions share a picture: a scene must stay in one part.
    if args.data is None:
        mm.data.generate.scenes(out / "data", n=240 if args.smoke else 3600, seed=args.seed, size=48)
    data = Path(args.data or out / "data")
    raw = mm.data.from_csv(data / "examples.csv", specs, heads)
    raw_train, raw_valid, raw_test = mm.data.split(raw, (0.75, 0.1, 0.15), seed=args.seed, group="scene")

    # 3. Strings and bytes -> numbers. The same model is part of the export. It is run once: the result is cached.
    preprocess = mm.adapt(mm.preprocessor(specs), raw_train)
    train = mm.data.train_batches(raw_train, preprocess, heads, batch_size=64, seed=args.seed, cache="memory")
    valid = mm.data.eval_batches(raw_valid, preprocess, heads, cache="memory")
    test = mm.data.eval_batches(raw_test, preprocess, heads, cache="memory")

    # 4. A branch for each input, a fusion, a head for each answer; the baselines are the same with one input.
    branches = {
        "question": lambda spec: text.lstm(spec, units=64),
        "photo": lambda spec: image.conv2d(spec, filters=(16, 32, 64), pool="flatten"),
        "voice": lambda spec: audio.conv2d(spec, (16, 32), mel_bands=32, frame_seconds=0.032, hop_seconds=0.016),
    }
    chosen_specs = {"all three": specs, **{f"{spec.name} only": [spec] for spec in specs}}
    models = {}
    for name, chosen in chosen_specs.items():
        rich.print(f"\n[bold]{name}[/bold]")
        with mm.distribute.strategy().scope():
            own = {spec.name: branches[spec.name](spec) for spec in chosen}
            model = mm.fusion_model(chosen, own, mm.fusion.Concatenate(), heads)
            model.compile("adam", **mm.heads.compile_for(heads))
        model.fit(
            inputs_of(model, train),
            validation_data=inputs_of(model, valid),
            epochs=epochs if name == "all three" else min(epochs, args.baseline_epochs),
            callbacks=mm.train.callbacks(out / "training" / name.replace(" ", "_"), train),
            verbose=2,
        )
        models[name] = model

    # 5. Scores on scenes that no model has seen, with pictures in OUT/evaluation.
    model = models.pop("all three")
    found = mm.evaluate.report(model, test, heads, out / "evaluation", train=raw_train, baselines=models)
    rows = {"all three": found["models"].pop("model")} | found["models"]

    # 6. One artefact: raw strings and bytes in, answers out. A process without mmkeras has to agree before it is kept.
    export = mm.export.saved_model(
        preprocess, model, heads, Path("saved_models", out.name), samples=raw_test, next_version=True
    )
    parity = max(value for run in export["max_difference"].values() for value in run.values())

    # 7. The export at work, on files.
    row = raw_test.frame.iloc[0]
    asked = [f"question={row.question}", f"photo={data / row.photo}", f"voice={data / row.voice}"]
    command = ["recipes/ask.py", export["path"], *asked]
    ask = [sys.executable, str(Path(__file__).with_name("ask.py")), *command[1:]]
    answer = json.loads(subprocess.run(ask, check=True, capture_output=True, text=True).stdout)

    report = {
        "accuracy": rows["all three"]["answer"]["accuracy"],
        "interval": rows["all three"]["answer"]["accuracy_interval"],
        "baselines": {name: row["answer"]["accuracy"] for name, row in rows.items() if name != "all three"},
        "parity_max_abs": parity,
        "n_train": len(raw_train.frame),
        "n_test": len(raw_test.frame),
        "skipped": len(train.skipped + valid.skipped + test.skipped),
        "seed": args.seed,
        "seconds": round(time.perf_counter() - started, 1),
        "export": export["path"],
    }
    (out / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    rich.print(mm.evaluate.table({"models": rows}))
    print(json.dumps(report, indent=1), shlex.join(command), answer)
    return report


def inputs_of(model, batches):
    """The batches without the inputs that `model` does not take."""
    return batches.map(lambda x, y: ({name: x[name] for name in model.input}, y))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", help="folder with examples.csv, images/ and sounds/; without, OUT/data is generated")
    parser.add_argument("--out", help="folder of the run, runs/quickstart; given again, the run goes on where it ended")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--baseline-epochs", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--smoke", action="store_true", help="tiny data and one epoch, to see that all parts work")
    main(parser.parse_args())
