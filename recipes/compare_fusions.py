"""Compares every fusion on two tasks, with the same branches, budget and seeds: a table and a picture.

    python recipes/compare_fusions.py --easy-vqa easy-vqa --digits digits3-files

In easy-VQA neither question nor picture has the answer, only both together. In digits3 each of picture, sound and word
has a part of it, and the question is whom to trust. Which one wins here says little about other data: try it on yours.
CrossAttention is among the first three on both (0.849 and 0.919, mean of 3 seeds), Concatenate has 0.841 and 0.896;
recipes/README.md has all.
A run that is interrupted goes on where it was.

recipes/easy_vqa.py and recipes/digits.py say where the sets come from; without them tiny ones are generated.
"""

import argparse
import json
import logging
import os
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported

import keras
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy import stats

import mmkeras as mm
from mmkeras.branches import audio, image, text

DIM = 64
STAGES = ["late mean", "late learned", "late product", "hybrid"]


def main(args):
    logging.getLogger("tensorflow").setLevel("ERROR")  # it warns about many models in one process
    out = Path(args.out or ("runs/compare_fusions-smoke" if args.smoke else "runs/compare_fusions"))
    budget = out / f"{args.examples}-examples-{args.epochs}-epochs-{args.seeds}-seeds"
    budget.mkdir(parents=True, exist_ok=True)
    rows = []
    for task, read in {"easy_vqa": easy_vqa, "digits": digits}.items():
        folder = vars(args)[task] or getattr(mm.data.generate.lookalikes, task)(out / "data" / task)
        milliseconds = compare(args, budget, task, *read(Path(folder)))
        rows += summary(budget, task, milliseconds)
    (out / "report.json").write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    draw(rows, out / "compare_fusions.png")
    print(pd.DataFrame(rows).to_string(index=False, float_format="{:.4g}".format))
    print(f"Written: {out}/report.json, compare_fusions.png; {budget}")


def easy_vqa(folder):
    """Specs, head, branches, and the raw examples to learn from and to test with."""
    specs = [mm.Text("question", max_tokens=16), mm.Image("photo", size=(32, 32))]
    head = mm.heads.classification("answer", classes=(folder / "answers.txt").read_text().split())
    parts = []
    for part in ("train", "test"):
        rows = json.loads((folder / f"{part}_questions.json").read_text(encoding="utf-8"))
        frame = pd.DataFrame(rows, columns=["question", "answer", "photo"])
        frame["photo"] = frame.photo.astype(str) + ".png"
        parts.append(mm.data.from_dataframe(frame, specs, [head], root=folder / f"{part}_images.zip"))
    branches = [lambda spec: text.transformer(spec, dim=DIM, num_layers=1),
                lambda spec: image.conv2d(spec, filters=(16, 32, 64, 128))]  # fmt: skip
    return specs, head, branches, *parts


def digits(folder):
    """The same of the other task."""
    specs = [mm.Image("image", size=(28, 28), channels=1), mm.Audio("audio", seconds=1.024, sample_rate=8000),
             mm.Text("text", max_tokens=12, tokenizer="characters", vocabulary_size=200)]  # fmt: skip
    head = mm.heads.classification("digit", classes=range(10))
    frames = {"mel_bands": 40, "frame_seconds": 0.032, "hop_seconds": 0.016}
    branches = [lambda spec: image.conv2d(spec, filters=(16, 32, 64)),
                lambda spec: audio.conv2d(spec, filters=(16, 32, 64, 96), **frames),
                lambda spec: text.transformer(spec, dim=DIM, num_layers=1)]  # fmt: skip
    parts = [mm.data.from_csv(folder / f"{part}.csv", specs, [head]) for part in ("train", "test")]
    return specs, head, branches, *parts


def build(name, specs, branches, head):
    """A model, its losses and metrics: of a class of `mm.fusion` or a stage; "+ auxiliary", a loss for each input."""
    auxiliary = name == "hybrid" or name.endswith(" + auxiliary")
    if name.startswith("late "):
        model = mm.late_fusion_model(specs, branches, [head], combine=name.removeprefix("late "))
    elif name == "hybrid":
        model = mm.hybrid_fusion_model(specs, branches, mm.fusion.Concatenate(DIM), [head])
    else:
        fusion = getattr(mm.fusion, name.removesuffix(" + auxiliary"))(dim=DIM)
        model = mm.fusion_model(specs, branches, fusion, [head], auxiliary=auxiliary)
    return model, mm.heads.compile_for([head], auxiliary=[spec.name for spec in specs] if auxiliary else [])


