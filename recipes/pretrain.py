"""Do unlabelled pairs help where labels are few? Emojis into Unicode's 9 groups, with 1, 10 and 100 % of the labels.

    python recipes/pretrain.py --data emoji

A dual encoder learns from pictures and their names in 16 languages, without groups. Its branches then go into a fusion
model that learns the groups of some of the emojis; the same model from scratch stands beside it. DIR of --data is that
of emoji.py.
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
from matplotlib.figure import Figure
from retrieval import LANGUAGES, rows

import mmkeras as mm
from mmkeras.branches import image, text

STEPS = 300  # training steps for each model with labels


def main(args):
    started = time.perf_counter()
    logging.getLogger("tensorflow").setLevel("ERROR")
    out = Path(args.out or ("runs/pretrain-smoke" if args.smoke else "runs/pretrain"))
    out.mkdir(parents=True, exist_ok=True)
    epochs, steps, shares = (1, 4, (0.5, 1.0)) if args.smoke else (args.epochs, STEPS, (0.01, 0.1, 1.0))
    seeds = [args.seed + i for i in range(1 if args.smoke else args.seeds)]
    data = Path(args.data or mm.data.generate.lookalikes.emoji(out / "data", seed=args.seed, languages=LANGUAGES))

    # 1. All pairs for training, without groups; some of the English ones have labels.
    specs = [mm.Text("name", max_tokens=24, vocabulary_size=16_000), mm.Image("picture", size=(32, 32))]
    pairs, check = rows(data, learn=True), rows(data, learn=False).query("language == 'en'")
    emoji = mm.heads.classification("id", classes=sorted(set(pairs.id)))
    group = mm.heads.classification("group", classes=sorted({*pairs.group, *check.group}), dropout=0.2)
    labelled = pairs[(pairs.language == "en") & pairs.picture.str.startswith("noto")].drop_duplicates("id")
    raw_pairs = mm.data.from_dataframe(pairs, specs, [emoji], root=data)
    raw_labelled = mm.data.from_dataframe(labelled.reset_index(drop=True), specs, [group], root=data)
    raw_test = mm.data.from_dataframe(check.reset_index(drop=True), specs, [group], root=data)
    preprocess = mm.adapt(mm.preprocessor(specs), raw_pairs)
    name, picture = specs = preprocess.specs
    augment = [mm.augment.image(picture, flip=True, zoom=0.2, shift=0.12, rotate=12, fill="nearest"),
               mm.augment.text(name, drop=0.15, remove=True)]  # fmt: skip

    def branches():
        return {
            "name": text.transformer(name, dim=256, num_layers=0, dropout=0.3, pool="mean"),
            "picture": image.conv2d(picture, filters=(32, 64, 96, 128), dropout=0.1, pool="max"),
        }

    # 2. Pretraining: names and pictures of the same emoji belong together, as in retrieval.py.
    def learned_from_pairs():
        keras.utils.set_random_seed(args.seed)
        size = 32 if args.smoke else 256
        train = mm.data.train_batches(
            raw_pairs, preprocess, batch_size=size, seed=args.seed, cache="memory", augment=augment
        )
        model = mm.dual_encoder(specs, branches(), dim=128, temperature=0.1, dropout=0.1)
        rate = keras.optimizers.schedules.CosineDecay(3e-3, epochs * len(train))
        model.compile(keras.optimizers.AdamW(rate, weight_decay=1e-4), mm.losses.InfoNCE("id"))
        run_dir = out / "training" / f"pairs-{len(pairs)}-rows-{epochs}-epochs-seed-{args.seed}"
        callbacks = mm.train.callbacks(run_dir, train, monitor="loss", patience=None)
        model.fit(train, epochs=epochs, callbacks=callbacks, shuffle=False, verbose=2)
        return model

    pretrained = mm.load_model(args.pretrained) if args.pretrained else learned_from_pairs()

    # 3. The same model from scratch and fine-tuned, with the same numbers of labels and steps.
    test = mm.data.eval_batches(raw_test, preprocess, cache="memory")

    def learned(share, seed, source):
        keras.utils.set_random_seed(seed)
        chosen = raw_labelled.subset(some(raw_labelled.table["group"], share, seed))
        size = min(32, len(chosen.frame))
        batches = mm.data.train_batches(chosen, preprocess, batch_size=size, seed=seed, cache="memory", augment=augment,
                                        verbose=False)  # fmt: skip
        model = mm.fusion_model(specs, branches(), mm.fusion.Concatenate(dim=None), [group])
        optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(2e-3, steps))
        if source is not None:
            mm.train.transfer(model, source, verbose=share == shares[0] and seed == seeds[0])
            optimizer = mm.train.discriminative(optimizer, model, {"name": 0.2, "picture": 0.2})
        model.compile(optimizer, **mm.heads.compile_for([group]))
        model.fit(batches.repeat(), steps_per_epoch=steps, verbose=0)
        scores = mm.evaluate.report(model, test)["models"]["model"]["group"]
        print(f"{len(chosen.frame):5} labels, seed {seed}, {'fine-tuned' if source else 'from scratch'}: "
              f"{scores['accuracy']:.3f}", flush=True)  # fmt: skip
        return model, scores["accuracy"], len(chosen.frame)

    curve = {}
    for share in shares:
        found = {kind: [learned(share, seed, source) for seed in seeds]
                 for kind, source in {"from scratch": None, "fine-tuned": pretrained}.items()}  # fmt: skip
        curve[found["fine-tuned"][0][2]] = {kind: [each[1] for each in several] for kind, several in found.items()}
    model = found["fine-tuned"][0][0]

    # 4. The plot, and the export of the model fine-tuned on all labels.
    draw(curve, out / "pretrain.png")
    export = mm.export.saved_model(preprocess, model, f"saved_models/{out.name}", samples=raw_test, version="next")
    report = {
        "accuracy": curve[max(curve)]["fine-tuned"][0],
        "curve": {str(labels): each for labels, each in curve.items()},
        "parity_max_abs": export["largest_difference"],
        "n": len(raw_test.frame),
        "n_train": len(raw_labelled.frame),
        "n_pairs": len(pairs),
        "skipped": len(raw_pairs.skipped),
        "export": export["path"],
        "seed": args.seed,
        "seconds": round(time.perf_counter() - started, 1),
    }
    (out / "report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    for labels, each in curve.items():
        print(f"{labels:5} labels: from scratch {np.mean(each['from scratch']):.3f}, "
              f"fine-tuned {np.mean(each['fine-tuned']):.3f}")  # fmt: skip
    print(f"Written: {out}/report.json, pretrain.png; {export['path']}; {report['seconds']:.0f} s in all")


def some(labels, share, seed):
    """Positions of a share of the examples, drawn at random, of each class one at least."""
    order = np.random.default_rng(seed).permutation(len(labels))
    _, first = np.unique(labels[order], return_index=True)
    rest = np.delete(order, first)
    return np.sort(np.concatenate([order[first], rest])[: max(len(first), round(share * len(labels)))])


def draw(curve, path):
    """Accuracy over the number of labels: a dot for each seed, a line through their means."""
    figure = Figure(figsize=(5.5, 3.8), layout="constrained")
    axes = figure.subplots()
    for kind, colour in {"from scratch": "#4c78a8", "fine-tuned": "#e4572e"}.items():
        axes.plot(list(curve), [np.mean(each[kind]) for each in curve.values()], color=colour, label=kind)
        for labels, each in curve.items():
            axes.plot([labels] * len(each[kind]), each[kind], "o", ms=4, color=colour, alpha=0.6)
    axes.set(xscale="log", xlabel="labelled emojis", ylabel="accuracy, 9 groups", title="Emojis of unseen concepts")
    axes.grid(alpha=0.25)
    axes.legend(frameon=False)
    figure.savefig(path, dpi=130)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", help="folder of the set; without it a tiny one is generated")
    parser.add_argument("--pretrained", help="best.keras of a run of retrieval.py, in place of pretraining")
    parser.add_argument("--out", help="folder of the run, runs/pretrain by default; its name is that of the export")
    parser.add_argument("--epochs", type=int, default=8, help="of pretraining")
    parser.add_argument("--seed", type=int, default=0, help="the first one")
    parser.add_argument("--seeds", type=int, default=3, help="how many")
    parser.add_argument("--smoke", action="store_true", help="tiny data and one epoch, to see that everything works")
    main(parser.parse_args())
