"""Finds an emoji by its name in any of 16 languages, and names by a picture: a dual encoder, trained on pairs alone.

    python recipes/retrieval.py --data emoji

DIR of --data is that of emoji.py: emoji.tsv, noto72.zip and blob128.zip. The pairs to learn from are pictures and their
names, without groups; emojis of the test part are of unseen concepts, so that most of their words and drawings are new.
--text-weights and --image-weights are as in emoji.py: pretrained encoders, which stay as they are.
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

import mmkeras as mm
from mmkeras.branches import image, text

LANGUAGES = ["en", "de", "fr", "es", "it", "pt", "nl", "sv", "pl", "tr", "fi", "cs", "ru", "ja", "zh", "hi"]


def main(args):
    started = time.perf_counter()
    logging.getLogger("tensorflow").setLevel("ERROR")
    keras.utils.set_random_seed(args.seed)
    out = Path(args.out or ("runs/retrieval-smoke" if args.smoke else "runs/retrieval"))
    epochs = 2 if args.smoke else args.epochs
    data = Path(args.data or mm.data.generate.lookalikes.emoji(out / "data", seed=args.seed, languages=LANGUAGES))

    # 1. Two modalities. Which emoji a row is of says which rows belong together: it has several names and two drawings.
    known = {"preset": args.text_weights} if args.text_weights else {"vocabulary_size": 16_000}
    specs = [mm.Text("name", max_tokens=24, **known), mm.Image("picture", size=128 if args.image_weights else 32)]
    languages = LANGUAGES[:1] if args.text_weights else LANGUAGES
    learn, check = rows(data, learn=True, languages=languages), rows(data, learn=False, languages=languages)
    emoji = mm.heads.classification("id", classes=sorted({*learn.id, *check.id}))
    group = mm.heads.classification("group", classes=sorted({*learn.group, *check.group}))
    raw_train = mm.data.from_dataframe(learn, specs, [emoji], root=data)
    raw_test = mm.data.from_dataframe(check, specs, [emoji, group], root=data)
    raw_english = raw_test.subset(np.flatnonzero(raw_test.frame.language == "en"))

    # 2. Strings and bytes become numbers; pictures are shifted and rotated, and words dropped, anew each epoch.
    preprocess = mm.adapt(mm.preprocessor(specs), raw_train)
    name, picture = specs = preprocess.specs  # with the sizes of the learned vocabularies
    augment = [mm.augment.image(picture, flip=True, zoom=0.2, shift=0.12, rotate=12, fill="nearest"),
               mm.augment.text(name, drop=0.15, remove=True)]  # fmt: skip
    batch_size = 32 if args.smoke else 256
    train = mm.data.train_batches(
        raw_train, preprocess, batch_size=batch_size, seed=args.seed, cache="memory", augment=augment
    )
    english = mm.data.eval_batches(raw_english, preprocess, heads=(), cache="memory")

    # 3. Every name in a batch is compared with every picture in it.
    def read(name):
        if args.text_weights:
            return text.pretrained(name, train="none", pool="mean")
        return text.transformer(name, dim=256, num_layers=0, dropout=0.3, pool="mean")

    def see(picture):
        if args.image_weights:
            network = keras.models.load_model(args.image_weights, compile=False)
            return mm.branches.from_model(picture, network, train="none", pool="mean")
        return image.conv2d(picture, filters=(32, 64, 96, 128), dropout=0.1, pool="max")

    with mm.distribute.strategy().scope():
        branches = {"name": read(name), "picture": see(picture)}
        drop = 0.5 if args.text_weights else 0.1
        model = mm.dual_encoder(specs, branches, dim=128, temperature=0.1, dropout=drop)
        rate = keras.optimizers.schedules.CosineDecay(3e-3, epochs * len(train))
        model.compile(keras.optimizers.AdamW(rate, weight_decay=1e-4), mm.losses.InfoNCE("id"))
    run_dir = out / "training" / f"{len(learn)}-rows-{epochs}-epochs-seed-{args.seed}"
    callbacks = mm.train.callbacks(run_dir, train, monitor="loss", patience=None)
    model.fit(train, epochs=epochs, callbacks=callbacks, shuffle=False, verbose=2)

    # 4. Both directions on unseen emojis, next to linear models and chance; in every language; and zero-shot groups.
    first = np.flatnonzero((raw_train.frame.language == "en") & raw_train.frame.picture.str.startswith("noto"))
    linear = mm.data.eval_batches(raw_train.subset(first), preprocess, heads=())
    found = mm.evaluate.retrieval(
        model.predict(english, verbose=0), raw=raw_english, out_dir=out / "evaluation",
        baselines={"CCA of words and pixels": mm.evaluate.linear_embeddings(specs, linear, english)},
    )  # fmt: skip

    def by_language(raw):
        """Both ways among the emojis that have a name in each language."""
        embedded = model.predict(mm.data.eval_batches(raw, preprocess, heads=(), batch_size=256), verbose=0)
        rows = {each: np.flatnonzero(raw.frame.language == each) for each in raw.frame.language.unique()}
        scores = {each: mm.evaluate.retrieval({key: x[own] for key, x in embedded.items()})
                  for each, own in rows.items()}  # fmt: skip
        return {each: {way: score["R@10"] for way, score in report["models"]["model"].items()}
                for each, report in scores.items()}  # fmt: skip

    zero_shot = mm.retrieval.zero_shot(model, preprocess, head=group)
    groups = mm.evaluate.report(zero_shot, mm.data.eval_batches(raw_english, preprocess, [group]))
    found["languages"] = by_language(raw_test)
    if args.test:
        raw_other = mm.data.from_dataframe(
            rows(args.test, learn=False, languages=languages), raw_test.specs, (), root=args.test
        )
        found["other_test"] = by_language(raw_other)

    # 5. An index of all emojis: raw query in, identifiers out; and a file for each tower, for devices.
    everything = pd.concat([learn, check]).query("language == 'en'").drop_duplicates("id").reset_index(drop=True)
    raw_all = mm.data.from_dataframe(everything, raw_test.specs, (), root=data)
    index = mm.retrieval.Index(model, preprocess, raw_all, identifiers="id")
    export = mm.retrieval.saved_model(index, f"saved_models/{out.name}", samples=raw_english, version="next")
    towers = mm.retrieval.litert(
        model, preprocess, folder=f"{export['path']}-towers", samples=raw_english, verbose=False
    )
    report = {
        "recall_at_10": {way: each["R@10"] for way, each in found["models"]["model"].items()},
        **found,
        "zero_shot_groups": groups["models"]["model"]["group"]["accuracy"],
        "parity_max_abs": export["largest_difference"],
        "n": len(raw_english.frame),
        "n_train": len(learn),
        "skipped": len(train.skipped),
        "export": export["path"],
        "towers": {each: tower["path"] for each, tower in towers.items()},
        "seed": args.seed,
        "seconds": round(time.perf_counter() - started, 1),
    }
    (out / "report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    rich.print("", mm.evaluate.retrieval_table(found))
    print(f"Groups by their names alone: {report['zero_shot_groups']:.3f}")
    for query in ("red heart", "a happy cat"):
        print(f"{query}: {', '.join(index.search({'name': [query]}, find='picture', k=5).identifiers[0])}")
    print(f"Written: {out}/report.json, training/, evaluation/; {export['path']}; {report['seconds']:.0f} s in all")


def rows(folder, learn, languages=LANGUAGES):
    """A row for each emoji (to learn from, or the others) and language that has a name for it.

    To learn from, half of the rows have the drawing of 2016, and keywords, alone and after the name, are further names.
    """
    table = pd.read_csv(Path(folder, "emoji.tsv"), sep="\t", quoting=3, dtype=str, keep_default_na=False)
    table = table[(table.split == "train") == learn].rename(columns=lambda column: column.removeprefix("name_"))
    table = table.assign(keywords=table.keywords_en.str.replace("|", " "))
    table = table.assign(both=table.en + " " + table.keywords)
    names = [*languages, *["keywords", "both"] * learn]
    long = table.melt(["id", "has_blob", "group"], names, "language", "name").query("name != ''")
    long = pd.concat([long, *[long[long.language.isin(["en", "keywords", "both"])]] * 2 * learn])
    old = (long.has_blob == "1") & (np.arange(len(long)) % 2 == 1) & learn
    return long.assign(picture=np.where(old, "blob128.zip/", "noto72.zip/") + long.id + ".png").reset_index(drop=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", help="folder of the set; without it a tiny one is generated")
    parser.add_argument("--test", help="folder of another emoji.tsv and noto72.zip to answer: rows that are not train")
    parser.add_argument("--out", help="folder of the run, runs/retrieval by default; its name is that of the export")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--text-weights", help="preset of the BERT family, a name or a folder; English names only")
    parser.add_argument("--image-weights", help="a .keras file of a network from pixels to a feature map")
    parser.add_argument("--seed", type=int, default=0, help="of order and weights")
    parser.add_argument("--smoke", action="store_true", help="tiny data and two epochs, to see that everything works")
    main(parser.parse_args())
