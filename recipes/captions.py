"""Describes pictures in words, from a picture to a sentence, and exports the model for servers and for devices.

    python recipes/captions.py --data easy-vqa
    python recipes/captions.py --data emoji

The set of --data is told by its files. Of easy-VQA (github.com/vzhou842/easy-VQA, folder easy_vqa/data) the shape and
the colour in each picture follow from its questions and answers, and make a sentence that can be checked. Of emojis
(noto72.zip and emoji.tsv, see recipes/emoji.py) the sentence is the English name: the pictures and most of the names of
the test part are new, so that exact names cannot be expected, and chrF says how much of them is right: 13.9 (12.6 to
15.1) on the 280 test emojis, of the most frequent name 6.9. What is right is mostly the kind, such as "flag: ..." or
"face with ...".
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
from mmkeras.branches import image

SHAPES = {"circle", "rectangle", "triangle"}


def main(args):
    started = time.perf_counter()
    logging.getLogger("tensorflow").setLevel("ERROR")  # it warns about several models in one process
    keras.utils.set_random_seed(args.seed)
    out = Path(args.out or ("runs/captions-smoke" if args.smoke else "runs/captions"))
    data = Path(args.data or mm.data.generate.lookalikes.captions(out / "data", seed=args.seed))
    read = emojis if (data / "emoji.tsv").is_file() else shapes

    # 1. What goes in and what comes out: a picture, and a text generated word by word, or letter by letter.
    picture = mm.Image("picture", size=(48, 48))
    words = {"max_tokens": 12} if read is shapes else {"units": "characters", "max_tokens": 60, "too_long": "cut"}
    heads = [mm.heads.generation("caption", dim=96, num_layers=1 if read is shapes else 2, dropout=0.1, **words)]

    # 2. Tables of pictures and sentences; the vocabulary is learned from the sentences of the training part.
    raw = mm.data.from_dataframe(read(data, "train"), [picture], heads, root=data)
    raw_train, raw_valid = mm.data.split(raw, (0.9, 0.1), seed=args.seed, group="id")
    raw_test = mm.data.from_dataframe(read(data, "test"), [picture], heads, root=data)
    heads = mm.heads.adapt(heads, raw_train)

    # 3. Strings and bytes become numbers. Pictures are shifted and rotated anew each epoch; shapes keep their names.
    preprocess = mm.adapt(mm.preprocessor([picture]), raw_train)
    augment = mm.augment.image(picture, shift=0.05, zoom=0.1, rotate=8, fill="nearest", flip=read is emojis)
    train = mm.data.train_batches(raw_train, preprocess, heads, batch_size=64, seed=args.seed, cache="memory",
                                  augment=augment)  # fmt: skip
    valid = mm.data.eval_batches(raw_valid, preprocess, heads, batch_size=256, cache="memory")
    test = mm.data.eval_batches(raw_test, preprocess, heads, batch_size=256)

    # 4. The regions of the picture are tokens, which a decoder reads while it writes; `fit` uses teacher forcing.
    epochs = (6 if args.smoke else args.epochs) or (8 if read is shapes else 60)
    with mm.distribute.strategy().scope():
        branches = {"picture": image.conv2d(picture, filters=(16, 32, 64, 96), pool=None)}
        model = mm.encoder_decoder([picture], branches, heads, dim=96)
        rate = keras.optimizers.schedules.CosineDecay(0.0, epochs * len(train), warmup_target=2e-3, warmup_steps=50)
        model.compile(keras.optimizers.Adam(rate), **mm.heads.compile_for(heads))
    run_dir = out / "training" / f"{len(raw_train.frame)}-pictures-{epochs}-epochs-seed-{args.seed}"
    callbacks = mm.train.callbacks(run_dir, train, patience=epochs)
    model.fit(train, validation_data=valid, epochs=epochs, callbacks=callbacks, shuffle=False, verbose=2)

    # 5. Scores of the sentences as they are answered, without teacher forcing; OUT/evaluation lists the answers.
    beam = mm.decoding.decode_with(model, decoding=mm.decoding.Beam, beams=4, length_penalty=0.6)
    found = mm.evaluate.report(model, test, heads, out_dir=out / "evaluation", train=raw_train,
                               baselines={"beam search": beam}, name="greedy")  # fmt: skip
    scores = mm.evaluate.summary(found)
    if args.test:
        raw_other = mm.data.from_dataframe(read(Path(args.test), "test"), [picture], heads, root=args.test)
        other = mm.data.eval_batches(raw_other, preprocess, heads, batch_size=256)
        scores["other_test"] = mm.evaluate.summary(mm.evaluate.report(model, other, heads))

    # 6. Files in, sentences out, on a server and on a device; both are checked to answer like Python.
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


def shapes(folder, part):
    """A row for each picture of easy-VQA: what its questions and answers tell, as a sentence."""
    rows = json.loads((folder / f"{part}_questions.json").read_text(encoding="utf-8"))
    names = set((folder / "answers.txt").read_text(encoding="utf-8").split()) - {"yes", "no"}
    known = {}
    for question, answer, number in rows:
        words = set(question.rstrip("?").split())
        holds = (answer == "yes") == (not words & {"not", "no"}) or answer not in ("yes", "no")
        for name in (words & names if holds else set()) | ({answer} & names):
            known.setdefault(number, {})["shape" if name in SHAPES else "colour"] = name
    frame = pd.DataFrame.from_dict(known, orient="index").dropna()
    frame["id"] = frame.index
    frame["picture"] = f"{part}_images.zip/" + frame.index.astype(str) + ".png"
    frame["caption"] = "the picture shows a " + frame.colour + " " + frame["shape"]
    return frame.reset_index(drop=True)


def emojis(folder, part):
    """A row for each emoji and drawing of it, with its English name; the drawings of 2016 are for training only."""
    table = pd.read_csv(Path(folder, "emoji.tsv"), sep="\t", quoting=3, dtype=str, keep_default_na=False)
    table = table[(table.split == "train") == (part == "train")].rename(columns={"name_en": "caption"})
    old = table[(table.has_blob == "1") & (part == "train")]
    pictures = [table.assign(picture="noto72.zip/" + table.id + ".png"),
                old.assign(picture="blob128.zip/" + old.id + ".png")]  # fmt: skip
    return pd.concat(pictures).reset_index(drop=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", help="folder of the set, easy-VQA or emojis; without it a tiny one is generated")
    parser.add_argument("--test", help="folder of another test part to describe, laid out as that of --data")
    parser.add_argument("--out", help="folder of the run, runs/captions by default; its name is that of the export")
    parser.add_argument("--epochs", type=int, help="8 for easy-VQA, 60 for emojis by default")
    parser.add_argument("--seed", type=int, default=0, help="of split, order and weights")
    parser.add_argument("--smoke", action="store_true", help="tiny data, six epochs, to see that everything works")
    main(parser.parse_args())
