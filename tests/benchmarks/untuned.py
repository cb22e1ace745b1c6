"""How accurate are the defaults? README's thirty lines on five real sets: no argument of a branch or fusion is changed.

    python tests/benchmarks/untuned.py DIR SET [--seed 0]

DIR holds womens-clothing/, easy-vqa/, emoji/, fsdd/ and digits3/, the last one with the files that its make.py writes
to digits3/files/. Scores are of a part of the training data, the same rows for every seed, that nothing was chosen on;
the test parts are not read. The sets differ in the number of epochs only, so that training takes about two minutes.
"""

import argparse
import json
import time
from pathlib import Path

import keras
import numpy as np
import pandas as pd

import mmkeras as mm
from mmkeras.branches import audio, image, table, text

EPOCHS = {"clothes": 4, "easy": 5, "emoji": 20, "fsdd": 10, "digits3": 6}


def clothes(data):
    """Is the dress recommended? Review, title and facts, without the stars."""
    columns = {"review": "Review Text", "title": "Title", "age": "Age", "feedback": "Positive Feedback Count",
               "division": "Division Name", "department": "Department Name", "kind": "Class Name",
               "recommended": "Recommended IND"}  # fmt: skip
    numeric, categorical = ["age", "feedback"], ["division", "department", "kind"]
    specs = [
        mm.Text("review", max_tokens=128, optional=True),
        mm.Text("title", max_tokens=16, optional=True),
        mm.Table("facts", numeric=numeric, categorical=categorical, optional=True),
    ]
    heads = [mm.heads.classification("recommended", classes=[0, 1])]
    raw = mm.data.from_csv(data / "womens-clothing/reviews.csv.gz", specs, heads, columns=columns)
    raw = raw.subset(np.flatnonzero(raw.frame["split"] == "train"))
    order = np.random.default_rng(123).permutation(len(raw.frame))
    held = np.sort(order[: len(order) // 10])
    return specs, heads, raw, held, {"review": text.conv1d, "title": text.conv1d, "facts": table.mlp}


def easy(data):
    """The first 8,000 questions of easy-VQA; 3,000 later ones, of other pictures, are held out."""
    specs = [mm.Text("question", max_tokens=16), mm.Image("photo", size=(64, 64))]
    folder = data / "easy-vqa"
    heads = [mm.heads.classification("answer", classes=(folder / "answers.txt").read_text().split())]
    rows = json.loads((folder / "train_questions.json").read_text())
    frame = pd.DataFrame(rows, columns=["question", "answer", "id"])
    frame["photo"] = frame["id"].astype(str) + ".png"
    learn, later = frame.iloc[:8000], frame.iloc[8000:]
    frame = pd.concat([learn, later[~later["id"].isin(learn["id"])].iloc[:3000]], ignore_index=True)
    raw = mm.data.from_dataframe(frame, specs, heads, root=folder / "train_images.zip")
    return specs, heads, raw, np.arange(8000, len(frame)), {"question": text.conv1d, "photo": image.conv2d}


def emoji(data):
    """The group of an emoji by its English name and picture; concepts that are held out are not learned from."""
    specs = [mm.Text("name", max_tokens=20), mm.Image("picture", size=(48, 48))]
    frame = pd.read_csv(data / "emoji/emoji.tsv", sep="\t", keep_default_na=False)
    frame = frame[frame["split"] == "train"].reset_index(drop=True)
    frame["name"], frame["picture"] = frame["name_en"], "noto72.zip/" + frame["id"] + ".png"
    heads = [mm.heads.classification("group", classes=sorted(set(frame["group"])))]
    raw = mm.data.from_dataframe(frame, specs, heads, root=data / "emoji")
    concepts = np.random.default_rng(123).permutation(sorted(set(frame["concept"])))
    held = np.flatnonzero(frame["concept"].isin(concepts[: int(0.15 * len(concepts))]))
    return specs, heads, raw, held, {"name": text.conv1d, "picture": image.conv2d}


def fsdd(data):
    """Spoken digits; takes 38 and later of each speaker are held out."""
    specs = [mm.Audio("voice", seconds=1.0, sample_rate=8000)]
    heads = [mm.heads.classification("digit", classes=range(10))]
    folder = data / "fsdd"
    raw = mm.data.from_csv(folder / "train.tsv", specs, heads, root=folder / "train.zip", columns={"voice": "file"},
                           sep="\t")  # fmt: skip
    return specs, heads, raw, np.flatnonzero(raw.frame["index"].astype(int) >= 38), {"voice": audio.conv2d}


def digits3(data):
    """A digit that is drawn, spoken and spelt, each badly; 6,000 to learn from, 2,000 of valid.csv held out."""
    specs = [
        mm.Image("image", size=(28, 28), channels=1),
        mm.Audio("audio", seconds=1.024, sample_rate=8000),
        mm.Text("text", max_tokens=12, tokenizer="characters"),
    ]
    heads = [mm.heads.classification("digit", classes=range(10))]
    folder = data / "digits3/files"
    parts = [pd.read_csv(folder / f"{part}.csv", dtype=str, keep_default_na=False) for part in ("train", "valid")]
    frame = pd.concat([parts[0].iloc[:6000], parts[1].iloc[:2000]], ignore_index=True)
    raw = mm.data.from_dataframe(frame, specs, heads, root=folder)
    return specs, heads, raw, np.arange(6000, 8000), {"image": image.conv2d, "audio": audio.conv2d, "text": text.conv1d}


def main(args):
    keras.utils.set_random_seed(args.seed)
    specs, heads, raw, held, kinds = globals()[args.set](Path(args.data))
    train, valid = mm.data.split(raw.subset(np.setdiff1d(np.arange(len(raw.frame)), held)), (0.9, 0.1), seed=1)
    preprocess = mm.adapt(mm.preprocessor(specs), train, verbose=False)
    batches = mm.data.train_batches(train, preprocess, batch_size=64, cache="memory", seed=args.seed, verbose=False)
    branches = {spec.name: kinds[spec.name](spec) for spec in preprocess.specs}
    model = mm.fusion_model(preprocess.specs, branches, mm.fusion.Attention(dim=128), heads)
    epochs = EPOCHS[args.set]
    model.compile(mm.train.adamw(batches, epochs=epochs), **mm.heads.compile_for(heads))
    start = time.process_time()
    model.fit(batches, validation_data=mm.data.eval_batches(valid, preprocess, cache="memory", verbose=False),
              epochs=epochs, verbose=2)  # fmt: skip
    seconds = time.process_time() - start
    labels, outputs = mm.evaluate.predict(model, mm.data.eval_batches(raw.subset(held), preprocess))
    found = mm.evaluate.scores(heads[0], labels[heads[0].name], outputs[heads[0].name])
    keys = "examples", "accuracy", "accuracy_interval", "f1_macro", "log_loss"
    print(json.dumps({"set": args.set, "seed": args.seed, "cpu_seconds": round(seconds)} | {k: found[k] for k in keys}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data")
    parser.add_argument("set", choices=EPOCHS)
    parser.add_argument("--seed", type=int, default=0)
    main(parser.parse_args())
