"""Says in one sentence what happens in a short video, and exports the model for servers and for devices.

    python recipes/describe_clips.py

The clips are generated: a square or a cross of one of four colours moves one way, and then another, or stays. Every
frame tells who it is; what it does, and what comes first, only the frames in their order do. It is video summarisation
at a size that fits two cores. Beside it stand a model of the frames without order, and the most frequent sentence.

DIR of --data holds examples.csv with columns clip and story, for clips of your own.
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
from mmkeras.branches import video


def main(args):
    started = time.perf_counter()
    logging.getLogger("tensorflow").setLevel("ERROR")  # it warns about several models in one process
    keras.utils.set_random_seed(args.seed)
    out = Path(args.out or ("runs/describe_clips-smoke" if args.smoke else "runs/describe_clips"))
    epochs, n = (1, 96) if args.smoke else (args.epochs, args.clips)
    if not args.data:
        mm.data.generate.stories(out / "data", n=n, seed=args.seed)
    data = Path(args.data or out / "data")

    # 1. What goes in and what comes out: a clip, and a sentence of at most ten words.
    clip = mm.Video("clip", frames=12, size=(32, 32))
    heads = [mm.heads.generation("story", max_tokens=10, dim=96, num_layers=1, dropout=0.0)]

    # 2. Clips for training, validation and testing; the vocabulary is learned from the training sentences.
    raw = mm.data.from_csv(data / "examples.csv", [clip], heads)
    raw_train, raw_valid, raw_test = mm.data.split(raw, (0.8, 0.05, 0.15), seed=args.seed)
    heads = mm.heads.adapt(heads, raw_train)

    # 3. Frames are decoded once.
    preprocess = mm.adapt(mm.preprocessor([clip]), raw_train)
    train = mm.data.train_batches(raw_train, preprocess, heads, batch_size=32, seed=args.seed, cache="memory")
    valid = mm.data.eval_batches(raw_valid, preprocess, heads, batch_size=64, cache="memory")
    test = mm.data.eval_batches(raw_test, preprocess, heads, batch_size=64)

    # 4. One token per frame: a GRU's state so far. The other model ignores the order of the frames.
    options = {"in order": {"num_layers": 1}, "without order": {"num_layers": 0, "pool": "mean"}}
    models = {}
    for name, own_options in options.items():
        rich.print(f"\n[bold]{name}[/bold]")
        own = epochs if name == "in order" else min(epochs, 6)
        with mm.distribute.strategy().scope():
            branch = video.frames(clip, filters=(16, 32, 64), units=96, **own_options)
            model = mm.encoder_decoder([clip], {"clip": branch}, heads, dim=96)
            rate = keras.optimizers.schedules.CosineDecay(0.0, own * len(train), warmup_target=2e-3, warmup_steps=50)
            model.compile(keras.optimizers.Adam(rate), **mm.heads.compile_for(heads))
        run_dir = (
            out / "training" / f"{len(raw_train.frame)}-clips-{own}-epochs-seed-{args.seed}" / name.replace(" ", "_")
        )
        callbacks = mm.train.callbacks(run_dir, train, patience=own)
        model.fit(train, validation_data=valid, epochs=own, callbacks=callbacks, shuffle=False, verbose=2)
        models[name] = model

    # 5. Scores of the sentences as they are answered, without teacher forcing; OUT/evaluation lists the answers.
    model = models.pop("in order")
    found = mm.evaluate.report(model, test, heads, out_dir=out / "evaluation", train=raw_train, baselines=models,
                               name="in order")  # fmt: skip
    scores = mm.evaluate.summary(found)
    if args.test:
        raw_other = mm.data.from_csv(Path(args.test, "examples.csv"), [clip], heads)
        other = mm.data.eval_batches(raw_other, preprocess, heads, batch_size=64)
        scores["other_test"] = mm.evaluate.summary(mm.evaluate.report(model, other, heads))

    # 6. Clips in, sentences out, on a server and on a device; both are checked to answer like Python.
    export = mm.export.saved_model(preprocess, model, f"saved_models/{out.name}", samples=raw_test, version="next")
    device = mm.export.litert(preprocess, model, f"saved_models/{out.name}.tflite", samples=raw_test, overwrite=True)
    report = {
        **scores,
        "parity_max_abs": export["largest_difference"],
        "n_train": len(raw_train.frame),
        "skipped": len({*train.skipped, *valid.skipped, *test.skipped}),
        "export": export["path"],
        "device": {key: device[key] for key in ("path", "bytes", "latency_ms")},
        "seed": args.seed,
        "seconds": round(time.perf_counter() - started, 1),
    }
    (out / "report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    rich.print("", mm.evaluate.table(found))
    print(f"Written: {out}/report.json, training/, evaluation/; {export['path']}; {report['seconds']:.0f} s in all")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", help="folder with examples.csv and the clips; without it they are generated")
    parser.add_argument("--test", help="folder with another examples.csv, to describe its clips, too")
    parser.add_argument("--out", help="folder of the run, runs/describe_clips by default; also the export's name")
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--clips", type=int, default=3000, help="how many are generated")
    parser.add_argument("--seed", type=int, default=0, help="of clips, split, order and weights")
    parser.add_argument("--smoke", action="store_true", help="tiny data and one epoch, to see that everything works")
    main(parser.parse_args())
