"""Do unlabelled examples help where labels are few? Digits from picture, sound and word, 1, 10 and 100 % with labels.

    python recipes/pretrain.py --data digits3-files

A dual encoder learns which picture, sound and word belong to one example, without their digits. Its branches then go
into a fusion model that learns the digits of some of the examples; the same model from scratch stands beside it. DIR of
--data is that of digits.py.
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

import mmkeras as mm
from mmkeras.branches import audio, image, text


def main(args):
    started = time.perf_counter()
    logging.getLogger("tensorflow").setLevel("ERROR")
    out = Path(args.out or ("runs/pretrain-smoke" if args.smoke else "runs/pretrain"))
    out.mkdir(parents=True, exist_ok=True)
    epochs, fewest, shares = (1, 4, (0.5, 1.0)) if args.smoke else (args.epochs, 300, (0.01, 0.1, 1.0))
    seeds = [args.seed + i for i in range(1 if args.smoke else args.seeds)]
    data = Path(args.data or mm.data.generate.lookalikes.digits(out / "data", seed=args.seed))

    # 1. What goes in and what comes out, as in digits.py.
    picture = mm.Image("image", size=(28, 28), channels=1, optional=True)
    sound = mm.Audio("audio", seconds=1.024, sample_rate=8000, optional=True)
    word = mm.Text("text", max_tokens=12, tokenizer="characters", vocabulary_size=200, optional=True)
    specs = [picture, sound, word]
    digit = mm.heads.classification("digit", classes=range(10))
    raw_train, raw_test = (mm.data.from_csv(data / f"{part}.csv", specs, [digit]) for part in ("train", "test"))
    raw_train = raw_train.subset(np.arange(min(args.examples, len(raw_train.frame))))
    preprocess = mm.adapt(mm.preprocessor(specs), raw_train)
    picture, sound, word = specs = preprocess.specs  # with the sizes of the learned vocabularies

    def branches():
        frames = {"mel_bands": 40, "frame_seconds": 0.032, "hop_seconds": 0.016}
        return {
            "image": image.conv2d(picture, filters=(16, 32), pool="flatten"),
            "audio": audio.conv2d(sound, filters=(16, 32, 64, 96), **frames, dropout=0.1, pool="mean"),
            "text": text.transformer(word, dim=64, num_layers=2, dropout=0.0, pool="mean"),
        }

    # 2. Pretraining without labels: a digit is all that picture, sound and word of an example have in common.
    keras.utils.set_random_seed(args.seed)
    size = 32 if args.smoke else 256
    pairs = mm.data.train_batches(raw_train, preprocess, (), batch_size=size, seed=args.seed, cache="memory")
    pretrained = mm.dual_encoder(specs, branches(), dim=64, temperature=0.1)
    rate = keras.optimizers.schedules.CosineDecay(2e-3, epochs * len(pairs))
    pretrained.compile(keras.optimizers.Adam(rate), mm.losses.InfoNCE())
    run_dir = out / "training" / f"{len(raw_train.frame)}-examples-{epochs}-epochs-seed-{args.seed}"
    callbacks = mm.train.callbacks(run_dir, pairs, monitor="loss", patience=None)
    pretrained.fit(pairs, epochs=epochs, callbacks=callbacks, shuffle=False, verbose=2)

    # 3. The same model from scratch and fine-tuned, with the same labels and numbers of steps.
    test = mm.data.eval_batches(raw_test, preprocess, batch_size=256, cache="memory")

    def learned(share, seed, source):
        keras.utils.set_random_seed(seed)
        chosen = raw_train.subset(some(raw_train.table["digit"], share, seed))
        labels = len(chosen.frame)
        batches = mm.data.train_batches(
            chosen, preprocess, batch_size=min(64, labels), seed=seed, cache="memory", verbose=False
        )
        steps = max(fewest, 0 if args.smoke else 4 * len(batches))
        fusion = mm.fusion.Concatenate(256, dropout=0.3)
        model = mm.fusion_model(specs, branches(), fusion, [digit], modality_dropout=0.2)
        optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(2e-3, steps))
        if source is not None:
            mm.train.transfer(model, source, verbose=share == shares[0] and seed == seeds[0])
            optimizer = mm.train.discriminative(optimizer, model, dict.fromkeys(["image", "audio", "text"], 0.2))
        model.compile(optimizer, **mm.heads.compile_for([digit]))
        model.fit(batches.repeat(), steps_per_epoch=steps, verbose=0)
        scores = mm.evaluate.report(model, test)["models"]["model"]["digit"]
        print(f"{labels:6} labels, seed {seed}, {'fine-tuned' if source else 'from scratch'}: "
              f"{scores['accuracy']:.3f}", flush=True)  # fmt: skip
        return model, scores["accuracy"], labels

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
        "n_train": len(raw_train.frame),
        "skipped": len({*pairs.skipped, *test.skipped}),
        "export": export["path"],
        "seed": args.seed,
        "seconds": round(time.perf_counter() - started, 1),
    }
    (out / "report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    for labels, each in curve.items():
        print(f"{labels:6} labels: from scratch {np.mean(each['from scratch']):.3f}, "
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
    axes.set(xscale="log", xlabel="labelled examples", ylabel="accuracy", title="Digits from picture, sound and word")
    axes.grid(alpha=0.25)
    axes.legend(frameon=False)
    figure.savefig(path, dpi=130)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", help="folder of the set as files; without it a tiny one is generated")
    parser.add_argument("--out", help="folder of the run, runs/pretrain by default; its name is that of the export")
    parser.add_argument("--examples", type=int, default=12_000, help="to learn from, at most")
    parser.add_argument("--epochs", type=int, default=8, help="of pretraining")
    parser.add_argument("--seed", type=int, default=0, help="the first one")
    parser.add_argument("--seeds", type=int, default=3, help="how many")
    parser.add_argument("--smoke", action="store_true", help="tiny data and one epoch, to see that everything works")
    main(parser.parse_args())
