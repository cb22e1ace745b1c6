"""Learns to tell sounds of the surroundings (ESC-10: dog bark, rain, chainsaw, ...) from 240 clips, and exports it.

    python recipes/sound_events.py --data esc10

Having learned from folds 1 to 3, it told 0.912 of the 80 clips of fold 4 (0.830 to 0.957, seed 0; 7 minutes of CPU time
in all). With each of the four folds left out in turn, it told 0.863 (0.796 to 0.929, t over the folds).
Published for the originals of 44.1 kHz, five folds: people 0.957, a random forest 0.727 (Piczak 2015). The clips here
are of 8 kHz, and the fifth fold is kept back, so that four folds are learned from and tested on in turn.

The set is that of github.com/karolpiczak/ESC-10, or the rows of esc10 in ESC-50: clips.tsv (file, class, fold) and
audio.zip. Clips of one recording never lie in two folds, so folds are what is divided by, not clips.
"""

import argparse
import json
import logging
import os
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported

import keras
import numpy as np
import pandas as pd
import rich
from scipy import stats

import mmkeras as mm
from mmkeras.branches import audio
from mmkeras.layers import SpecAugment

TRAIN, TEST = ("1", "2", "3"), "4"
# Published accuracies on the original 44.1 kHz clips, over five folds.
PUBLISHED = {"people": {"event": {"accuracy": 0.957}}, "random forest": {"event": {"accuracy": 0.727}}}


def main(args):
    started = time.perf_counter()
    logging.getLogger("tensorflow").setLevel("ERROR")  # it warns about several models in one process
    out = Path(args.out or ("runs/sound_events-smoke" if args.smoke else "runs/sound_events"))
    epochs = 1 if args.smoke else args.epochs
    data = Path(args.data or mm.data.generate.lookalikes.sound_events(out / "data", seed=args.seed))

    # 1. What goes in and what comes out.
    clip = mm.Audio("clip", seconds=5.0, sample_rate=8000)
    classes = sorted(set(pd.read_csv(data / "clips.tsv", sep="\t")["class"]))
    heads = [mm.heads.classification("event", classes=classes, dropout=0.3)]

    # 2. A table of clips in a ZIP file. Preprocessing of sounds needs no `adapt`.
    def read(folder, without=()):
        frame = pd.read_csv(Path(folder, "clips.tsv"), sep="\t", dtype=str, keep_default_na=False)
        frame, columns = frame[~frame["fold"].isin(without)], {"clip": "file", "event": "class"}
        return mm.data.from_dataframe(frame, [clip], heads, root=Path(folder, "audio.zip"), columns=columns)

    def batches(examples):
        return mm.data.eval_batches(examples, preprocess)

    raw, preprocess = read(data), mm.preprocessor([clip])
    folds = raw.frame["fold"].to_numpy()
    parts = {fold: raw.subset(np.flatnonzero(folds == fold)) for fold in sorted(set(folds)) if fold in (*TRAIN, TEST)}
    louder = mm.augment.audio(clip, gain_db=6.0, shift_seconds=1.0, noise=(10, 40))
    augment = [mm.augment.mix([clip], heads, mixup=0.3), louder]

    # 3. Convolutions, then attention queries that find the relevant time steps. The number of epochs is fixed in
    # advance: there are too few clips for a validation set, and the fold left out must not be used for that.
    def trained(fold):
        rich.print(f"\n[bold]without fold {fold}[/bold]")
        keras.utils.set_random_seed(args.seed)
        learn = raw.subset(np.flatnonzero((folds != fold) & np.isin(folds, [*parts])))
        train = mm.data.train_batches(
            learn, preprocess, heads, batch_size=16, seed=args.seed, cache="memory", augment=augment
        )
        with mm.distribute.strategy().scope():
            hide = SpecAugment(bands=2, band_width=8, time_masks=2, time_mask_width=20, seed=args.seed)
            frames = {"mel_bands": 40, "frame_seconds": 0.064, "hop_seconds": 0.04}
            branch = audio.conv2d(clip, filters=(16, 32, 64, 128), **frames, spec_augment=hide)
            model = mm.fusion_model([clip], {"clip": branch}, mm.fusion.Attention(64, dropout=0.1), heads)
            rate = keras.optimizers.schedules.CosineDecay(2e-3, epochs * len(train))
            model.compile(keras.optimizers.AdamW(rate, weight_decay=1e-4), **mm.heads.compile_for(heads))
        settings = f"{len(learn.frame)}-clips-{epochs}-epochs-seed-{args.seed}"
        run_dir = out / "training" / settings / f"without_fold_{fold}"
        callbacks = mm.train.callbacks(run_dir, train, monitor="loss", patience=None)
        model.fit(train, epochs=epochs, callbacks=callbacks, shuffle=False, verbose=2)
        return model, learn

    # 4. The usual split: folds 1 to 3 for training, fold 4 for testing.
    model, learn = trained(TEST)
    found = mm.evaluate.report(
        model, batches(parts[TEST]), heads, out_dir=out / "evaluation", train=learn, name=f"fold {TEST}"
    )
    scores, rows = mm.evaluate.summary(found), found["models"]
    if args.test:
        scores["other_test"] = mm.evaluate.summary(mm.evaluate.report(model, batches(read(args.test, TRAIN)), heads))

    # 5. Cross-validation: the other folds are left out in turn, too. The interval shows how little four folds tell.
    for fold in sorted(set(parts) - {TEST}):
        rows[f"fold {fold}"] = mm.evaluate.report(trained(fold)[0], batches(parts[fold]), heads)["models"]["model"]
    crossed = {fold: rows[f"fold {fold}"]["event"]["accuracy"] for fold in parts}
    mean = float(np.mean([*crossed.values()]))
    spread = stats.sem([*crossed.values()]) * stats.t.ppf(0.975, len(crossed) - 1)
    interval = [max(0.0, mean - spread), min(1.0, mean + spread)]

    # 6. Files in, answers out. The export is kept only if a process without mmkeras gives the same answers.
    export = mm.export.saved_model(preprocess, model, f"saved_models/{out.name}", samples=parts[TEST], version="next")
    report = {
        **scores,
        "cross_validation": {"accuracy": mean, "interval": interval, "folds": crossed},
        "parity_max_abs": export["largest_difference"],
        "n_train": len(learn.frame),
        "skipped": len(found["skipped"]),
        "export": export["path"],
        "seed": args.seed,
        "seconds": round(time.perf_counter() - started, 1),
    }
    (out / "report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    rich.print("", mm.evaluate.table(found, published=PUBLISHED))
    print("Mean of the folds: {:.3f} ({:.3f}-{:.3f})".format(mean, *interval))
    print(f"Written: {out}/report.json, training/, evaluation/; {export['path']}; {report['seconds']:.0f} s in all")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", help="folder of the set; without it a tiny one is generated")
    parser.add_argument("--test", help="a folder with another clips.tsv and audio.zip; its folds 1 to 3 are left out")
    parser.add_argument("--out", help="folder of the run, runs/sound_events by default; it names the export")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0, help="of order, augmentation and weights")
    parser.add_argument("--smoke", action="store_true", help="tiny data and one epoch, to see that everything works")
    main(parser.parse_args())
