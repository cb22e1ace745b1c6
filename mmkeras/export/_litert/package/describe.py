"""The contents of `preprocess.json`, from which `mmkeras.edge` preprocesses inputs and decodes outputs."""

import keras

from mmkeras.preprocess import RawLayer


def describe(preprocess, heads):
    """The adapted preprocessing and the heads' answers, as plain lists, dicts, strings and numbers.

    Args:
        preprocess: model from raw to ready, adapted.
        heads: list of heads.

    Returns:
        dict: `inputs`, one dict per modality with its `kind` and the arguments of its class in `mmkeras.edge`;
        `unprepared`, names of the ready tensors that come from other layers, which have no counterpart there; and
        `outputs`, one dict per head.
    """
    layers = {name: _maker(name, tensor) for name, tensor in preprocess.output.items()}
    known = dict.fromkeys(layer for layer in layers.values() if layer)
    return {
        "format": 1,
        "inputs": [layer.describe() | {"name": layer.modality, "optional": layer.optional} for layer in known],
        "unprepared": [name for name, layer in layers.items() if not layer],
        "outputs": [head.describe() for head in heads],
    }  # fmt: skip


def _maker(name, tensor):
    """The layer that computes a ready tensor from raw values if `mmkeras.edge` supports it; otherwise None."""
    layer = tensor._keras_history.operation
    known = isinstance(layer, RawLayer) and layer.describe() is not None
    if not known or name not in (layer.modality, f"{layer.modality}_mask"):
        return None
    raw = keras.tree.flatten(layer.input)
    return layer if all(isinstance(one._keras_history.operation, keras.layers.InputLayer) for one in raw) else None
