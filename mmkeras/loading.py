"""Loads `.keras` files, with helpful errors for other files."""

import importlib
import os
import re
import zipfile
import zlib
from os import PathLike
from pathlib import Path

import keras

_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError, ValueError)
_UNKNOWN = re.compile("Could not locate (class|function) '([^']+)'")  # in errors of Keras
_HDF5 = b"\x89HDF\r\n\x1a\n"


def load_model(path: str | PathLike[str]) -> keras.Model:
    """Loads a model or a preprocess from a `.keras` file.

    Prefer it to `keras.saving.load_model`, which knows only the classes of packages that have been imported.

    Args:
        path: of the file, or `best.keras` of a run folder; `~` is the home folder. What else
            `keras.saving.load_model` reads (.h5 files, remote files) is handed to it.

    Returns:
        keras.Model.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, or of another format, which the message names; or it holds a layer or function
            of your own that is not registered in this process.
    """
    local = "://" not in str(path)
    path = Path(path).expanduser() if local else path
    config = _config(path) if local else b""
    rooms = [f"mmkeras.{room}" for room in ("branches", "fusion", "heads", "preprocess", "models")]
    # Import only what the file needs, since these take seconds.
    marks = {b"keras_hub": "keras_nlp", b"mmkeras>Discriminative": "mmkeras.train"}
    for room in [*rooms, *(room for mark, room in marks.items() if mark in config)]:
        importlib.import_module(room)
    try:
        return keras.saving.load_model(path)
    except Exception as error:
        # Keras, h5py, zipfile, zlib, ... raise their own errors, and a damaged weight can fail in any of them.
        if config and (damage := _damage(path)):
            raise _refusal(path, f"is damaged: {damage}") from error
        if unknown := _UNKNOWN.search(str(error)):
            raise _unregistered(path, *unknown.groups()) from error
        raise


def _config(path):
    """The bytes of `config.json` in a .keras file; b"" for other files that Keras can load."""
    if not path.exists():
        near = sorted(file.name for file in path.parent.glob("*.keras")) if path.parent.is_dir() else []
        raise FileNotFoundError(f"There is no such file. Received: '{path}'. Its folder holds the .keras files {near}.")
    if path.is_dir():
        return _config_of_folder(path)
    with open(path, "rb") as file:
        head = file.read(8)
    if kind := _other_kind(path, head):
        raise _refusal(path, kind)
    if head == _HDF5:
        return b""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            config = archive.read("config.json") if "config.json" in names else None
    except _BROKEN as error:
        raise _refusal(path, f"is damaged: {error}") from error
    if config is None:
        raise _refusal(path, f"is a ZIP archive of something else; it holds {names[:3]} and no config.json")
    if path.suffix != ".keras":
        raise _refusal(path, f"is one of another name. Call it '{path.with_suffix('.keras').name}'")
    return config


def _config_of_folder(path):
    if path.joinpath("saved_model.pb").exists():
        raise _refusal(
            path,
            "is a SavedModel, which has no Keras layers. Load it with tf.saved_model.load or TF Serving, or "
            "load the .keras file of the model that was exported",
        )
    if inside := sorted(file.name for file in path.glob("*.keras")):
        raise _refusal(path, f"is a folder. Give a file in it: {inside}")
    raise _refusal(path, "is a folder without a .keras file in it. Give the file that model.save wrote")


def _other_kind(path, head):
    """Kind of a file by its first bytes; None for a ZIP archive or an HDF5 file, which Keras can load."""
    if head[4:] == b"TFL3":
        return "is a LiteRT file, which has no layers. Run it with mmkeras.edge.Model"
    if head == _HDF5 and path.name.endswith(".weights.h5"):
        return "holds weights alone. Build the model as before, and call model.load_weights with this file"
    if head == _HDF5:
        known = path.suffix in (".h5", ".hdf5")
        return (
            None if known else "is an HDF5 file. Call it .h5 if it is a model; weights alone go to model.load_weights"
        )
    if not head:
        return "is empty. Was it saved or copied whole?"
    if head[:2] == b"PK":
        return None
    return f"is no ZIP archive, nor HDF5: it begins with {head!r}. A download may hold a web page or a pointer instead"


def _unregistered(path, what, name):
    return ValueError(
        f"load_model must know every class and function in the file. Received: '{path}', which holds the {what} "
        f"'{name}'. Decorate it with @keras.saving.register_keras_serializable() before the model is saved, and import "
        "its module before the model is loaded. If it was saved without that: "
        f"with keras.saving.custom_object_scope({{'{name}': {name}}}): mm.load_model(path)."
    )


def _damage(path):
    """What is wrong with the archive; None if all checksums are correct."""
    try:
        with zipfile.ZipFile(path) as archive:
            bad = archive.testzip()
    except _BROKEN as error:
        return str(error)
    return bad and f"the checksum of '{bad}' in it is wrong"


def _refusal(path, what):
    size = f" ({os.path.getsize(path):,} bytes)" if path.is_file() else ""
    again = " Copy, download or save it again." if "damaged" in what else ""
    return ValueError(
        f"load_model takes a whole .keras file, as model.save writes it. Received: '{path}'{size}, which {what}.{again}"
    )
