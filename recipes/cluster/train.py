"""One training on one or several machines: pictures and questions in, an answer out.

    python recipes/cluster/train.py                                   # one process
    TF_CONFIG='{"cluster": {...}, "task": {...}}' python recipes/cluster/train.py --out /shared/run

README.md beside it starts it by hand, by Slurm, as a Kubernetes TFJob and by Ray Train. Nothing in it asks how many
machines there are: each worker reads, decodes and caches its own part of every batch, all have the same weights after
every step, and the first one writes. OUT must be on a file system that all workers share; `--data` may be a copy.
When a worker is lost, start all of them again: they continue after the last whole epoch.
"""

import argparse
import json
import logging
import os
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported

import keras

import mmkeras as mm
from mmkeras.branches import image, text


def main(args):
    started = time.perf_counter()
    logging.getLogger("tensorflow").setLevel("ERROR")
    strategy = mm.distribute.strategy()  # joins the other workers of TF_CONFIG, before anything else uses TensorFlow
    here = mm.distribute.cluster()
    keras.utils.set_random_seed(args.seed)
    out = Path(args.out or ("runs/cluster-smoke" if args.smoke else "runs/cluster"))
    size, epochs, batch_size = (360, 2, 16) if args.smoke else (3600, args.epochs, 64)

    specs = [mm.Text("question", max_tokens=24), mm.Image("photo", size=(32, 32))]
    heads = [mm.heads.classification("answer", classes=mm.data.generate.ANSWERS)]
    # The same seed writes the same files, so that every worker may write its own.
    data = Path(
        args.data or mm.data.generate.scenes(out / f"data-{here.worker}", n=size, seed=args.seed, size=32).parent
    )
    raw = mm.data.from_csv(data / "examples.csv", specs, heads)
    raw_train, raw_valid, raw_test = mm.data.split(raw, (0.75, 0.1, 0.15), seed=args.seed, group="scene")
    preprocess = mm.adapt(mm.preprocessor(specs), raw_train)
    question, photo = specs = preprocess.specs
    # 64 examples in each step, whatever the number of workers, which has to divide it.
    train = mm.data.train_batches(raw_train, preprocess, batch_size=batch_size, seed=args.seed, cache="memory")
    valid = mm.data.eval_batches(raw_valid, preprocess, batch_size=batch_size, cache="memory")
    test = mm.data.eval_batches(raw_test, preprocess, batch_size=batch_size)

    with strategy.scope():
        branches = {"question": text.lstm(question, units=64), "photo": image.conv2d(photo, filters=(16, 32, 64))}
        model = mm.fusion_model(specs, branches, mm.fusion.Concatenate(128), heads)
        model.compile("adam", **mm.heads.compile_for(heads))
    callbacks = mm.train.callbacks(out / f"training-{epochs}-epochs-seed-{args.seed}", train)
    model.fit(train, validation_data=valid, epochs=epochs, callbacks=callbacks, verbose=2)

    # Every worker takes part, the chief writes.
    found = mm.evaluate.report(model, test, out_dir=out / "evaluation", train=raw_train)
    export = mm.export.saved_model(preprocess, model, f"saved_models/{out.name}", samples=raw_test, version="next")
    scores = mm.evaluate.summary(found)
    if args.test:
        other = mm.data.eval_batches(mm.data.from_csv(Path(args.test, "examples.csv"), specs, heads), preprocess)
        scores["other_test"] = mm.evaluate.summary(mm.evaluate.report(model, other))
    report = {
        **scores,
        "workers": here.workers,
        "n_train": len(raw_train.frame),
        "skipped": len({*train.skipped, *valid.skipped, *test.skipped}),
        "seed": args.seed,
        "seconds": round(time.perf_counter() - started, 1),
    }
    if here.is_chief:
        report |= {"export": export["path"], "parity_max_abs": export["largest_difference"]}
        (out / "report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        print(f"{here.workers} worker(s): {report['seconds']} s; written: {out}/report.json, {export['path']}")
    return model


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", help="folder with an examples.csv such as that of OUT/data-0, made without it")
    parser.add_argument("--test", help="another folder of the same layout, scored as well")
    parser.add_argument("--out", help="folder of the run, which all workers share; runs/cluster by default")
    parser.add_argument("--epochs", type=int, default=14, help="at most")
    parser.add_argument("--seed", type=int, default=0, help="of data, split, order and weights")
    parser.add_argument("--smoke", action="store_true", help="tiny data and two epochs, to see that everything works")
    main(parser.parse_args())
