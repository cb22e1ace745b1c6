"""Learns digits from a degraded picture, a noisy recording and a damaged word, and from every subset of the three.

    python recipes/digits.py --data digits3-files

Share of the 5,000 test digits found (seed 0, some 21 minutes of CPU time, 2.9 GB of memory). The model of all three
learned with inputs hidden now and then (modality dropout), so that it does without any of them about as well as a model
of the others:

                      all three   pic + sound   pic + word   sound + word   picture   sound   word
    the one model         0.981         0.923        0.885          0.955     0.532   0.840  0.723
    one for each              -         0.911        0.878          0.948     0.527   0.854  0.739
    linear                 0.95          0.83            -              -      0.49    0.69   0.71

The set joins MNIST pictures of which three principal components are left, FSDD recordings under ESC-10 noise, and
number words of twelve languages (Unicode CLDR) with hidden letters, such as "__ed_m". Its make.py writes the folder
with `--files DIR`, for train, valid and test: SPLIT.csv with the columns image, audio, text, digit, and the files.
"""

import argparse
import itertools
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
    out = Path(args.out or ("runs/digits-smoke" if args.smoke else "runs/digits"))
    data = Path(args.data or mm.data.generate.lookalikes.digits(out / "data", seed=args.seed))

    # 1. What goes in and what comes out. A damaged word keeps some of its letters; "_" stands for a hidden one.
    picture = mm.Image("image", size=(28, 28), channels=1, optional=True)
    sound = mm.Audio("audio", seconds=1.024, sample_rate=8000, optional=True)
    word = mm.Text("text", max_tokens=12, tokenizer="characters", vocabulary_size=200, optional=True)
    specs = [picture, sound, word]
    heads = [mm.heads.classification("digit", classes=range(10))]

    # 2. Tables; the parts are given. Preprocessing runs once, and its results stay in memory.
    raw_train, raw_valid, raw_test = (
        mm.data.from_csv(data / f"{part}.csv", specs, heads) for part in ("train", "valid", "test")
    )
    preprocess = mm.adapt(mm.preprocessor(specs), raw_train)
    picture, sound, word = specs = preprocess.specs  # with the sizes of the learned vocabularies
    train = mm.data.train_batches(raw_train, preprocess, batch_size=64, seed=args.seed, cache="memory")
    valid = mm.data.eval_batches(raw_valid, preprocess, batch_size=256, cache="memory")
    test = mm.data.eval_batches(raw_test, preprocess, batch_size=256, cache="memory")

    # 3. One model for each subset of inputs, all with the same branches. The one with all three trains three times as
    # long with modality dropout, so that it does as well as the others if an input is absent.
    frames = {"mel_bands": 40, "frame_seconds": 0.032, "hop_seconds": 0.016}
    branches = {
        "image": lambda: image.conv2d(picture, filters=(16, 32), pool="flatten"),
        "audio": lambda: audio.conv2d(sound, filters=(16, 32, 64, 96), **frames, dropout=0.1, pool="mean"),
        "text": lambda: text.transformer(word, dim=64, num_layers=2, dropout=0.0, pool="mean"),
    }
    models = {}
    for inputs in [list(subset) for size in (3, 2, 1) for subset in itertools.combinations(specs, size)]:
        name = " + ".join(spec.name for spec in inputs)
        rich.print(f"\n[bold]{name}[/bold]")
        epochs = args.epochs if len(inputs) == 3 else -(-args.epochs // 3)
        keras.utils.set_random_seed(args.seed)
        with mm.distribute.strategy().scope():
            own_branches = {spec.name: branches[spec.name]() for spec in inputs}
            fusion, hide = mm.fusion.Concatenate(256, dropout=0.3), 0.2 if len(inputs) == 3 else 0.0
            model = mm.fusion_model(inputs, own_branches, fusion, heads, modality_dropout=hide)
            rate = keras.optimizers.schedules.CosineDecay(2e-3, epochs * len(train))
            model.compile(keras.optimizers.Adam(rate), **mm.heads.compile_for(heads))
        own_train, own_valid = mm.data.select_inputs(train, model), mm.data.select_inputs(valid, model)
        settings = f"{len(raw_train.frame)}-examples-{epochs}-epochs-seed-{args.seed}"
        run_dir = out / "training" / settings / name.replace(" + ", "_")
        callbacks = mm.train.callbacks(run_dir, train, patience=epochs)
        model.fit(own_train, validation_data=own_valid, epochs=epochs, callbacks=callbacks, shuffle=False, verbose=2)
        models[name] = model

    # 4. Scores on unseen recordings, noises and pictures; curves are in OUT/evaluation.
    model = models.pop("image + audio + text")
    found = mm.evaluate.report(
        model, test, heads, out_dir=out / "evaluation", train=raw_train, baselines=models, name="all three", specs=specs
    )
    scores = mm.evaluate.summary(found)
    if args.test:
        tables = [path for path in Path(args.test).glob("*.csv") if path.stem not in ("train", "valid", "test")]
        raw_other = mm.data.from_csv([*tables, Path(args.test) / "test.csv"][0], specs, heads)
        other = mm.data.eval_batches(raw_other, preprocess, batch_size=256)
        other = mm.evaluate.report(model, other, baselines=models, name="all three", specs=specs)
        scores["other_test"] = mm.evaluate.summary(other)

    # 5. Files and strings in, answers out. The export is kept only if a process without mmkeras gives the same answers.
    export = mm.export.saved_model(preprocess, model, f"saved_models/{out.name}", samples=raw_test, version="next")
    report = {
        **scores,
        "parity_max_abs": export["largest_difference"],
        "n_train": len(raw_train.frame),
        "skipped": len({*train.skipped, *valid.skipped, *test.skipped}),
        "export": export["path"],
        "seed": args.seed,
        "seconds": round(time.perf_counter() - started, 1),
    }
    (out / "report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    rich.print("", mm.evaluate.table(found))
    print(f"Written: {out}/report.json, training/, evaluation/; {export['path']}; {report['seconds']:.0f} s in all")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", help="folder of the set as files; without it a tiny one is generated")
    parser.add_argument("--test", help="another folder to score: test.csv, or one .csv of another name, and the files")
    parser.add_argument("--out", help="folder of the run, runs/digits by default; its name is that of the export")
    parser.add_argument("--epochs", type=int, default=8, help="of the model of all three; the others get a third")
    parser.add_argument("--seed", type=int, default=0, help="of order and weights")
    parser.add_argument("--smoke", action="store_true", help="tiny data and one epoch, to see that everything works")
    arguments = parser.parse_args()
    if arguments.smoke:
        arguments.epochs = 1
    main(arguments)