def compare(args, out, task, specs, head, branches, raw_train, raw_test):
    """Trains each fusion with each seed, a line of runs.jsonl for each; returns milliseconds of the LiteRT files."""
    known = {(run["task"], run["fusion"], run["seed"]) for run in runs(out)}
    picked = np.random.default_rng(0).permutation(len(raw_train.frame))[: args.examples]
    raw_train = raw_train.subset(np.sort(picked))
    preprocess = mm.adapt(mm.preprocessor(specs), raw_train)
    specs = preprocess.specs  # with the sizes of the learned vocabularies
    test = mm.data.eval_batches(raw_test, preprocess, [head], batch_size=256, cache="memory")
    one_vector = [name for name in mm.fusion.__all__ if name != "Aligned"]  # `Aligned` is for `mm.transcriber`
    names = args.only or [*one_vector, "Concatenate + auxiliary", *STAGES]
    files = {name: out / "litert" / task / f"{name}.tflite" for name in names}
    for seed in range(args.seeds):
        train = mm.data.train_batches(raw_train, preprocess, [head], batch_size=64, seed=seed, cache="memory")
        for name in names:
            if (task, name, seed) in known:
                continue
            keras.backend.clear_session()
            keras.utils.set_random_seed(seed)
            own = {spec.name: branch(spec) for spec, branch in zip(specs, branches, strict=True)}
            model, losses = build(name, specs, own, head)
            rate = keras.optimizers.schedules.CosineDecay(2e-3, args.epochs * len(train))
            model.compile(keras.optimizers.Adam(rate), **losses)
            seconds = []  # CPU time at the end of each epoch; the first epoch includes tracing and is not counted
            clock = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_, s=seconds: s.append(time.process_time()))
            train.epoch.assign(0)  # every fusion sees the same batches
            model.fit(train, epochs=args.epochs, callbacks=[clock], shuffle=False, verbose=0)
            found = mm.evaluate.report(model, test, [head])["models"]["model"][head.name]
            run = {"task": task, "fusion": name, "seed": seed, "accuracy": found["accuracy"]}
            run["parameters"] = model.count_params() - sum(branch.count_params() for branch in own.values())
            run["per_cpu_second"] = (args.epochs - 1) * len(train) * 64 / (seconds[-1] - seconds[0])
            if seed == 0:
                options = {"samples": raw_test, "overwrite": True, "verbose": False}
                mm.export.litert(preprocess, model, files[name], **options)
            with (out / "runs.jsonl").open("a") as lines:
                lines.write(json.dumps(run | {"kib": files[name].stat().st_size / 1024}) + "\n")
            print(f"{task}, {name}, seed {seed}: {run['accuracy']:.4f}", flush=True)
    return measure({name: mm.edge.Model(path) for name, path in files.items()}, raw_test.select([*preprocess.input]))


def measure(models, raw, rounds=100):
    """Median milliseconds of a call, one example each. In turns: a busy machine slows all alike."""
    ready = next(iter(models.values())).preprocess(next(raw.as_numpy_iterator()))
    took = {name: [] for name in models}
    for name, model in list(models.items()) * rounds:
        began = time.perf_counter()
        model.predict(ready)
        took[name].append(1000 * (time.perf_counter() - began))
    return {name: float(np.median(each)) for name, each in took.items()}


def runs(out):
    path = out / "runs.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def summary(out, task, milliseconds):
    """A row for each fusion, the best first: means over seeds; Student's 95 % interval of the accuracy."""
    every, rows = pd.DataFrame(runs(out)).query("task == @task"), []
    for name, took in milliseconds.items():
        own = every[every.fusion == name]
        margin = stats.t.ppf(0.975, len(own) - 1) * own.accuracy.sem() if len(own) > 1 else 0.0
        numbers = own[["accuracy", "parameters", "per_cpu_second", "kib"]].mean().to_dict()
        rows.append({"task": task, "fusion": name, "seeds": len(own), "margin": margin, **numbers, "ms": took})
    return sorted(rows, key=lambda row: -row["accuracy"])


def draw(rows, path):
    """Accuracy with its interval, a panel for each task."""
    tasks = list(dict.fromkeys(row["task"] for row in rows))
    figure, panels = plt.subplots(1, len(tasks), figsize=(5 * len(tasks), 5), layout="constrained", squeeze=False)
    for panel, task in zip(panels[0], tasks, strict=True):
        own = [row for row in rows if row["task"] == task][::-1]
        panel.errorbar([row["accuracy"] for row in own], range(len(own)), xerr=[row["margin"] for row in own], fmt="o")
        panel.set_yticks(range(len(own)), [row["fusion"] for row in own])
        panel.set(title=f"{task}, {own[0]['seeds']} seeds", xlabel="accuracy on the test part")
        panel.grid(axis="x", alpha=0.3)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--easy-vqa", help="folder of easy-VQA; without it a tiny one is generated")
    parser.add_argument("--digits", help="folder of digits3 as files; without it a tiny one is generated")
    parser.add_argument("--out", help="folder of the run, runs/compare_fusions by default")
    parser.add_argument("--only", nargs="+", help="names of fusions; all of them by default")
    parser.add_argument("--examples", type=int, default=6000, help="of each task, to learn from")
    parser.add_argument("--epochs", type=int, default=4, help="two at least: the first is not timed")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--smoke", action="store_true", help="tiny data, one seed, three fusions")
    arguments = parser.parse_args()
    if arguments.smoke:
        arguments.epochs, arguments.seeds = 2, 1
        arguments.only = arguments.only or ["Concatenate", "Attention", "late mean"]
    main(arguments)
