"""What was found -> specs, branches and settings: all that the script says."""

import collections
import keyword
import re
from typing import NamedTuple

import numpy as np

from mmkeras.cli.new.code import Call
from mmkeras.cli.new.looks import Found
from mmkeras.cli.new.tables import Tables

_SIDES = (24, 28, 32, 48, 64, 96)
_MOST_BYTES = 3 << 30  # of ready tensors that are kept in memory
_AUGMENTED = 20_000  # of more rows, each is new enough
_FEW_PICTURES = 500  # are learned by heart


class Input(NamedTuple):
    """One spec: `arguments` of it, its branch, and how it is augmented, as code; bytes of a ready example."""

    kind: str
    name: str
    arguments: list
    branch: tuple[str, list[str]]
    augment: list[str]
    bytes: int = 0


class Plan(NamedTuple):
    tables: Tables
    found: Found
    inputs: list[Input]
    names: dict  # column -> name of the input or the label
    name: str  # of the run and the export
    epochs: int
    batch_size: int
    in_memory: bool
    attention: bool
    sparse: bool


def plan(tables: Tables, found: Found, script: str) -> Plan:
    """Decides on sizes by the files and by how many rows there are."""
    names = _names(found)
    rows = _rows(tables, found)
    inputs = [_MAKERS[column.kind](names[column.name], column, rows)
              for column in found.columns if column.kind in _MAKERS]  # fmt: skip
    inputs += _facts(found, names, tables, rows)
    size = sum(each.bytes for each in inputs) * rows
    return Plan(
        tables,
        found,
        inputs,
        names,
        name=_name(tables, found, script),
        epochs=_epochs(rows, inputs),
        batch_size=_batch_size(rows),
        in_memory=size < _MOST_BYTES,
        attention=any(each.kind == "audio" for each in inputs),
        sparse=_is_sparse(found.labels, len(tables.frame)),
    )


def _is_sparse(labels, rows):
    """Whether classes have so few rows that those to validate do not tell which epoch is the best.

    Of vqa-rad's 453 answers, 139 rows chose epochs 3 to 6 of 30, with a test accuracy of 0.33 to 0.34, by their loss
    (0.29 to 0.32) or their accuracy; that of the last epoch was 0.36 to 0.39.
    """
    return len(labels) == 1 and labels[0].task == "classification" and rows < 20 * len(labels[0].classes)


def _name(tables, found, script):
    """That of the script, unless this is train.py: two scripts must not share a run."""
    stem = tables.names["train"].partition(".")[0]
    stem = tables.folder.resolve().name if "train" in stem else stem
    labels = [label.column for label in found.labels]
    return _identifier("_".join([stem, *labels]) if script == "train" else script)


def _rows(tables, found):
    frame = tables.frames["train"]
    split = next((each for each in found.columns if each.kind in ("split", "fold")), None)
    if split is None:
        return round(len(frame) * (0.9 if len(tables.frames) > 1 else 0.8))
    if split.kind == "fold":
        return round(len(frame) * 0.9 * (1 - 1 / frame[split.name].nunique()))
    return int(frame[split.name].map(split.facts["parts"]).eq("train").sum())


def _names(found):
    taken, names = {"facts"}, {}
    for column in [*(each.name for each in found.columns if each.is_input), *(each.column for each in found.labels)]:
        name = base = _identifier(column)
        number = 2
        while name in taken:
            name, number = f"{base}_{number}", number + 1
        taken.add(name)
        names[column] = name
    return names


def _identifier(text):
    """A name that Python and every file system takes; one that is such a name stays as it is."""
    if text.isidentifier() and not text.endswith("_mask") and not keyword.iskeyword(text):
        return text
    name = re.sub(r"\W+", "_", text.lower()).strip("_") or "column"
    name = name.removesuffix("_mask") if name.endswith("_mask") else name
    name = f"column_{name}" if not name.isidentifier() else name
    return f"{name}_" if keyword.iskeyword(name) else name


