"""One tiny model, exported as a SavedModel, a LiteRT file and a file of `Predictor`, and a table of examples."""

import importlib
import shutil
import types

import keras
import numpy as np
import pytest
import tensorflow as tf

import mmkeras as mm
from mmkeras.cli import _answering, main
from mmkeras.export.process import litert
from mmkeras.export.process.scripts import convert, fresh


def png(seed):
    return tf.io.encode_png(np.random.default_rng(seed).integers(0, 256, (9, 7, 3), "uint8")).numpy()


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    """A folder with scenes/2 and scenes/10, scenes.tflite, scenes.zip, and table.csv with its photos."""
    folder = tmp_path_factory.mktemp("cli")
    specs = [
        mm.Text("review", vocabulary=("good", "bad", "day"), max_tokens=5),
        mm.Image("photo", size=(8, 8), optional=True),
        mm.Table("row", numeric=["price"], categorical=["city"]),
        mm.Vector("face", size=2, optional=True),
    ]
    for seed in (0, 1):
        (folder / f"{seed}.png").write_bytes(png(seed))
    lines = [
        "review,photo,price,city,face",
        "good day,0.png,1.5,Oslo,0.5|1",
        "a bad day,,2,Rome,",
        "day,1.png,,Oslo,1|0",
    ]
    (folder / "table.csv").write_text("\n".join(lines) + "\n")
    heads = [mm.heads.classification("mood", ["good", "bad", "grün"]), mm.heads.regression("cost", mean=5.0, std=2.0)]
    raw = mm.data.from_csv(folder / "table.csv", specs)
    preprocess = mm.adapt(mm.preprocessor(specs), raw, verbose=False)
    keras.utils.set_random_seed(0)
    branches = {
        "review": mm.branches.text.conv1d(specs[0], filters=4),
        "photo": mm.branches.image.conv2d(specs[1], filters=(4,)),
        "row": mm.branches.table.mlp(preprocess.specs[2], units=(4,)),
        "face": mm.branches.vector.linear(specs[3], dim=4),
    }
    model = mm.fusion_model(preprocess.specs, branches, mm.fusion.Attention(8), heads)
    with pytest.MonkeyPatch.context() as patch:
        _export_here(patch)
        mm.export.saved_model(preprocess, model, folder / "scenes" / "2", samples=raw)
        mm.export.litert(preprocess, model, folder / "scenes.tflite", samples=raw, verbose=False)
    shutil.copytree(folder / "scenes" / "2", folder / "scenes" / "10")
    predictor = mm.Predictor(preprocess, model)
    predictor.save(folder / "scenes.zip")
    return types.SimpleNamespace(folder=folder, predictor=predictor, model=model, answers=predictor.predict(raw))


def _export_here(patch):
    """Conversion and the check of the SavedModel take place in this process, which has TensorFlow already."""
    elsewhere = litert.ask

    def ask(script, request, *rest):
        here = script.name == "convert.py"
        return convert.answer(lambda: None, **request) if here else elsewhere(script, request, *rest)

    patch.setattr(litert, "ask", ask)
    module = importlib.import_module("mmkeras.export._saved_model.export")
    patch.setattr(module, "run_fresh", lambda path, ops, runs: fresh.answer(lambda: None, str(path), ops, runs))


@pytest.fixture
def copied(exported, tmp_path):
    """A copy of the folder, to change."""
    return shutil.copytree(exported.folder, tmp_path / "copied")


@pytest.fixture(scope="session")
def loaded():
    """`opened`, which loads each model once, also of copies: loading a SavedModel takes seconds."""
    models, opened = {}, _answering.opened

    def loaded(artefact):
        name = artefact.path.name, artefact.signature
        models[name] = models.get(name) or opened(artefact)
        return models[name]

    return loaded


@pytest.fixture
def mmkeras(capsys, monkeypatch, loaded):
    """Function (words of the command) -> (exit status, what was printed, what was said of errors)."""
    monkeypatch.setattr(_answering, "opened", loaded)

    def call(*words):
        capsys.readouterr()
        status = main([str(word) for word in words])
        said = capsys.readouterr()
        return status, said.out, said.err

    return call
