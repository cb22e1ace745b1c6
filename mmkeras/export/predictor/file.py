"""preprocess and model in one file: a ZIP archive of two `.keras` files."""

import importlib
import tempfile
import zipfile
from pathlib import Path

import keras

import mmkeras.branches
import mmkeras.fusion  # noqa: F401 - registers the layers with Keras
from mmkeras.train.saving import whole

_PARTS = ("preprocess.keras", "model.keras")


def write(path, *models):
    path = Path(path).expanduser()
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, whole(path) as file, zipfile.ZipFile(file, "w") as archive:
        for name, model in zip(_PARTS, models, strict=True):
            model.save(Path(folder, name))
            archive.write(Path(folder, name), name)


def read(path):
    """The models, in their order.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, or of another kind.
    """
    path = Path(path).expanduser()
    if not path.exists():
        raise FileNotFoundError(f"There is no such file. Received: '{path}'. Give one that Predictor.save wrote.")
    with tempfile.TemporaryDirectory() as folder:
        _unpack(path, folder)
        return [_loaded(Path(folder, name)) for name in _PARTS]


def _loaded(path):
    with zipfile.ZipFile(path) as archive:
        if b"keras_hub" in archive.read("config.json"):
            importlib.import_module("keras_nlp")  # imported only if needed because it takes seconds
    return keras.saving.load_model(path)


def _unpack(path, folder):
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            missing = [name for name in _PARTS if name not in names]
            if not missing:
                archive.extractall(folder, _PARTS)
    except (zipfile.BadZipFile, OSError, EOFError) as error:
        raise _refusal(path, f"is damaged, or of another kind: {error}") from error
    if missing:
        raise _refusal(path, f"is a ZIP archive without {missing}: it holds {names[:3]}")


def _refusal(path, what):
    return ValueError(
        f"Predictor.load takes a file that Predictor.save wrote. Received: '{path}', which {what}. A model alone is "
        "loaded by mm.load_model."
    )
