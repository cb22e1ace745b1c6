"""Reads and checks the `preprocess.json` of a LiteRT file before anything is built from it."""

import inspect
import json
import math
import zipfile
import zlib
from os import PathLike
from pathlib import Path
from typing import Any

from mmkeras.edge import classification, generation, regression, transcription
from mmkeras.edge.audio import Audio
from mmkeras.edge.image import Image
from mmkeras.edge.table import Table
from mmkeras.edge.text import Text
from mmkeras.edge.vector import Vector
from mmkeras.edge.video import Video
from mmkeras.edge.wordpiece import WordPiece
from mmkeras.formats.dates import PARTS

# One module for each kind of head, which defines `is_described`, `width`, `answers`, and `MEANING`: a description of
# its output for model viewers, formatted with the head's entry in `preprocess.json`. Further kinds may be added.
ANSWERS = {"classification": classification, "regression": regression, "transcription": transcription,
           "generation": generation}  # fmt: skip
KINDS = {"text": Text, "image": Image, "audio": Audio, "video": Video, "wordpiece": WordPiece, "table": Table,
         "vector": Vector}  # fmt: skip
_LARGEST = 2**28  # bytes; for comparison, a vocabulary of 250,000 tokens takes about 4 MB
_LARGEST_INT = 2**31 - 1


def describe(path: str | PathLike[str]) -> dict[str, Any]:
    """What stands in the file about its preprocessing and answers: the `preprocess.json` in it, a dict.

    Raises:
        ValueError: it was not written by `mmkeras.export.litert`, or its `preprocess.json` has been changed since into
            one that cannot be used.
    """
    try:
        with zipfile.ZipFile(Path(path)) as file:
            size = file.getinfo("preprocess.json").file_size
            description = json.loads(file.read("preprocess.json")) if size <= _LARGEST else None
    except (zipfile.BadZipFile, KeyError, ValueError, RecursionError, EOFError, RuntimeError, zlib.error) as e:
        raise ValueError(
            f"A file of mmkeras.export.litert is needed; it holds a preprocess.json. Received: {path}, which is "
            "cut off or of another program. Copy or export it again."
        ) from e
    if description is None:
        raise _fault(f"must not be larger than {_LARGEST >> 20} MiB", f"{size} bytes")
    check_description(description)
    return description


def check_description(description):
    """Raises ValueError unless it is a dict as `mmkeras.export.litert` writes it."""
    whole = isinstance(description, dict) and {"inputs", "outputs", "unprepared"} <= set(description)
    if not whole or not _is_names(description["unprepared"]):
        raise _fault("must hold lists 'inputs', 'outputs' and 'unprepared'", _short(description))
    check_inputs(description["inputs"])
    if not isinstance(description["outputs"], list) or not all(map(_is_head, description["outputs"])):
        raise _fault("must give each of its outputs a name, a kind and its classes or size", description["outputs"])


def check_inputs(inputs):
    """Raises ValueError unless `inputs` is a list of dicts: a known `kind` and the arguments of its class."""
    if not isinstance(inputs, list) or not all(isinstance(entry, dict) for entry in inputs):
        raise _fault("must hold a list of dicts as its inputs", inputs)
    for entry in inputs:
        if not isinstance(entry.get("kind"), str) or entry["kind"] not in KINDS:
            raise _fault(f"must give each input a kind, one of {list(KINDS)}", entry.get("kind"))
        _check_arguments(entry)
    names = [entry["name"] for entry in inputs]
    if len(set(names)) < len(names):
        raise _fault("must name each input once", names)


def _check_arguments(entry):
    parameters = inspect.signature(KINDS[entry["kind"]]).parameters
    required = {name for name, parameter in parameters.items() if parameter.default is parameter.empty}
    for name in sorted(required | set(entry) - {"kind"}):
        if name not in parameters:
            raise _fault(f"must give an input of kind '{entry['kind']}' its own arguments, {list(parameters)}", name)
        own = _RULES.get(f"{entry['kind']}.{name}") or _RULES.get(name)
        # A kind that was added to KINDS has no rules here.
        rule, holds = own or ("its class takes it", lambda value: True)
        if name not in entry or not holds(entry[name]):
            where = f"{name} of '{_short(entry.get('name'))}'"
            raise _fault(f"must give {where} as {rule}", entry.get(name, "nothing"))
    _check_together(entry)


