"""Learns to answer questions about a picture (the easy-VQA set), and exports the model for TF Serving.

    python recipes/easy_vqa.py --data easy-vqa

It answered 0.9996 of the 4,868 test questions (0.9985 to 0.9999, seed 0) after 8 minutes of CPU time, those of the
models of one input (0.660 and 0.368) among them. Question or picture alone give 0.670 and 0.473 at most; the set's own
Keras model has 0.938.

The set is that of github.com/vzhou842/easy-VQA, folder easy_vqa/data: answers.txt and, for train and test,
PART_questions.json of [question, answer, ID of the picture] and the pictures ID.png, zipped into PART_images.zip.
"""

import argparse
import json
import logging
import os
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported

import keras
import pandas as pd
import rich

import mmkeras as mm
from mmkeras.branches import image, text


def main(args):
    started = time.perf_counter()
    logging.getLogger("tensorflow").setLevel("ERROR")  # it warns about several models in one process
    keras.utils.set_random_seed(args.seed)
    out = Path(args.out or ("runs/easy_vqa-smoke" if args.smoke else "runs/easy_vqa"))
    most = 1 if args.smoke else args.epochs
    data = Path(args.data or mm.data.generate.lookalikes.easy_vqa(out / "data", seed=args.seed))

    # 1. What goes in and what comes out. The names will be the keys of a request.
    question = mm.Text("question", max_tokens=16)
    photo = mm.Image("photo", size=(48, 48))
    specs = [question, photo]
    heads = [mm.heads.classification("answer", classes=(data / "answers.txt").read_text().split())]

    # 2. Tables of questions. About ten of them share a picture, which must not be in both training and validation.
    raw = read(data, "train", specs, heads)
    raw_train, raw_valid = mm.data.split(raw, (0.9, 0.1), seed=args.seed, group="id")
    raw_test = read(data, "test", specs, heads)

    # 3. Preprocessing turns strings and bytes into numbers. It is a model, part of the export; the cache runs it once.
    preprocess = mm.adapt(mm.preprocessor(specs), raw_train)
    question, photo = specs = preprocess.specs  # with the sizes of the learned vocabularies
    train = mm.data.train_batches(raw_train, preprocess, batch_size=64, seed=args.seed, cache="memory")
    valid = mm.data.eval_batches(raw_valid, preprocess, batch_size=256, cache="memory")
    test = mm.data.eval_batches(raw_test, preprocess, batch_size=256)

    # 4. A branch for each input, a fusion, a head. The learning rate decays to zero; the baselines need fewer epochs.
    branches = {
        "question": lambda: text.transformer(question, dim=64, num_layers=1, pool="mean"),
        "photo": lambda: image.conv2d(photo, filters=(16, 32, 64, 128), pool="max"),
    }
    models = {}
    for name, inputs in {"both": specs, "question only": [question], "photo only": [photo]}.items():
        rich.print(f"\n[bold]{name}[/bold]")
        epochs = most if name == "both" else min(most, 3)
        with mm.distribute.strategy().scope():
            own_branches = {spec.name: branches[spec.name]() for spec in inputs}
            model = mm.fusion_model(inputs, own_branches, mm.fusion.Concatenate(256), heads)
            rate = keras.optimizers.schedules.CosineDecay(
                0.0, epochs * len(train), warmup_target=1.5e-3, warmup_steps=200
            )
            model.compile(keras.optimizers.Adam(rate), **mm.heads.compile_for(heads))
        own_train, own_valid = mm.data.select_inputs(train, model), mm.data.select_inputs(valid, model)
        settings = f"{len(raw_train.frame)}-examples-{epochs}-epochs-seed-{args.seed}"
        run_dir = out / "training" / settings / name.replace(" ", "_")
        callbacks = mm.train.callbacks(run_dir, train, patience=epochs)
        model.fit(own_train, validation_data=own_valid, epochs=epochs, callbacks=callbacks, shuffle=False, verbose=2)
        models[name] = model

    # 5. Scores on unseen pictures; curves are in OUT/evaluation.
    model = models.pop("both")
    found = mm.evaluate.report(
        model, test, heads, out_dir=out / "evaluation", train=raw_train, baselines=models, name="both"
    )
    scores = mm.evaluate.summary(found)
    if args.test:
        raw_other = read(Path(args.test), "test", specs, heads)
        other = mm.data.eval_batches(raw_other, preprocess, batch_size=256)
        scores["other_test"] = mm.evaluate.summary(mm.evaluate.report(model, other, heads))

    # 6. Files and strings in, answers out. The export is kept only if a process without mmkeras gives the same answers.
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


def read(folder, part, specs, heads):
    """The questions of one part, as raw examples."""
    rows = json.loads((folder / f"{part}_questions.json").read_text(encoding="utf-8"))
    frame = pd.DataFrame(rows, columns=["question", "answer", "id"])
    frame["photo"] = frame["id"].astype(str) + ".png"
    return mm.data.from_dataframe(frame, specs, heads, root=folder / f"{part}_images.zip")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", help="folder of the set; without it a tiny one is generated")
    parser.add_argument("--test", help="a folder with another test_questions.json and test_images.zip to answer")
    parser.add_argument("--out", help="folder of the run, runs/easy_vqa by default; its name is that of the export")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0, help="of split, order and weights")
    parser.add_argument("--smoke", action="store_true", help="tiny data and one epoch, to see that everything works")
    main(parser.parse_args())
