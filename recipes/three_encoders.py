"""The textbook trimodal classifier: BERT reads, ResNet50 sees, Conv-TasNet hears, and attention joins their tokens.

    python recipes/three_encoders.py --data digits3-files

Each encoder is trained alone as well, with the same budget, to show what fusion adds. DIR of --data has the layout of
`digits.py`: train.csv, valid.csv and test.csv with the columns text, image, audio and digit. Any other table works too:

    python recipes/three_encoders.py --table clips.csv --text caption --image frame --audio sound --label topic

whose rows are split at random into 80 % to learn from, 10 % to choose the epoch by, and 10 % to score. BERT is a tiny
one with a vocabulary learned from the texts, unless --text-weights names a preset (a name of keras-hub, or a folder
such as that of all-MiniLM-L6-v2); ResNet50 starts at random, unless --image-weights says "imagenet" or names a file.
"""

import argparse
import json
import logging
import os
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported

import keras
import keras_nlp
import pandas as pd
import rich
import tensorflow as tf
from tensorflow_text.tools.wordpiece_vocab import bert_vocab_from_dataset

import mmkeras as mm
from mmkeras.branches import audio, image, text

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def main(args):
    started = time.perf_counter()
    logging.getLogger("tensorflow").setLevel("ERROR")  # several models in one process: TensorFlow warns of retracing
    out = Path(args.out or ("runs/three_encoders-smoke" if args.smoke else "runs/three_encoders"))
    if not args.table:
        args.data = args.data or mm.data.generate.lookalikes.digits(out / "data", seed=args.seed)
    learn, choose, check = tables(args)

    # 1. What goes in and what comes out.
    preset = args.text_weights or tiny_bert(learn["text"], out / "tiny_bert")
    words = mm.Text("text", preset=str(preset), max_tokens=args.tokens, optional=True)
    picture = mm.Image("image", size=(args.size, args.size), optional=True)
    sound = mm.Audio("audio", seconds=args.seconds, sample_rate=8000, optional=True)
    specs, classes = [words, picture, sound], sorted(set(learn["label"]))
    heads = [mm.heads.classification("label", classes=classes)]

    # 2. Raw examples, and batches of them.
    root = Path(args.table).parent if args.table else Path(args.data)
    raw_train, raw_valid, raw_test = (
        mm.data.from_dataframe(part, specs, heads, root=root) for part in (learn, choose, check)
    )
    preprocess = mm.adapt(mm.preprocessor(specs), raw_train)
    train = mm.data.train_batches(raw_train, preprocess, batch_size=args.batch_size, seed=args.seed, cache="memory")
    valid, test = (mm.data.eval_batches(raw, preprocess, cache="memory") for raw in (raw_valid, raw_test))

    # 3. The three encoders together, and each of them alone.
    few = {"train": args.train_blocks}
    smaller = {"depth": 18, "filters": 8} if args.smoke else {"weights": args.image_weights}
    encoders = {
        "text": lambda: text.pretrained(words, pool=None, **(few if args.text_weights else {})),
        "image": lambda: image.resnet(picture, **smaller, **(few if args.image_weights else {})),
        "audio": lambda: audio.conv_tasnet(sound, num_layers=2 if args.smoke else 6),
    }
    models = {}
    for inputs in [specs, *([spec] for spec in specs)]:
        name = " + ".join(spec.name for spec in inputs)
        rich.print(f"\n[bold]{name}[/bold]")
        keras.utils.set_random_seed(args.seed)
        with mm.distribute.strategy().scope():
            branches = {spec.name: encoders[spec.name]() for spec in inputs}
            hide = 0.1 if len(inputs) == 3 else 0.0
            model = mm.fusion_model(inputs, branches, mm.fusion.Attention(128), heads, modality_dropout=hide)
            rate = keras.optimizers.schedules.CosineDecay(args.rate, args.epochs * len(train))
            optimizer = keras.optimizers.AdamW(rate, weight_decay=1e-2, clipnorm=1.0)
            model.compile(optimizer, **mm.heads.compile_for(heads))  # softmax cross-entropy
        own_train, own_valid = mm.data.select_inputs(train, model), mm.data.select_inputs(valid, model)
        run_dir = out / "training" / f"{len(learn)}-examples-{args.epochs}-epochs-seed-{args.seed}" / name
        callbacks = mm.train.callbacks(run_dir, train, patience=None)
        model.fit(
            own_train, validation_data=own_valid, epochs=args.epochs, callbacks=callbacks, shuffle=False, verbose=2
        )
        models[name] = model

    # 4. Scores on rows that no model has seen, also with inputs masked.
    model = models.pop(" + ".join(spec.name for spec in specs))
    found = mm.evaluate.report(
        model, test, out_dir=out / "evaluation", train=raw_train, baselines=models, name="all three", specs=specs
    )
    scores = mm.evaluate.summary(found)

    # 5. A SavedModel for TF Serving and an 8-bit file for devices, both checked against Python.
    export = mm.export.saved_model(preprocess, model, f"saved_models/{out.name}", samples=raw_test, version="next")
    device = mm.export.litert(preprocess, model, f"saved_models/{out.name}.tflite", quantize="int8", samples=raw_test,
                              representative=raw_train, n_samples=1000, overwrite=True, verbose=False)  # fmt: skip
    report = {
        **scores,
        "gain": scores["accuracy"] - max(value for row, value in scores["baselines"].items() if row != "majority"),
        "parity_max_abs": export["largest_difference"],
        "litert": {
            "kib": device["bytes"] / 1024,
            "accuracy": device["metrics"]["litert"]["label"]["accuracy"],
            "same_as_keras": device["agreement"]["litert"]["label"],
            "parts": device["int8"]["parts"],
        },
        "n_train": len(learn),
        "skipped": len({*train.skipped, *valid.skipped, *test.skipped}),
        "export": export["path"],
        "seed": args.seed,
        "seconds": round(time.perf_counter() - started, 1),
        "cpu_seconds": round(time.process_time(), 1),
    }
    (out / "report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    rich.print("", mm.evaluate.table(found))
    print(f"Written: {out}/report.json, training/, evaluation/; {export['path']}; {report['seconds']:.0f} s in all")


def tables(args):
    """Three tables of the columns text, image, audio and label."""
    columns = {args.text: "text", args.image: "image", args.audio: "audio", args.label: "label"}
    if args.table:
        frame = pd.read_csv(args.table, dtype=str, keep_default_na=False)
        frame = frame.sample(frac=1, random_state=args.seed)
        first, second = round(0.8 * len(frame)), round(0.9 * len(frame))
        parts = [frame[:first], frame[first:second], frame[second:]]
    else:
        names = [Path(args.data, f"{part}.csv") for part in ("train", "valid", "test")]
        parts = [pd.read_csv(name, dtype=str, keep_default_na=False) for name in names]
    parts[0] = parts[0][: args.examples]
    return [part.rename(columns=columns)[list(columns.values())].reset_index(drop=True) for part in parts]


def tiny_bert(texts, folder):
    """Writes an untrained BERT of two blocks, and a WordPiece vocabulary learned from these texts, as a preset."""
    known = bert_vocab_from_dataset.bert_vocab_from_dataset(
        tf.data.Dataset.from_tensor_slices(list(texts)).batch(1000), 4000, SPECIAL, {"lower_case": True}
    )
    size = {"num_layers": 2, "num_heads": 4, "hidden_dim": 128, "intermediate_dim": 256, "max_sequence_length": 128}
    keras_nlp.models.BertBackbone(len(known), **size).save_to_preset(folder)
    keras_nlp.models.BertTokenizer(known, lowercase=True).save_to_preset(folder)
    return folder


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", help="folder with train.csv, valid.csv and test.csv; without it one is generated")
    parser.add_argument("--table", help="instead of --data: one CSV file, which is split at random")
    for column, default in {"text": "text", "image": "image", "audio": "audio", "label": "digit"}.items():
        parser.add_argument(f"--{column}", default=default, help=f"column; '{default}' by default")
    parser.add_argument("--text-weights", help="preset of the BERT family, a name or a folder")
    parser.add_argument("--image-weights", help='"imagenet", or a file of weights of ResNet50')
    parser.add_argument("--train-blocks", type=int, default=4, help="last blocks of pretrained encoders to train")
    parser.add_argument("--tokens", type=int, default=20, help="longest text, in word pieces")
    parser.add_argument("--size", type=int, default=32, help="height and width of pictures, in pixels")
    parser.add_argument("--seconds", type=float, default=1.024, help="longest sound")
    parser.add_argument("--examples", type=int, help="how many examples to learn from; all by default")
    parser.add_argument("--out", help="folder of the run, runs/three_encoders by default; it names the export")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--rate", type=float, default=1e-3, help="highest learning rate")
    parser.add_argument("--seed", type=int, default=0, help="of order and weights")
    parser.add_argument("--smoke", action="store_true", help="tiny data, smaller encoders, one epoch")
    arguments = parser.parse_args()
    if arguments.smoke:
        arguments.epochs, arguments.batch_size = 1, 16
    main(arguments)
