"""One tiny export, of a text, a picture that may be absent and a number, and a server of it in this process."""

import http.client
import importlib
import json
import shutil
import types
from urllib.parse import urlsplit

import keras
import numpy as np
import pytest
import tensorflow as tf

import mmkeras as mm
from mmkeras.export.process.scripts import fresh


def png(seed):
    return tf.io.encode_png(np.random.default_rng(seed).integers(0, 256, (9, 7, 3), "uint8")).numpy()


@pytest.fixture(autouse=True)
def _seeded():
    """Nothing here is random; a new seed would make TensorFlow optimize every served graph again, 1.4 s for each."""


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    """The folder saved_models, with scenes/1 and scenes/2 (whose answers differ), and raw examples."""
    spec = [
        mm.Text("review", vocabulary=("good", "bad", "day"), max_tokens=5),
        mm.Image("photo", size=(8, 8), optional=True),
        mm.Table("row", numeric=["price"], optional=True),
    ]
    raw = {
        "review": ["good day", "a bad day", "Ünï good", "day"],
        "photo": [png(0), png(1), b"", png(2)],
        "price": [1.0, 2.0, 3.0, np.nan],
    }
    heads = [mm.heads.classification("mood", ["good", "bad", "grün"])]
    folder = tmp_path_factory.mktemp("server") / "saved_models"
    preprocess = mm.adapt(mm.preprocessor(spec), tf.data.Dataset.from_tensor_slices(raw), verbose=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importlib.import_module("mmkeras.export._saved_model.export"), "run_fresh",
                      lambda path, ops, runs: fresh.answer(lambda: None, str(path), ops, runs))  # fmt: skip
        for version in (1, 2):
            keras.utils.set_random_seed(version)
            branches = {
                "review": mm.branches.text.lstm(spec[0], units=4, embed_dim=4),
                "photo": mm.branches.image.conv2d(spec[1], filters=(4,)),
                "row": mm.branches.table.mlp(spec[2], units=(4,)),
            }
            model = mm.fusion_model(spec, branches, mm.fusion.Attention(8), heads)
            mm.export.saved_model(preprocess, model, folder / "scenes" / str(version), samples=raw)
    signature = tf.saved_model.load(str(folder / "scenes" / "2")).signatures["serving_default"]
    return types.SimpleNamespace(folder=folder, raw=raw, signature=signature)


@pytest.fixture(scope="session")
def expected(exported):
    """Function (row by input name) -> scores of version 2, asked alone."""

    def expected(row):
        tensors = {name: tf.constant([row[name]], "float32" if name == "price" else "string") for name in exported.raw}
        return exported.signature(**tensors)["mood_scores"].numpy()[0]

    return expected


@pytest.fixture(scope="session")
def url(exported):
    with mm.serve.running(exported.folder, max_request_bytes=100_000) as url:
        yield url


@pytest.fixture(scope="session")
def ask():
    """Function (url, path, body) -> (status, headers, JSON or text)."""
    return _ask


def _ask(url, path, body=None):
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    try:
        data = body if body is None or isinstance(body, bytes) else json.dumps(body)
        connection.request("GET" if body is None else "POST", path, data)
        response = connection.getresponse()
        text = response.read().decode()
        is_json = response.headers["content-type"] == "application/json"
        return response.status, response.headers, json.loads(text) if is_json else text
    finally:
        connection.close()


@pytest.fixture
def two_versions(exported, tmp_path):
    """A copy of saved_models, to change."""
    shutil.copytree(exported.folder, tmp_path / "saved_models")
    return tmp_path / "saved_models"
