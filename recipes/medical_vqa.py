"""Answers questions about radiology pictures: yes or no, or one of the answers that were given to learn from.

    python recipes/medical_vqa.py --data vqa-rad --text-weights minilm --image-weights lite0.keras

One model has a head for closed questions ("Is there a mass?") and one for open ones ("Where is it?"); each question has
the answer of one of them, and of the other its weight is 0. An answer counts if it is the same text; 0.35 of the open
test answers (0.95 of the closed ones) occur among those to learn from, and no other can be right.

With all-MiniLM-L6-v2 and EfficientNet-Lite0, frozen, seed 0, it told 0.538 of the 240 closed questions (95 % interval
0.467 to 0.604) and 0.140 of the 150 open ones (0.081 to 0.202), 0.385 of all; the question alone has 0.558, 0.107 and
0.385. So the frozen features of a network for photographs add nothing measurable. The published model MEVF, pretrained
on medical pictures, has 0.751 and 0.439 on the whole official test part, as its authors count.

DIR of --data holds questions.jsonl of VQA-RAD (Lau et al. 2018, doi 10.1038/sdata.2018.251) and images.zip. The
rephrased questions of the training part are further questions; pictures of the test part also occur in the training
part, as in the published split. --text-weights takes a preset of the BERT family (a name of keras-hub or a folder, such
as that of all-MiniLM-L6-v2), and --image-weights a file NAME.keras of a network from pixels (0 to 255) to a feature
map. Both stay as they are; without them, small encoders learn from scratch.
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

# Accuracy on the whole official test part, of which the set in --data may hold a part only, as its authors count.
PUBLISHED = {"MEVF + BAN": {"closed": 0.751, "open": 0.439}}
UNSEEN = "(unseen)"  # the class of test answers that do not occur in training; no example teaches it


def main(args):
    started = time.perf_counter()
    logging.getLogger("tensorflow").setLevel("ERROR")  # several models in one process: TensorFlow warns of retracing
    keras.utils.set_random_seed(args.seed)
    out = Path(args.out or ("runs/medical_vqa-smoke" if args.smoke else "runs/medical_vqa"))
    data = Path(args.data or mm.data.generate.lookalikes.medical_vqa(out / "data", seed=args.seed))

    # 1. What goes in and what comes out: the answers to closed and to open questions that occur in training.
    table = rows(data)
    learn, check = phrasings(table[table.official_split == "train"]), table[table.official_split == "test"]
    question = mm.Text("question", max_tokens=32, **({"preset": args.text_weights} if args.text_weights else {}))
    specs = [question, mm.Image("picture", size=128 if args.image_weights else 64)]
    heads = [mm.heads.classification(kind, classes=[*sorted(set(learn[kind]) - {""}), UNSEEN], dropout=0.3)
             for kind in ("closed", "open")]  # fmt: skip

    # 2. Rows to raw examples to batches. The head that a row has no answer for gets the weight 0 there.
    def read(frame, folder):
        known = {head.name: frame[head.name].where(frame[head.name].isin({*head.classes, ""}), UNSEEN)
                 for head in heads}  # fmt: skip
        return mm.data.from_dataframe(frame.assign(**known), specs, heads, root=Path(folder, "images.zip"))

    raw_train, raw_test = read(learn, data), read(check, data)
    preprocess = mm.adapt(mm.preprocessor(specs), raw_train)
    question, picture = specs = preprocess.specs  # with the sizes of the learned vocabularies
    augment = [mm.augment.image(picture, shift=0.05, zoom=0.1, rotate=5, fill="nearest")]
    train = mm.data.train_batches(raw_train, preprocess, batch_size=64, seed=args.seed, cache="memory", augment=augment)

    # 3. The product of a question and a picture (bilinear fusion), and the question alone.
    def encoder(spec):
        if spec is question and args.text_weights:
            return text.pretrained(spec, train="none", pool="mean")
        if spec is question:
            return text.transformer(spec, dim=128, num_layers=0, dropout=0.3, pool="mean")
        if args.image_weights:
            network = keras.models.load_model(args.image_weights, compile=False)
            return mm.branches.from_model(spec, network, train="none", pool="mean")
        return image.conv2d(spec, filters=(16, 32, 64), dropout=0.2, pool="mean")

    models = {}
    for name, inputs, fusion in (
        ("both", specs, mm.fusion.Bilinear),
        ("question only", [question], mm.fusion.Concatenate),
    ):
        rich.print(f"\n[bold]{name}[/bold]")
        with mm.distribute.strategy().scope():
            branches = {spec.name: encoder(spec) for spec in inputs}
            model = mm.fusion_model(inputs, branches, fusion(128, dropout=0.3), heads)
            rate = keras.optimizers.schedules.CosineDecay(args.rate, args.epochs * len(train))
            model.compile(keras.optimizers.AdamW(rate, weight_decay=1e-2), **mm.heads.compile_for(heads))
        run_dir = out / "training" / f"{len(learn)}-rows-{args.epochs}-epochs-seed-{args.seed}" / name.replace(" ", "_")
        callbacks = mm.train.callbacks(run_dir, train, monitor="loss", patience=None)
        own_train = mm.data.select_inputs(train, model)
        model.fit(own_train, epochs=args.epochs, callbacks=callbacks, shuffle=False, verbose=2)
        models[name] = model

    # 4. Accuracy by kind of answer and of question, and files and strings in, answers out. The export is kept only if a
    # process without mmkeras gives the same answers.
    common = {kind: learn[kind][learn[kind] != ""].mode()[0] for kind in ("closed", "open")}
    scores = scored(models, raw_test, preprocess, common)
    if args.test:
        scores["other_test"] = scored(models, read(rows(args.test), args.test), preprocess, common)
    export = mm.export.saved_model(
        preprocess, models["both"], f"saved_models/{out.name}", samples=raw_test, version="next"
    )
    report = {
        **scores,
        "published": PUBLISHED,
        "parity_max_abs": export["largest_difference"],
        "n_train": len(learn),
        "skipped": len(train.skipped),
        "export": export["path"],
        "seed": args.seed,
        "seconds": round(time.perf_counter() - started, 1),
    }
    (out / "report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    for row, each in {"both": scores["accuracy"], **scores["baselines"], **PUBLISHED}.items():
        print(f"{row}: " + ", ".join(f"{part} {value:.3f}" for part, value in each.items()))
    print(pd.DataFrame(scores["by_kind_of_question"]).T.round(3).to_string())
    print(f"Written: {out}/report.json, training/; {export['path']}; {report['seconds']:.0f} s in all")


def rows(folder):
    """The questions of a folder; their answers, in small letters and without articles, are in `closed` or `open`."""
    table = pd.read_json(Path(folder, "questions.jsonl"), lines=True, dtype=False, convert_dates=False)
    answers = table.answer.astype(str).str.lower().str.replace(r"[^\w\s.%/]|\b(a|an|the)\b", " ", regex=True)
    answers, closed = answers.str.split().str.join(" "), table.answer_type.str.strip() == "CLOSED"
    return table.assign(picture=table.image_name, closed=answers.where(closed, ""), open=answers.where(~closed, ""))


def phrasings(table):
    """A row for each way in which a question is put."""
    others = [table.assign(question=table[column]) for column in ("question_rephrase", "question_frame")]
    every = pd.concat([table, *others])
    return every[every.question.fillna("NULL") != "NULL"].reset_index(drop=True)


def scored(models, raw, preprocess, common):
    """Accuracy of closed, open and all questions, with intervals, and by kind of question; that of the baselines."""
    batches, frame = mm.data.eval_batches(raw, preprocess, cache="memory", verbose=False), raw.frame
    right = pd.DataFrame({name: is_right(model, batches, raw) for name, model in models.items()})
    closed = (frame.closed != "").to_numpy()
    parts = {"closed": closed, "open": ~closed, "all": closed | True}
    kinds = right.groupby(frame.question_type.str.upper().str.split(",").str[0].to_numpy())
    by_kind = kinds.mean().assign(n=kinds.size()).sort_values("n", ascending=False)
    means = {name: {part: float(right[name][own].mean()) for part, own in parts.items()} for name in models}
    majority = {kind: float((frame[kind][parts[kind]] == answer).mean()) for kind, answer in common.items()}
    return {
        "accuracy": means["both"],
        "interval": {part: interval(right["both"][own], frame.image_name[own]) for part, own in parts.items()},
        "baselines": {"question only": means["question only"], "majority": majority},
        "n": len(frame),
        "n_closed": int(closed.sum()),
        "by_kind_of_question": by_kind.to_dict("index"),
    }


def is_right(model, batches, raw):
    """Whether the head that a row has an answer for gives it: (n,) bool. A missing answer is -1, which none is."""
    _, outputs = mm.evaluate.predict(model, batches, raw.heads)
    given = [outputs[head.name][:, :-1].argmax(-1) == raw.table[head.name] for head in raw.heads]  # not the unseen one
    return np.any(given, axis=0)


def interval(right, pictures):
    """95 % interval of the mean; the pictures are drawn anew, since the questions about one are alike."""
    each = right.groupby(pictures.to_numpy()).agg(["sum", "count"]).to_numpy()
    drawn = each[np.random.default_rng(0).integers(0, len(each), (500, len(each)))].sum(axis=1)
    return np.quantile(drawn[:, 0] / drawn[:, 1], [0.025, 0.975]).tolist()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", help="folder of the set; without it a tiny one is generated")
    parser.add_argument("--test", help="folder of another questions.jsonl and images.zip, to answer all its rows")
    parser.add_argument("--out", help="folder of the run, runs/medical_vqa by default; its name is that of the export")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--rate", type=float, default=3e-3, help="highest learning rate")
    parser.add_argument("--text-weights", help="preset of the BERT family, a name or a folder")
    parser.add_argument("--image-weights", help="a .keras file of a network from pixels to a feature map")
    parser.add_argument("--seed", type=int, default=0, help="of order and weights")
    parser.add_argument("--smoke", action="store_true", help="tiny data and one epoch, to see that everything works")
    arguments = parser.parse_args()
    if arguments.smoke:
        arguments.epochs = 1
    main(arguments)
