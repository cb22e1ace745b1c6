"""One training, the same script for one process and for several workers; what it ends with goes into OUT.

[TF_CONFIG=... SERVICE=grpc://HOST:PORT] python train_as_worker.py OUT

With SERVICE, a server makes the batches of the last epoch, which are taken in parts.
"""

import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np
import pandas as pd

import mmkeras as mm
from mmkeras.branches import table, text

ROWS, SEED = 90, 3


def main(out):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"note": rng.choice(["good day", "bad day", "a day"], ROWS), "size": rng.normal(size=ROWS)})
    frame["kind"] = np.where(frame["size"] + frame["note"].eq("good day") > 0.3, "yes", "no")
    specs = [mm.Text("note", max_tokens=4), mm.Table("facts", numeric=["size"])]
    heads = [mm.heads.classification("kind", classes=["no", "yes"])]
    raw = mm.data.from_dataframe(frame, specs, heads)
    preprocess = mm.adapt(mm.preprocessor(specs), raw, verbose=False)
    note, facts = preprocess.specs
    here = mm.distribute.cluster()
    batches = mm.data.train_batches(raw, preprocess, batch_size=8, seed=SEED)
    evaluation = mm.data.eval_batches(raw, preprocess, batch_size=8)  # its last batch has 2 rows
    keras.utils.set_random_seed(1)
    strategy = mm.distribute.strategy()
    with strategy.scope():
        branches = {
            "note": text.lstm(note, units=4, embed_dim=4, unknown_rate=0),
            "facts": table.mlp(facts, units=(4,), unknown_rate=0),
        }
        model = mm.fusion_model(specs, branches, mm.fusion.Concatenate(4), heads)
        model.compile("adam", **mm.heads.compile_for(heads))
    callbacks = mm.train.callbacks(Path(out).parent / f"run-{here.workers}", batches, patience=None)
    logs = model.fit(batches, validation_data=evaluation, epochs=2, verbose=2, callbacks=callbacks).history
    answers = model.predict(evaluation, verbose=0)["kind"]
    report = mm.evaluate.report(model, evaluation, out_dir=Path(out).with_suffix(""))
    scores = report["models"]["model"]["kind"]
    mm.export.saved_model(preprocess, model, Path(out).parent / f"export-{here.workers}" / "1", samples=raw)
    weights = {f"weight_{i}": weight for i, weight in enumerate(model.get_weights())}
    found = {f"log_{name}": values for name, values in logs.items()}
    others = mm.data.train_batches(raw, preprocess, batch_size=8, seed=SEED + here.worker)
    found["refusal"] = refusal(strategy, others) if here.workers > 1 else ""
    weights |= {f"last_{i}": weight for i, weight in enumerate(last_epoch(raw, preprocess, model, strategy))}
    np.savez(out, answers=answers, accuracy=scores["accuracy"], **weights, **found)


def last_epoch(raw, preprocess, model, strategy):
    service = os.environ.get("SERVICE")
    batches = mm.data.train_batches(raw, preprocess, batch_size=8, seed=SEED, service=service)
    with strategy.scope():
        model.compile(keras.optimizers.SGD(0.1, clipnorm=0.05), **mm.heads.compile_for(raw.heads))
    mm.train.micro_batches(model, parts=2 if service else 1)
    begin = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: batches.epoch.assign(epoch))
    model.fit(batches, epochs=1, verbose=0, callbacks=[begin])
    return model.get_weights()


def refusal(strategy, batches):
    try:
        strategy.experimental_distribute_dataset(batches)
    except ValueError as error:
        return str(error)
    return ""


if __name__ == "__main__":
    main(*sys.argv[1:])
