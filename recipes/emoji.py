"""Sorts emojis into Unicode's 9 groups and 99 subgroups, by a picture and a name in any of 16 languages.

    python recipes/emoji.py --data emoji

With English names it put 0.796 of 280 emojis of unseen concepts into their group (0.745 to 0.839) and 0.611 into their
subgroup (0.552 to 0.666), seed 0; linear models have 0.76 and 0.56, of the name only 0.66 and 0.52, of the picture only
0.64 and 0.36. Chinese names got 0.804 and 0.607, Japanese 0.793 and 0.568, Hindi 0.789 and 0.554. Settings were chosen
on 15 % of the concepts to learn from, before the test part was read.

Encoders that were pretrained elsewhere know more: --text-weights takes a preset of the BERT family (a name of keras-hub
or a folder, such as that of all-MiniLM-L6-v2), and the names are then the English ones; --image-weights takes a file
NAME.keras of a network from pixels (0 to 255) to a feature map, such as one of keras.applications without its top. Both
stay as they are; only what joins them learns (--rate 1e-3).

DIR of --data holds emoji.tsv (groups of Unicode's emoji-test.txt, names of github.com/unicode-org/cldr-json, a column
for each language), and ID.png in noto72.zip and blob128.zip (png/72 of github.com/googlefonts/noto-emoji, and its
png/128 of 2016). A concept is in one part only, so that most words and drawings of the test part are new. The drawings
of 2016 are further pictures of the emojis to learn from, and of these only; scores are those of the drawings of today.
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
import tensorflow as tf

import mmkeras as mm
from mmkeras.branches import image, text

LANGUAGES = ["en", "de", "fr", "es", "it", "pt", "nl", "sv", "pl", "tr", "fi", "cs", "ru", "ja", "zh", "hi"]


def main(args):
    started = time.perf_counter()
    logging.getLogger("tensorflow").setLevel("ERROR")  # it warns about four models in one process
    keras.utils.set_random_seed(args.seed)
    out = Path(args.out or ("runs/emoji-smoke" if args.smoke else "runs/emoji"))
    epochs = 1 if args.smoke else args.epochs
    data = Path(args.data or mm.data.generate.lookalikes.emoji(out / "data", seed=args.seed, languages=LANGUAGES))

    # 1. What goes in and what comes out. A Chinese or Japanese character is a word of its own here.
    known = {"preset": args.text_weights} if args.text_weights else {"vocabulary_size": 16_000}
    name = mm.Text("name", max_tokens=20, **known)
    picture = mm.Image("picture", size=(128, 128) if args.image_weights else (32, 32))
    languages = LANGUAGES[:1] if args.text_weights else LANGUAGES
    specs, learn, check = (
        [name, picture],
        rows(data, learn=True, languages=languages),
        rows(data, learn=False, languages=languages),
    )
    heads = [mm.heads.classification(column, classes=sorted({*learn[column], *check[column]}), dropout=0.1)
             for column in ("group", "subgroup")]  # fmt: skip

    # 2. A row for each emoji and language.
    raw_train = mm.data.from_dataframe(learn, specs, heads, root=data)
    raw_test = mm.data.from_dataframe(check, specs, heads, root=data)
    raw_english = raw_test.subset(np.flatnonzero(raw_test.frame.language == "en"))

    # 3. Strings and bytes become numbers. Pictures are shifted and rotated, and words dropped, anew each epoch.
    # Names are memorised long before pictures are understood, so some names are hidden and the picture has to suffice.
    preprocess = mm.adapt(mm.preprocessor(specs), raw_train)
    name, picture = specs = preprocess.specs  # with the sizes of the learned vocabularies
    augment = [mm.augment.image(picture, flip=True, zoom=0.15, shift=0.1, rotate=12, fill="nearest"),
               mm.augment.text(name, drop=0.15, remove=True), hide_names]  # fmt: skip
    train = mm.data.train_batches(
        raw_train, preprocess, heads, batch_size=128, seed=args.seed, cache="memory", augment=augment
    )
    english = mm.data.eval_batches(raw_english, preprocess, cache="memory")

    # 4. Names have two words: a bag of words (an encoder without blocks) reads them as well as an LSTM, and faster.
    branches = {
        "name": lambda: text.transformer(name, dim=128, num_layers=0, dropout=0.5, pool="mean"),
        "picture": lambda: image.conv2d(picture, filters=(32, 64, 96, 128), dropout=0.1, pool="max"),
    }
    if args.text_weights:
        branches["name"] = lambda: text.pretrained(name, train="none", pool="mean")
    if args.image_weights:
        network = keras.models.load_model(args.image_weights, compile=False)
        branches["picture"] = lambda: mm.branches.from_model(picture, network, train="none", pool="mean")
    run_dir = out / "training" / f"{len(raw_train.frame)}-rows-{epochs}-epochs-seed-{args.seed}"
    models = {}
    for row, inputs in {"both": specs, "name only": [name], "picture only": [picture]}.items():
        rich.print(f"\n[bold]{row}[/bold]")
        with mm.distribute.strategy().scope():
            own_branches = {spec.name: branches[spec.name]() for spec in inputs}
            model = mm.fusion_model(inputs, own_branches, mm.fusion.Concatenate(dim=None), heads)
            rate = keras.optimizers.schedules.CosineDecay(args.rate, epochs * len(train))
            model.compile(keras.optimizers.Adam(rate), **mm.heads.compile_for(heads))
        callbacks = mm.train.callbacks(run_dir / row.replace(" ", "_"), train, monitor="loss", patience=None)
        own_train = mm.data.select_inputs(train, model)
        model.fit(own_train, epochs=epochs, callbacks=callbacks, shuffle=False, verbose=2)
        models[row] = model

    # 5. Scores of the English names, next to models of a single input, and of every language.
    model = models.pop("both")
    found = mm.evaluate.report(
        model, english, heads, out_dir=out / "evaluation", train=raw_train, baselines=models, name="both"
    )

    def by_language(raw):
        labels, outputs = mm.evaluate.predict(model, mm.data.eval_batches(raw, preprocess), heads)
        right = pd.DataFrame({head.name: outputs[head.name].argmax(-1) == labels[head.name] for head in heads})
        return right.groupby(raw.frame.language.to_numpy(), sort=False).mean().to_dict("index")

    scores = {**mm.evaluate.summary(found), "languages": by_language(raw_test)}
    if args.test:
        raw_other = mm.data.from_dataframe(
            rows(args.test, learn=False, languages=languages), specs, heads, root=args.test
        )
        scores["other_test"] = by_language(raw_other)

    # 6. Files and strings in, answers out. The export is kept only if a process without mmkeras gives the same answers.
    export = mm.export.saved_model(preprocess, model, f"saved_models/{out.name}", samples=raw_test, version="next")
    report = {
        **scores,
        "parity_max_abs": export["largest_difference"],
        "n_train": len(raw_train.frame),
        "skipped": len({*train.skipped, *english.skipped}),
        "export": export["path"],
        "seed": args.seed,
        "seconds": round(time.perf_counter() - started, 1),
    }
    (out / "report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    rich.print("", mm.evaluate.table(found))
    for language, each in scores["languages"].items():
        print(f"name in {language}: group {each['group']:.3f}, subgroup {each['subgroup']:.3f}")
    print(f"Written: {out}/report.json, training/, evaluation/; {export['path']}; {report['seconds']:.0f} s in all")


def rows(folder, learn, languages=LANGUAGES):
    """A row for each emoji (to learn from, or the others) and language that has a name for it.

    To learn from, every other language gets the drawing of 2016, English counts three times, and keywords are two
    further names.
    """
    table = pd.read_csv(Path(folder, "emoji.tsv"), sep="\t", quoting=3, dtype=str, keep_default_na=False)
    table = table[(table.split == "train") == learn].rename(columns=lambda column: column.removeprefix("name_"))
    table = table.assign(keywords=table.keywords_en.str.replace("|", " "))
    names = [*languages, *["keywords"] * learn]
    long = table.melt(["id", "has_blob", "group", "subgroup"], names, "language", "name").query("name != ''")
    long = pd.concat([long[long.language != "keywords"], *[long[long.language.isin(["en", "keywords"])]] * 2 * learn])
    old = (long.has_blob == "1") & (long.language.map(names.index) % 2 == 1) & learn
    return long.assign(picture=np.where(old, "blob128.zip/", "noto72.zip/") + long.id + ".png").reset_index(drop=True)


def hide_names(ready, labels, seed):
    """An augmentation: 3 of 10 names are absent."""
    seen = tf.random.stateless_uniform([tf.shape(ready["name"])[0], 1], seed) > 0.3
    return ready | {"name_mask": ready["name_mask"] & seen}, labels


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", help="folder of the set; without it a tiny one is generated")
    parser.add_argument("--test", help="folder of another emoji.tsv and noto72.zip to answer: rows that are not train")
    parser.add_argument("--out", help="folder of the run, runs/emoji by default; its name is that of the export")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--rate", type=float, default=5e-3, help="highest learning rate")
    parser.add_argument("--text-weights", help="preset of the BERT family, a name or a folder; English names only")
    parser.add_argument("--image-weights", help="a .keras file of a network from pixels to a feature map")
    parser.add_argument("--seed", type=int, default=0, help="of order and weights")
    parser.add_argument("--smoke", action="store_true", help="tiny data and one epoch, to see that everything works")
    main(parser.parse_args())
