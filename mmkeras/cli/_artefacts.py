"""What lies at a path: a SavedModel, a LiteRT, `Predictor` or `.keras` file. Told by its files, without TensorFlow."""

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mmkeras import edge
from mmkeras.checks import did_you_mean
from mmkeras.cli._signatures import Input, inputs_of_edge, inputs_of_specs, outputs_of_heads, tensors

SAVED_MODEL, LITERT, PREDICTOR, KERAS = "SavedModel", "LiteRT file", "Predictor", "Keras model"
SERVED = "serving_default"
_PREPARED = ("ready", "examples")  # signatures of `export.saved_model` that take no raw values
_RULE = "PATH must be an export: a folder NAME/VERSION, a .tflite file, or a file of Predictor.save."
_BROKEN = (zipfile.BadZipFile, KeyError, ValueError, OSError, EOFError)


class Artefact(NamedTuple):
    """What is known of an artefact from its files.

    Attributes:
        kind: one of the names above.
        path: of the folder or file.
        inputs: list of `Input`.
        outputs: dict, name -> what it is, in words.
        classes: dict, name of a head -> names of its classes.
        chosen: a sentence on which version was taken; "" where the path names one.
        signature: name of the signature of a SavedModel that the inputs and outputs are of.
        signatures: names of all that there are; none in other kinds.
    """

    kind: str
    path: Path
    inputs: list[Input]
    outputs: dict[str, str]
    classes: dict[str, list[str]]
    chosen: str = ""
    signature: str = SERVED
    signatures: Sequence[str] = ()

    @property
    def required(self) -> list[str]:
        return [each.name for each in self.inputs if not each.optional]

    @property
    def tells_status(self) -> bool:
        """Whether it has an answer "status" because of `saved_model(on_error=)`."""
        record = self.read_beside("signature.json") if self.kind == SAVED_MODEL else None
        return (record or {}).get("on_error", "raise") != "raise"

    def beside(self, name: str) -> Path:
        """The path of a file that the export wrote with it, such as "parity.json"."""
        if self.kind == SAVED_MODEL:
            return self.path / "assets.extra" / name
        return self.path.with_name(f"{self.path.stem}.{name}")

    def read_beside(self, name: str) -> Any:
        """What such a JSON file holds; None where there is none."""
        file = self.beside(name)
        return read_json(file) if file.is_file() else None


def find(
    path: str | Path,
    kinds: Sequence[str] = (SAVED_MODEL, LITERT, PREDICTOR),
    *,
    signature: str = SERVED,
) -> Artefact:
    """The artefact at a path.

    Args:
        path: of a version NAME/VERSION, of NAME, whose highest version is taken, or of a file; `~` is the home folder.
        kinds: those that are wanted.
        signature: of a SavedModel, whose inputs and outputs are wanted; other kinds have none.

    Raises:
        FileNotFoundError: there is nothing.
        ValueError: it is something else, or damaged; or there is no such signature.
    """
    path = Path(path).expanduser()
    if not path.exists():
        raise FileNotFoundError(f"PATH must exist. Received: '{path}'. {_nearby(path)}")
    found = _in_folder(path, signature) if path.is_dir() else _in_file(path)
    if signature != SERVED and found.kind != SAVED_MODEL:
        raise ValueError(f"Only a SavedModel has signatures. Received: {signature!r} of '{path}', a {found.kind}.")
    if found.kind not in kinds:
        raise ValueError(f"PATH must be a {' or '.join(kinds)}. Received: '{path}', which is a {found.kind}.")
    return found


def read_json(file: Path) -> Any:
    """Raises ValueError with the file's name where it is no JSON."""
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(
            f"The files of an export are JSON. Received: '{file}': {error}. Copy or export it again."
        ) from error


def _nearby(path):
    folder = next(parent for parent in path.absolute().parents if parent.is_dir())
    names = sorted(child.name for child in folder.iterdir() if not child.name.startswith("."))[:10]
    return f"The folder '{folder}' holds {names}."


def _in_folder(path, signature):
    if path.joinpath("saved_model.pb").is_file():
        return _saved_model(path, signature)
    versions = [child for child in path.iterdir() if child.name.isdecimal() and (child / "saved_model.pb").is_file()]
    if versions:
        version = max(versions, key=lambda child: int(child.name))
        others = f"the highest of {len(versions)}" if versions[1:] else "the only one"
        chosen = f"Version {version.name} of '{path.name}', {others}."
        return _saved_model(version, signature)._replace(chosen=chosen)
    names = [child.name for child in sorted(path.iterdir()) if not child.name.startswith(".")]
    raise ValueError(f"{_RULE} Received: the folder '{path}', which holds {names[:10] or 'nothing'}. {_remedy(path)}")


