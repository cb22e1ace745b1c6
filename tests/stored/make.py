"""Stores a small preprocess and model as this version writes them, with the answers that later versions must give.

Run it once for a version whose files are new: `python tests/stored/make.py` writes `tests/stored/VERSION/`, which is
kept in the repository; `tests/test_stored.py` loads every such folder.
"""

import base64
import json
import zipfile
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

import mmkeras as mm

SPECS = [mm.Text("review", max_tokens=8, optional=True), mm.Image("photo", size=(8, 8), optional=True),
         mm.Table("row", numeric=["age"], categorical=["city"], max_categories=8)]  # fmt: skip
HEADS = [mm.heads.classification("mood", ["bad", "good", "mixed"]), mm.heads.regression("price", mean=20.0, std=5.0)]


def raw_examples():
    """Three rows: a whole one, one without a picture, and one with as little as there may be."""
    pixels = np.random.default_rng(0).integers(0, 256, (6, 9, 3), "uint8")
    return {"review": [b"not bad, not good", b"good!", b""], "photo": [tf.io.encode_png(pixels).numpy(), b"", b""],
            "age": [30.0, 41.5, float("nan")], "city": [b"Oslo", b"Rome", b"Lima"]}  # fmt: skip


def build(raw):
    """The adapted preprocess, and a model with weights that nobody trained."""
    keras.utils.set_random_seed(0)
    rows = tf.data.Dataset.from_tensor_slices(raw)
    preprocess = mm.adapt(mm.preprocessor(SPECS), rows, verbose=False)
    text, image, table = preprocess.specs
    branches = {"review": mm.branches.text.lstm(text, units=6, embed_dim=4, pool=None),
                "photo": mm.branches.image.conv2d(image, filters=(4, 6)),
                "row": mm.branches.table.mlp(table, units=(6,), embed_dim=2)}  # fmt: skip
    return preprocess, mm.fusion_model(preprocess.specs, branches, mm.fusion.Attention(6, num_heads=2), HEADS)


def save(model, path):
    """As `model.save`, but with compression: HDF5 takes 200 kB for so small a model, most of them zeros."""
    model.save(path)
    with zipfile.ZipFile(path) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in parts.items():
            file.writestr(name, content)


def main():
    folder = Path(__file__).parent / mm.__version__
    folder.mkdir()
    raw = raw_examples()
    preprocess, model = build(raw)
    save(preprocess, folder / "preprocess.keras")
    save(model, folder / "model.keras")
    answers = model(preprocess({name: tf.constant(values) for name, values in raw.items()}))
    encoded = {name: [base64.b64encode(value).decode() if isinstance(value, bytes) else value for value in values]
               for name, values in raw.items()}  # fmt: skip
    told = {"raw": encoded, "answers": {name: np.asarray(values).tolist() for name, values in answers.items()}}
    (folder / "answers.json").write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
