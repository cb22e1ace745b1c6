"""What a device prepares of 1,000 real examples of each set is what `preprocess` prepares."""

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import mmkeras as mm
from mmkeras import edge
from mmkeras.export._litert.package.describe import describe
from mmkeras.export.samples import raw_samples

DATA = Path(os.environ.get("MMKERAS_DATA", Path(__file__).parents[3] / "shared" / "data"))
N = 1000
# Ids and masks must be equal, pixels within one level, waveforms within 1e-4.
ALLOWED = {np.dtype("int32"): 0, np.dtype("bool"): 0, np.dtype("uint8"): 1, np.dtype("float32"): 1e-4}


def easy_vqa(folder):
    frame = pd.DataFrame(json.loads((folder / "test_questions.json").read_text()), columns=["question", "answer", "id"])
    frame["photo"] = frame["id"].astype(str) + ".png"
    specs = [mm.Text("question", max_tokens=16, vocabulary_size=100), mm.Image("photo", size=(48, 48))]
    return specs, mm.data.from_dataframe(frame.sample(N, random_state=0), specs, root=folder / "test_images.zip")


def fsdd(folder):
    specs = [mm.Audio("voice", seconds=1.0, sample_rate=16_000)]  # the files have a rate of 8,000 Hz
    frame = pd.read_csv(folder / "train.tsv", sep="\t").sample(N, random_state=0)
    return specs, mm.data.from_dataframe(frame.rename(columns={"file": "voice"}), specs, root=folder / "train.zip")


def emoji(folder):
    specs = [mm.Image("picture", size=(48, 40), resize="pad")]
    names = [f"name_{language}" for language in ("de", "tr", "ru", "ja", "zh", "hi")]
    tokenizers = ["words", "words", "characters", "words", "characters", "wordpiece"]
    specs += [mm.Text(*pair[:1], tokenizer=pair[1], max_tokens=20, vocabulary_size=800, optional=True)
              for pair in zip(names, tokenizers, strict=True)]  # fmt: skip
    frame = pd.read_csv(folder / "emoji.tsv", sep="\t", dtype=str, keep_default_na=False, quoting=3).head(N)
    frame["picture"] = frame["id"] + ".png"
    return specs, mm.data.from_dataframe(frame, specs, root=folder / "noto72.zip")


def coco(folder):
    specs = [mm.Text("caption0", max_tokens=20), mm.Image("image", size=(96, 96), resize="crop")]
    return specs, mm.data.from_csv(folder / "captions.tsv", specs, root=folder / "images.zip", sep="\t", quoting=3)


def vqa_rad(folder):
    specs = [
        mm.Text("question", tokenizer="wordpiece", vocabulary_size=300),
        mm.Image("scan", size=(64, 64), channels=1),
    ]
    frame = pd.read_json(folder / "questions.jsonl", lines=True).rename(columns={"image_name": "scan"}).head(N)
    return specs, mm.data.from_dataframe(frame[["question", "scan"]], specs, root=folder / "images.zip")


SETS = {"easy-vqa": easy_vqa, "fsdd": fsdd, "emoji": emoji, "coco-ccby-fixture": coco, "vqa-rad": vqa_rad}


@pytest.mark.slow
@pytest.mark.parametrize("name", SETS)
def test_ready_tensors_of_real_examples_are_the_same(name, tmp_path, monkeypatch):
    if not (DATA / name).is_dir():
        pytest.skip(f"the set {name} is not there")
    monkeypatch.setenv("MMKERAS_CACHE", str(tmp_path))
    specs, raw = SETS[name](DATA / name)
    preprocess = mm.adapt(mm.preprocessor(specs), raw, verbose=False)
    prepare = edge.Preprocess(json.loads(json.dumps(describe(preprocess, [])))["inputs"])
    rows = raw_samples(preprocess, raw, N)
    n, apart, told = len(rows[prepare.names[0]]), {}, {}
    assert n >= min(N, len(raw.frame))
    for start in range(0, n, 100):
        part = {key: values[start : start + 100] for key, values in rows.items()}
        theirs = preprocess({key: tf.constant(values) for key, values in part.items()}, training=False)
        ours = [prepare(dict(zip(part, values, strict=True))) for values in zip(*part.values(), strict=True)]
        for key, value in theirs.items():
            own = np.concatenate([row[key] for row in ours])
            assert (own.shape, own.dtype) == (value.shape, value.numpy().dtype)
            apart[key] = max(apart.get(key, 0), float(np.abs(own.astype("float64") - value.numpy()).max()))
            told[key] = max(told.get(key, 0), float(np.std(own.astype("float64"))))
    assert {key: far for key, far in apart.items() if far > ALLOWED[theirs[key].numpy().dtype]} == {}
    # The values vary, so something was read.
    assert all(spread > 0 for key, spread in told.items() if not key.endswith("_mask"))
