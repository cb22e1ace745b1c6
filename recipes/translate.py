"""Translates the names of emojis from English into ten languages, with and without a picture of what is meant.

    python recipes/translate.py --data emoji

The language that is asked for is one more text branch, as a question or an instruction would be, so one model learns
all languages at once. The emojis of the test part are of concepts that the training part lacks: their words have to be
known from other names, or spelled anew. Beside the model stand the same model without the picture, copying the English
name, which is often nearly right ("taco", "yoga"), and the most frequent name. A thousand names for a language are few:
what is learned is the vocabulary of these names, their word order and some spelling, not a language. Of 2,797 test
names 0.037 (0.030 to 0.044) were exact, chrF 26.5; without the picture 0.040 and 26.4, copied 0.027 and 21.4. So the
picture does not help here, and most names are wrong: it shows how to build such a model, not a usable translator.

DIR of --data holds emoji.tsv and noto72.zip, see recipes/emoji.py.
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
from mmkeras.evaluate.generation import text_scores

LANGUAGES = ["de", "fr", "es", "it", "pt", "nl", "sv", "pl", "tr", "cs"]


def main(args):
    started = time.perf_counter()
    logging.getLogger("tensorflow").setLevel("ERROR")  # it warns about several models in one process
    keras.utils.set_random_seed(args.seed)
    out = Path(args.out or ("runs/translate-smoke" if args.smoke else "runs/translate"))
    epochs = 1 if args.smoke else args.epochs
    data = Path(args.data or mm.data.generate.lookalikes.emoji(out / "data", seed=args.seed))

    # 1. What goes in and what comes out. The picture may be absent.
    name = mm.Text("name", max_tokens=48, tokenizer="characters", vocabulary_size=200, lowercase=False)
    to = mm.Text("to", max_tokens=1, vocabulary=tuple(LANGUAGES))
    picture = mm.Image("picture", size=(32, 32), optional=True)
    heads = [mm.heads.generation("translation", units="characters", max_tokens=40, too_long="cut", dim=128, dropout=0.1,
                                 label_smoothing=0.1)]  # fmt: skip

    # 2. A row for each emoji and language; the vocabulary is learned from the names of the training part.
    specs = [name, to, picture]
    raw = mm.data.from_dataframe(rows(data, "train"), specs, heads, root=data)
    raw_train, raw_valid = mm.data.split(raw, (0.95, 0.05), seed=args.seed, group="id")
    raw_test = mm.data.from_dataframe(rows(data, "test"), specs, heads, root=data)
    heads = mm.heads.adapt(heads, raw_train)

    # 3. Strings and bytes become numbers.
    preprocess = mm.adapt(mm.preprocessor(specs), raw_train)
    name, to, picture = specs = preprocess.specs  # with the sizes of the learned vocabularies
    train = mm.data.train_batches(raw_train, preprocess, heads, batch_size=64, seed=args.seed, cache="memory",
                                  bucket_by="name")  # fmt: skip
    valid = mm.data.eval_batches(raw_valid, preprocess, heads, batch_size=256, cache="memory")
    test = mm.data.eval_batches(raw_test, preprocess, heads, batch_size=256, cache="memory")

    # 4. The decoder reads the letters of the name, the language, and the regions of the picture. Modality dropout hides
    # the picture in 3 of 10 examples.
    with mm.distribute.strategy().scope():
        branches = {
            "name": text.transformer(name, dim=128, num_layers=2, dropout=0.1, unknown_rate=0.0),
            "to": text.transformer(to, dim=128, num_layers=0, dropout=0.0, unknown_rate=0.0),
            "picture": image.conv2d(picture, filters=(16, 32, 64), pool=None),
        }
        model = mm.encoder_decoder(specs, branches, heads, dim=128, modality_dropout={"picture": 0.3})
        rate = keras.optimizers.schedules.CosineDecay(0.0, epochs * len(train), warmup_target=1.5e-3, warmup_steps=200)
        model.compile(keras.optimizers.Adam(rate, clipnorm=1.0), **mm.heads.compile_for(heads))
    run_dir = out / "training" / f"{len(raw_train.frame)}-names-{epochs}-epochs-seed-{args.seed}"
    callbacks = mm.train.callbacks(run_dir, train, patience=epochs)
    model.fit(train, validation_data=valid, epochs=epochs, callbacks=callbacks, shuffle=False, verbose=2)

    # 5. Scores of the names as they are answered, without teacher forcing, over all languages.
    found = mm.evaluate.report(model, test, heads, out_dir=out / "evaluation", train=raw_train, name="name + picture")
    alone = mm.evaluate.report(model, mm.evaluate.mask_modalities(test, specs, ["picture"]), heads)["models"]["model"]
    frame = raw_test.frame
    copied = {"kind": "generation", **text_scores(frame.name.tolist(), frame.translation.tolist())}
    found["models"] |= {"name alone": alone, "copying": {"translation": copied}}
    scores = mm.evaluate.summary(found)
    if args.test:
        raw_other = mm.data.from_dataframe(rows(args.test, "test"), specs, heads, root=args.test)
        other = mm.data.eval_batches(raw_other, preprocess, heads, batch_size=256)
        scores["other_test"] = mm.evaluate.summary(mm.evaluate.report(model, other, heads))

    # 6. Strings and files in, names out.
    export = mm.export.saved_model(preprocess, model, f"saved_models/{out.name}", samples=raw_test, version="next")
    report = {
        **scores,
        "chrf": {row: each["translation"].get("chrf") for row, each in found["models"].items()},
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


def rows(folder, part):
    """A row for each emoji and language that has a name for it."""
    table = pd.read_csv(Path(folder, "emoji.tsv"), sep="\t", quoting=3, dtype=str, keep_default_na=False)
    table = table[(table.split == "train") == (part == "train")].rename(columns={"name_en": "name"})
    table = table.assign(picture="noto72.zip/" + table.id + ".png")
    long = table.melt(["id", "name", "picture"], [f"name_{each}" for each in LANGUAGES], "to", "translation")
    return long.assign(to=long.to.str.removeprefix("name_")).query("translation != ''").reset_index(drop=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", help="folder of the set; without it a tiny one is generated")
    parser.add_argument("--test", help="folder of another emoji.tsv and noto72.zip to answer: rows that are not train")
    parser.add_argument("--out", help="folder of the run, runs/translate by default; its name is that of the export")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0, help="of split, order and weights")
    parser.add_argument("--smoke", action="store_true", help="tiny data and one epoch, to see that everything works")
    main(parser.parse_args())