def _check_together(entry):
    """Checks arguments that depend on each other."""
    if entry["kind"] == "wordpiece":
        known, unknown = entry["vocabulary"], entry.get("unknown", "[UNK]")
        if max(entry["ends"]) >= len(known) or unknown not in known:
            raise _fault("must name ends and an unknown token of the vocabulary", f"{entry['ends']}, {unknown!r}")
    if entry["kind"] == "table":
        columns, dates = entry.get("numeric", []), entry.get("dates", [])
        count = len(columns) + len(PARTS) * len(dates)
        if not count == len(entry.get("mean", [])) == len(entry.get("std", [])):
            raise _fault(
                "must give each numeric column a mean and a deviation, and each part of a date", columns + dates
            )


def check_signature(description, modalities, inputs, outputs):
    """Raises ValueError where what is described is not what the file takes and gives.

    Args:
        description: dict of `describe`.
        modalities: those that prepare its inputs.
        inputs, outputs: details of the signature's tensors by name, as the interpreter gives them.
    """
    shapes = {name: shape for modality in modalities for name, shape in modality.shapes.items()}
    for name, details in inputs.items():
        if name in description["unprepared"]:
            continue
        wanted = [int(n) for n in details["shape_signature"][1:]]
        fits = len(wanted) == len(shapes.get(name, ())) and all(
            a in (-1, b) for a, b in zip(wanted, shapes[name], strict=True)
        )
        if not fits:
            raise _fault(f"must describe the input '{name}' of shape {wanted}", shapes.get(name, "nothing"))
    for head in description["outputs"]:
        size = ANSWERS[head["kind"]].width(head)
        shape = [int(n) for n in outputs[head["name"]]["shape"][1:]] if head["name"] in outputs else "none"
        if shape[-1:] != [size]:
            raise _fault(f"must describe an output of the file, '{head['name']}' of shape {shape}", f"{size} values")


def _fault(rule, received):
    return ValueError(
        f"The preprocess.json of a LiteRT file {rule}. Received: {_short(received)}. "
        "It was changed after the export, or written by another version: export the file again."
    )


def _short(value):
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 200 else f"{text[:200]}..."


def _is_count(value):
    return type(value) is int and 0 < value <= _LARGEST_INT


def _is_number(value):
    return type(value) in (int, float) and math.isfinite(value)


def _is_names(value):
    return isinstance(value, list) and all(isinstance(each, str) for each in value) and len(set(value)) == len(value)


def _is_categories(value):
    return isinstance(value, dict) and all(map(_is_names, value.values()))


def _is_head(head):
    known = isinstance(head, dict) and isinstance(head.get("name"), str) and isinstance(head.get("kind"), str)
    return known and head["kind"] in ANSWERS and ANSWERS[head["kind"]].is_described(head)


def _list_of(holds, count=None):
    return lambda value: isinstance(value, list) and all(map(holds, value)) and count in (None, len(value))


def _one_of(*values):
    return f"one of {list(values)}", lambda value: type(value) is type(values[0]) and value in values


_YES_OR_NO = "true or false", lambda value: type(value) is bool
_STRING = "a string", lambda value: isinstance(value, str)
_COUNT = "a whole number above 0", _is_count
_NAMES = "a list of different strings", _is_names
_NUMBERS = "a list of finite numbers", _list_of(_is_number)
# Argument of a class in `mmkeras.edge` -> the description of a valid value, and a function that checks one.
_RULES = {
    "name": ("a name", lambda value: isinstance(value, str) and value.isidentifier()),
    "optional": _YES_OR_NO,
    "vocabulary": ("a list of different strings", lambda value: _is_names(value) and len(value) > 0),
    "max_tokens": ("a whole number from 1 to 2^20", lambda value: _is_count(value) and value <= 2**20),
    "tokenizer": _one_of("words", "wordpiece", "characters"),
    "lowercase": _YES_OR_NO,
    "strip_markup": _YES_OR_NO,
    "ends": ("two ids", _list_of(lambda value: type(value) is int and value >= 0, 2)),
    "unknown": _STRING,
    "suffix": _STRING,
    "strip_accents": _YES_OR_NO,
    "split_on_cjk": _YES_OR_NO,
    "size": ("height and width", _list_of(_is_count, 2)),
    "vector.size": _COUNT,
    "channels": _one_of(1, 3),
    "resize": _one_of("stretch", "pad", "crop"),
    "max_pixels": _COUNT,
    "frames": _COUNT,
    "samples": _COUNT,
    "sample_rate": _COUNT,
    "numeric": _NAMES,
    "dates": _NAMES,
    "mean": _NUMBERS,
    "std": ("a list of numbers above 0", _list_of(lambda value: _is_number(value) and value > 0)),
    "categories": ("lists of different strings by column", _is_categories),
}
