"""Raw inputs and answers, as the files of an export describe them."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from mmkeras import edge
from mmkeras.specs import KINDS, Spec

FILES = ("image", "audio", "video")  # kinds whose raw value is the content of a file


class Input(NamedTuple):
    """One raw input.

    Attributes:
        name: raw name.
        modality, kind: name of its spec, and the kind of that.
        dtype, shape: of one example.
        optional: whether it may be absent; a column of a table may, as long as the row has another one.
        about: sizes, in words.
        spec: what the modality looks like raw; None of a kind that is not known here.
        known: what was learned of a column of a table: mean and deviation of numbers, a list of categories; else None.
    """

    name: str
    modality: str
    kind: str
    dtype: str
    shape: tuple[int, ...]
    optional: bool
    about: str
    spec: Spec | None
    known: Sequence[Any] | None = None


def inputs_of_specs(
    configs: Sequence[Mapping[str, Any]], absent: Sequence[str] = (), wanted: Mapping[str, Any] | None = None
) -> list[Input]:
    """Inputs of the configs of specs, each with its `kind`.

    Args:
        configs: list of dicts.
        absent: raw names that may be absent, of kinds that are not known here.
        wanted: dict, name -> "shape" and "dtype" of the inputs that there are; None for all that the configs have.
    """
    found = []
    for config in configs:
        spec = _spec(config)
        stored = {name: (each["shape"], each["dtype"]) for name, each in config.get("raw", {}).items()}
        raw = spec.raw if spec else stored
        for name, (shape, dtype) in raw.items():
            optional = name in absent or config.get("optional", False) or len(raw) > 1
            about = spec.about(name) if spec else ""
            known = _known(name, config.get("statistics", {}))
            found.append(Input(name, config["name"], config["kind"], dtype, tuple(shape), optional, about, spec, known))
    known = [each.name for each in found]
    found += [Input(name, name, "own layer", each["dtype"], tuple(each["shape"][1:]), name in absent, "", None)
              for name, each in (wanted or {}).items() if name not in known]  # fmt: skip
    return [each for each in found if wanted is None or each.name in wanted]


def _known(name, statistics):
    numbers = zip(statistics.get("numeric", ()), statistics.get("mean", ()), statistics.get("std", ()), strict=False)
    return {**statistics.get("categories", {}), **{column: (mean, std) for column, mean, std in numbers}}.get(name)


def tensors(wanted: Mapping[str, Any]) -> list[Input]:
    """Inputs of a signature that takes no raw values, such as `ready`; none of them may be absent."""
    return [Input(name, name, "tensor", each["dtype"], tuple(each["shape"][1:]), False, "", None)
            for name, each in wanted.items()]  # fmt: skip


def _spec(config):
    if config["kind"] not in KINDS:
        return None
    return KINDS[config["kind"]].from_config(
        {k: v for k, v in config.items() if k not in ("kind", "raw", "statistics")}
    )


def inputs_of_edge(entries: Sequence[Mapping[str, Any]]) -> list[Input]:
    """Inputs of the entries of a `preprocess.json`."""
    found = []
    for entry in entries:
        config = _config_of_edge(entry)
        if config["kind"] in KINDS:
            found += inputs_of_specs([config])
        else:  # a kind that was added to mmkeras.edge
            modality = edge.Preprocess([entry]).modalities[0]
            found += [Input(name, entry["name"], entry["kind"], "string", (), entry.get("optional", False), "", None)
                      for name in modality.raw_names]  # fmt: skip
    return found


def _config_of_edge(entry):
    """The config of the spec that an entry was made from, as far as raw values depend on it."""
    kind = "text" if entry["kind"] == "wordpiece" else entry["kind"]
    keys = {"text": ("max_tokens",), "image": ("size", "channels", "resize"), "vector": ("size",),
            "video": ("frames", "size", "channels", "resize"), "audio": ("sample_rate",),
            "table": ("numeric", "dates")}.get(kind, ())  # fmt: skip
    config = {"kind": kind, "name": entry["name"], "optional": entry.get("optional", False)}
    config |= {key: entry[key] for key in keys if key in entry}
    if "samples" in entry:
        config["seconds"] = entry["samples"] / entry["sample_rate"]
    if "categories" in entry:
        config |= {"categorical": list(entry["categories"]), "statistics": entry}
    return config


def outputs_of_heads(heads: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Name of an answer -> what it is, of dicts that describe heads."""
    return {head["name"]: _head(head) for head in heads}


def _head(head):
    if head.get("classes"):
        several = ", of which several may hold" if head.get("multi_label") else ""
        return f"{head['kind']}, {len(head['classes'])} classes{several}"
    size = head.get("size", 1)
    return head["kind"] if size == 1 else f"{head['kind']}, {size} values"
