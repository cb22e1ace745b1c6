"""Learns digits from a picture, a sound and a word, and writes a page of all that is to be known of the model.

    python recipes/understand.py --data digits3-files

The page, OUT/understanding/report.html, is one file that needs no network: scores with intervals, whether fusion pays
(models of each input alone and of all but one are trained with the same budget, and compared by a paired test), what
each input contributes, how the score falls as inputs get worse, slices of the table, errors to look at and to listen
to, single answers explained down to letters, pixels and bands of the spectrogram, and whether the losses give training
examples away. The probabilities are calibrated on the validation part before all that; the export holds the calibrated
model and its card. The set is that of recipes/digits.py.
"""

import argparse
import json
import logging
import os
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported

import keras
import rich

import mmkeras as mm
from mmkeras.branches import audio, image, text


def main(args):
    started = time.perf_counter()
    logging.getLogger("tensorflow").setLevel("ERROR")  # it warns about several models in one process
    out = Path(args.out or ("runs/understand-smoke" if args.smoke else "runs/understand"))
    data = Path(args.data or mm.data.generate.lookalikes.digits(out / "data", seed=args.seed))

    # 1. As in digits.py: what goes in, what comes out, and the three parts.
    picture = mm.Image("image", size=(28, 28), channels=1, optional=True)
    sound = mm.Audio("audio", seconds=1.024, sample_rate=8000, optional=True)
    word = mm.Text("text", max_tokens=12, tokenizer="characters", vocabulary_size=200, optional=True)
    specs = [picture, sound, word]
    heads = [mm.heads.classification("digit", classes=range(10))]
    test_folder = Path(args.test or data)
    raw_train, raw_valid = (mm.data.from_csv(data / f"{part}.csv", specs, heads) for part in ("train", "valid"))
    raw_test = mm.data.from_csv(test_folder / "test.csv", specs, heads)
    if args.limit:
        raw_test = raw_test.subset(range(min(args.limit, len(raw_test.frame))))
    preprocess = mm.adapt(mm.preprocessor(specs), raw_train)
    specs = preprocess.specs  # with the sizes of the learned vocabularies
    train = mm.data.train_batches(raw_train, preprocess, batch_size=64, seed=args.seed, cache="memory")
    valid = mm.data.eval_batches(raw_valid, preprocess, batch_size=256, cache="memory")

    # 2. One function builds the full model and every baseline, so that all have the same budget.
    frames = {"mel_bands": 40, "frame_seconds": 0.032, "hop_seconds": 0.016}
    makers = {
        "image": lambda spec: image.conv2d(spec, filters=(16, 32), pool="flatten"),
        "audio": lambda spec: audio.conv2d(spec, filters=(16, 32, 64, 96), **frames, dropout=0.1, pool="mean"),
        "text": lambda spec: text.transformer(spec, dim=64, num_layers=2, dropout=0.0, pool="mean"),
    }

    def build(inputs, late=False):
        keras.utils.set_random_seed(args.seed)
        branches = {spec.name: makers[spec.name](spec) for spec in inputs}
        hide = 0.2 if len(inputs) > 1 else 0.0  # modality dropout, so that the model can do without an input
        if late:
            model = mm.late_fusion_model(inputs, branches, heads, combine="product", modality_dropout=hide)
        else:
            fusion = mm.fusion.Concatenate(256, dropout=0.3)
            model = mm.fusion_model(inputs, branches, fusion, heads, modality_dropout=hide)
        rate = keras.optimizers.schedules.CosineDecay(2e-3, args.epochs * len(train))
        model.compile(keras.optimizers.Adam(rate), **mm.heads.compile_for(heads))
        return model

    budget = {"epochs": args.epochs, "validation_data": valid, "shuffle": False, "verbose": 2}
    model, late = build(specs), build(specs, late=True)
    for each in (model, late):
        each.fit(train, **budget)
    baselines = mm.evaluate.train_baselines(build, specs, train, **budget) | {"late fusion": late}

    # 3. Calibrated probabilities, then a report of everything on one page.
    model = mm.evaluate.calibrated(model, valid)
    found = mm.evaluate.full_report(
        model, preprocess, raw_test, out_dir=out / "understanding", train=raw_train, valid=raw_valid, heads=heads,
        baselines=baselines, reference=late, strengths=(0, 0.5, 1) if args.smoke else None,
        samples=20 if args.smoke else 200, cache="memory", title="Digits from a picture, a sound and a word",
    )  # fmt: skip

    # 4. Files and strings in, answers out; the model card next to it holds the scores and the verdict.
    export = mm.export.saved_model(
        preprocess, model, f"saved_models/{out.name}", samples=raw_test, version="next", evaluation=found
    )
    report = {
        **mm.evaluate.summary(found),
        "verdict": (found["sections"].get("fusion") or {}).get("digit", {}).get("verdict"),
        "failed": found["failed"],
        "parity_max_abs": export["largest_difference"],
        "n_train": len(raw_train.frame),
        "skipped": len({*train.skipped, *valid.skipped}),
        "export": export["path"],
        "seed": args.seed,
        "seconds": round(time.perf_counter() - started, 1),
    }
    (out / "report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    rich.print("", mm.evaluate.table(found))
    print(report["verdict"])
    print(f"Written: {out}/report.json, understanding/report.html; {export['path']}; {report['seconds']:.0f} s in all")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", help="folder of the set as files; without it a tiny one is generated")
    parser.add_argument("--test", help="another folder to score: its test.csv, and the files")
    parser.add_argument("--out", help="folder of the run, runs/understand by default; its name is that of the export")
    parser.add_argument("--epochs", type=int, default=4, help="of every model")
    parser.add_argument(
        "--limit", type=int, default=2000, help="how many of the test examples are looked at; 0 for all"
    )
    parser.add_argument("--seed", type=int, default=0, help="of order and weights")
    parser.add_argument("--smoke", action="store_true", help="tiny data and one epoch, to see that everything works")
    arguments = parser.parse_args()
    if arguments.smoke:
        arguments.epochs, arguments.limit = 1, 24
    main(arguments)