def _epochs(rows, inputs):
    kinds = {each.kind for each in inputs}
    most = 60 if rows < 500 and kinds & {"audio", "video"} else 30
    # Texts and tables are learned by heart after a few; pictures and sounds take longer.
    least = (10 if kinds & {"image", "audio", "video"} else 6) if rows < 50_000 else 4 if rows < 200_000 else 2
    return int(min(max(60_000 // rows, least), most))


def _batch_size(rows):
    return next((size for most, size in ((600, 16), (6000, 32), (60_000, 64)) if rows < most), 128)


def _optional(column):
    return ["optional=True"] if column.missing else []


def _text(name, column, rows):
    tokens, letters = column.facts["tokens"], column.facts.get("characters")
    arguments = [f"max_tokens={tokens}", *(['tokenizer="characters"'] if letters else [])]
    layers = 2 if letters else int(rows >= 5000 and tokens <= 32)
    branch = ["dim=64", f"num_layers={layers}", f"dropout={0.1 if layers else 0.3}", 'pool="mean"']
    augment = ["drop=0.1"] if rows < _AUGMENTED and not letters else []
    return Input("text", name, arguments + _optional(column), ("text.transformer", branch), augment)


def _image(name, column, rows):
    measured = column.facts["measured"]
    size, blocks = _side(measured, 96 if rows < 3000 else 64 if rows < 20_000 else 48)
    grey = all(measured.get("grey", [False]))
    arguments = [f"size=({size}, {size})", *(["channels=1"] if grey else [])]
    # Of icons and digits each place counts; of larger pictures, what is anywhere.
    pool = "flatten" if size < 32 else "max"
    # Of vqa-rad, 266 pictures: test accuracy 0.382 with 0.5, 0.359 with 0.1, 0.390 without pictures; a seed of each.
    dropout = 0.5 if column.facts["different"] < _FEW_PICTURES else 0.1
    branch = [f"filters={_filters(blocks)}", f"dropout={dropout}", f'pool="{pool}"']
    augment = ["zoom=0.1", "shift=0.1"] if rows < _AUGMENTED else []
    return Input("image", name, arguments + _optional(column), ("image.conv2d", branch), augment,
                 size * size * (1 if grey else 3))  # fmt: skip


def _side(measured, most):
    """(pixels of a side, how many blocks halve it)."""
    side = float(np.median(np.minimum(measured["width"], measured["height"])))
    size = max([each for each in _SIDES if each <= min(side, most)], default=16)
    return size, 2 if size < 32 else 3 if size < 48 else 4


def _filters(blocks):
    return f"({', '.join(map(str, (16, 32, 64, 128)[:blocks]))})"


def _audio(name, column, rows):
    measured = column.facts["measured"]
    seconds = float(min(max(np.ceil(np.quantile(measured["seconds"], 0.95) * 10) / 10, 0.25), 10))
    rate = int(min(collections.Counter(measured["rate"]).most_common(1)[0][0], 16_000))
    short = seconds < 2
    frames = ["frame_seconds=0.032", "hop_seconds=0.016"] if short else ["frame_seconds=0.064", "hop_seconds=0.04"]
    branch = [f"filters={_filters(3 if short else 4)}", "mel_bands=40", *frames, "dropout=0.1"]
    shift = min(0.05 if short else 1.0, seconds / 4)
    augment = ["gain_db=6.0", f"shift_seconds={shift:g}", "noise=(10, 40)"] if rows < _AUGMENTED else []
    arguments = [f"seconds={seconds:g}", f"sample_rate={rate}", *_optional(column)]
    return Input("audio", name, arguments, ("audio.conv2d", branch), augment, int(5 * seconds * rate))


def _video(name, column, rows):
    measured = column.facts["measured"]
    size, blocks = _side(measured, 64 if rows < 2000 else 48)
    frames = int(min(max(np.median(measured["frames"]), 2), 16))
    branch = [f"filters={_filters(blocks)}", "units=64", "dropout=0.1", 'pool="mean"']
    arguments = [f"frames={frames}", f"size=({size}, {size})", *_optional(column)]
    return Input("video", name, arguments, ("video.frames", branch), [], frames * size * size * 3)


def _vector(name, column, rows):
    size = column.facts["size"] if "size" in column.facts else column.facts["measured"]["size"][0]
    branch = "vector.linear", ["dim=64", "dropout=0.1"]
    return Input("vector", name, [f"size={size}", *_optional(column)], branch, [], 4 * size)


_MAKERS = {"text": _text, "image": _image, "audio": _audio, "video": _video, "vector": _vector}


def _facts(found, names, tables, rows):
    """The one table of numbers, dates and categories; [] where there are none."""
    of = {kind: [each for each in found.columns if each.kind == kind] for kind in ("number", "date", "category")}
    columns = [column for some in of.values() for column in some]
    if not columns:
        return []
    arguments = []
    for argument, some in zip(("numeric", "dates", "categorical"), of.values(), strict=True):
        if some:
            arguments.append(Call(f"{argument}=[", *(f'"{names[each.name]}"' for each in some)))
    most = max((each.facts["categories"] for each in of["category"]), default=0)
    arguments += [f"max_categories={min(most + 2, 1000)}"] if most > 98 else []
    empty = tables.frame[[each.name for each in columns]].isna().all(axis=1).any()
    arguments += ["optional=True"] if empty else []
    return [Input("table", "facts", arguments, ("table.mlp", ["units=(64,)", "dropout=0.1"]), [], 4 * len(columns))]
