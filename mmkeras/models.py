"""Functional-API builders: branches, fusion and heads as one `keras.Model`."""

import importlib
import zipfile

import keras

from mmkeras.contract import NamedModel
from mmkeras.heads import check_heads
from mmkeras.specs import check_specs, did_you_mean


def load_model(path):
    """Loads a `.keras` file of this package: a model, or a preprocess, with all that it learned.

    Prefer it to `keras.saving.load_model`, which knows the classes of those packages only that are imported already.

    Args:
        path: of the file, or `best.keras` of a run folder.

    Returns:
        keras.Model.
    """
    config = zipfile.ZipFile(path).read("config.json") if zipfile.is_zipfile(path) else b""
    rooms = [f"mmkeras.{room}" for room in ("branches", "fusion", "heads", "preprocess")]
    for room in [*rooms, "keras_nlp"] if b"keras_hub" in config else rooms:
        importlib.import_module(room)
    return keras.saving.load_model(path)


def fusion_model(specs, branches, fusion, heads, name="fusion_model"):
    """Ready tensors by name -> each branch -> fusion -> each head: answers by name.

    Args:
        specs: list of specs; its order is that of the lists the fusion gets.
        branches: dict, spec name -> branch, a `keras.Model` from ready tensors to tokens (B, T, D) and mask (B, T).
        fusion: layer called as `fusion(tokens, masks)`, lists in the order of the specs, -> (B, D).
        heads: list of heads.
        name: of the model.

    Returns:
        A functional `keras.Model`, dict of ready tensors -> dict of outputs by head name. Feed it exactly its inputs:
        a missing, extra, unknown or swapped key is an error that names it.

    Raises:
        ValueError: a spec has no branch, a branch no spec, or two names meet.

    >>> import mmkeras as mm
    >>> spec = mm.Image("photo", size=(8, 8))
    >>> branch = mm.branches.image.conv2d(spec, filters=(4,))
    >>> head = mm.heads.classification("kind", classes=["cat", "dog"])
    >>> model = mm.fusion_model([spec], {"photo": branch}, mm.fusion.Concatenate(16), [head])
    >>> list(model.input), list(model.output)
    (['photo'], ['kind'])
    """
    check_specs(specs)
    check_heads(heads)
    _check_branches(specs, branches)
    inputs = {
        key: keras.Input(shape, dtype=dtype, name=key) for spec in specs for key, (shape, dtype) in spec.ready.items()
    }
    pairs = [branches[spec.name]({key: inputs[key] for key in spec.ready}) for spec in specs]
    tokens, masks = map(list, zip(*pairs, strict=True))
    fused = fusion(tokens, masks)
    return NamedModel(inputs, {head.name: head.output(fused) for head in heads}, name=name)


def _check_branches(specs, branches):
    names = [spec.name for spec in specs]
    missing = [name for name in names if name not in branches]
    extra = [f"{name!r} {did_you_mean(name, names)}".strip() for name in branches if name not in names]
    if missing or extra:
        raise ValueError(
            f"Each spec needs a branch under its own name. Expected: {names}. Received: {list(branches)}. "
            f"Missing: {missing}. Unknown: {extra}."
        )
