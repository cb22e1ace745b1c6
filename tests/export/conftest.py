"""One model of five inputs and three heads, exported once for all tests of the folder."""

import types

import keras
import numpy as np
import pytest
import tensorflow as tf

import mmkeras as mm
from mmkeras.export import saved_model
from mmkeras.export.process.litert import run_files


def png(seed):
    return tf.io.encode_png(np.random.default_rng(seed).integers(0, 256, (9, 7, 3), "uint8")).numpy()


def wav(seed):
    return tf.audio.encode_wav(np.random.default_rng(seed).uniform(-1, 1, (400, 1)).astype("float32"), 1000).numpy()


@pytest.fixture(scope="session")
def raw():
    return {
        "review": ["good day", "a bad bad day", "Ünï good", "day"],
        "note": ["good", "", "goodbad", "x"],
        "photo": [png(0), png(1), b"", png(2)],
        "voice": [wav(0), b"", wav(1), wav(2)],
        "price": [1.0, 2.0, 3.0, np.nan],
        "city": ["Rome", "Oslo", "", "Rome"],
        "mood": ["x", "x", "x", "x"],  # a label, which is ignored
    }


@pytest.fixture(scope="session")
def parts(raw):
    specs = [
        mm.Text("review", vocabulary=("good", "bad", "day"), max_tokens=5),
        mm.Text("note", vocabulary=("good", "##bad"), tokenizer="wordpiece", max_tokens=4, optional=True),
        mm.Image("photo", size=(8, 8), optional=True),
        mm.Audio("voice", seconds=0.4, sample_rate=1000, optional=True),
        mm.Table("row", numeric=["price"], categorical=["city"]),
    ]
    heads = [
        mm.heads.classification("mood", classes=["good", "bad", "gr\u00fcn"]),
        mm.heads.classification("topics", classes=["a", "b"], multi_label=True),
        mm.heads.regression("stars", size=2, mean=1e5, std=1e4),
    ]
    preprocess = mm.adapt(mm.preprocessor(specs), tf.data.Dataset.from_tensor_slices(raw), verbose=False)
    # Independent of the order of the tests, because the errors of 8 bits depend on the weights.
    keras.utils.set_random_seed(0)
    branches = {
        "review": mm.branches.text.lstm(specs[0], units=8, embed_dim=4),
        "note": mm.branches.text.gru(specs[1], units=4, embed_dim=4),
        "photo": mm.branches.image.conv2d(specs[2], filters=(4,), dropout=0.5),
        "voice": mm.branches.audio.conv2d(specs[3], filters=(4,), mel_bands=8),
        "row": mm.branches.table.mlp(specs[4], units=(4,)),
    }
    model = mm.fusion_model(specs, branches, mm.fusion.Attention(dim=8), heads)
    model.compile("adam", **mm.heads.compile_for(heads))
    model.optimizer.build(model.trainable_variables)
    return types.SimpleNamespace(preprocess=preprocess, model=model, heads=heads)


@pytest.fixture(scope="session")
def exported(parts, raw, tmp_path_factory):
    path = tmp_path_factory.mktemp("saved_models") / "scenes"
    samples = tf.data.Dataset.from_tensor_slices(raw)
    report = saved_model(parts.preprocess, parts.model, path, heads=parts.heads, samples=samples, version="next")
    return types.SimpleNamespace(path=path / "1", report=report, loaded=tf.saved_model.load(str(path / "1")))


@pytest.fixture(scope="session")
def forgets():
    """Function (path, feeds): 50 calls in any order answer as fresh interpreters do, bit for bit."""

    def check(path, feeds):
        order = np.random.default_rng(0).integers(0, len(feeds), 50)
        (together,) = run_files([(path, [feeds[i] for i in order])])
        alone = run_files([(path, [feed]) for feed in feeds])
        assert len({b"".join(value.tobytes() for value in answers[0].values()) for answers in alone}) > 1
        for i, answer in zip(order, together, strict=True):
            for name, value in answer.items():
                np.testing.assert_array_equal(value, alone[i][0][name])

    return check