def _remedy(path):
    """What may have been meant by a folder that is no export."""
    files = [child.name for child in path.iterdir() if child.suffix in (".tflite", ".zip", ".keras")]
    names = {file.parent.parent.name for file in path.glob("*/*/saved_model.pb") if file.parent.name.isdecimal()}
    inside = [str(path / name) for name in sorted({*files, *names})]
    return f"Give one of {inside[:10]}." if inside else "Give the path that the export reported."


def _in_file(path):
    with open(path, "rb") as file:
        head = file.read(8)
    if head[4:] == b"TFL3":
        return _litert(path)
    if head[:4] == b"PK\3\4":
        return _archive(path)
    own = path.name == "saved_model.pb"
    remedy = f"Give its folder, '{path.parent}'." if own else "Is it a download that holds something else?"
    raise ValueError(
        f"{_RULE} Received: '{path}', {f'which begins with {head!r}' if head else 'which is empty'}. {remedy}"
    )


def _saved_model(path, signature):
    file = path / "assets.extra" / "signature.json"
    record = read_json(file) if file.is_file() else {}
    if "inputs" not in record:
        raise ValueError(
            "The SavedModel must be one that mmkeras.export.saved_model wrote; its assets.extra/signature.json "
            f"describes the inputs. Received: '{path}', where "
            f"{'it does not' if record else 'there is no such file'}. Export the model again."
        )
    names = sorted(record["signatures"], key=lambda name: (name != SERVED, name))
    if signature not in names:
        hint = did_you_mean(signature, names)
        raise ValueError(f"'{path}' has the signatures {names}. Received: {signature!r}. {hint}".rstrip())
    asked, raw = record["signatures"][signature], signature not in _PREPARED
    inputs = (
        inputs_of_specs(record["inputs"], record["may_be_absent"], asked["inputs"]) if raw else tensors(asked["inputs"])
    )
    outputs = {name: f"{each['dtype']} {_shape(each['shape'])}" for name, each in asked["outputs"].items()}
    return Artefact(SAVED_MODEL, path, inputs, outputs, record["classes"], "", signature, names)


def _shape(shape):
    sizes = ["?" if size is None else str(size) for size in shape[1:]]
    return f"({', '.join(['B', *sizes])}{'' if sizes else ','})"


def _litert(path):
    record = edge.describe(path)
    classes = {head["name"]: head["classes"] for head in record["outputs"] if "classes" in head}
    return Artefact(LITERT, path, inputs_of_edge(record["inputs"]), outputs_of_heads(record["outputs"]), classes)


def _archive(path):
    """A file of `Predictor.save`, or of a model."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if {"preprocess.keras", "model.keras"} <= set(names):
                with archive.open("preprocess.keras") as first, archive.open("model.keras") as second:
                    return _of_configs(PREDICTOR, path, _config(first), _config(second))
            if "config.json" in names:
                config = json.loads(archive.read("config.json"))["config"]
                return _of_configs(KERAS, path, config, config)
    except _BROKEN as error:
        raise ValueError(
            f"PATH must be a whole file. Received: '{path}', a damaged ZIP archive: {error}. Copy or save it again."
        ) from error
    raise ValueError(
        f"{_RULE} Received: '{path}', a ZIP archive that holds {names[:3]}. Was it written by something else?"
    )


def _config(file):
    with zipfile.ZipFile(file) as archive:
        return json.loads(archive.read("config.json"))["config"]


def _of_configs(kind, path, first, second):
    if "specs" not in first or "heads" not in second:
        raise ValueError(
            f"The model must be one of a builder of mmkeras, which knows its specs and heads. Received: '{path}', "
            "another Keras model."
        )
    specs = [{"kind": each["class_name"].lower(), **each["config"]} for each in first["specs"]]
    heads = [each["config"] | {"kind": each["class_name"].lower()} for each in second["heads"]]
    classes = {head["name"]: list(head["classes"]) for head in heads if head.get("classes")}
    inputs = inputs_of_specs(specs, wanted=_raw(first) if kind == PREDICTOR else None)
    return Artefact(kind, path, inputs, outputs_of_heads(heads), classes)


def _raw(config):
    """Shape and dtype of each input of a preprocess."""
    inputs = [layer["config"] for layer in config["layers"] if layer["class_name"] == "InputLayer"]
    return {each["name"]: {"shape": each["batch_shape"], "dtype": each["dtype"]} for each in inputs}
