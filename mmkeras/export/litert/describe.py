"""What a device has to do before and after the file: the contents of `preprocess.json`, which `mmkeras.edge` reads."""

from mmkeras.preprocess import DecodeAudio, DecodeImage, TableRow, TokenIds


def describe(preprocess, heads):
    """The adapted preprocessing and the heads' answers, as plain lists, dicts, strings and numbers.

    Args:
        preprocess: model from raw to ready, adapted.
        heads: list of heads.

    Returns:
        dict: `inputs`, one dict per modality with its `kind` and the arguments of its class in `mmkeras.edge`; and
        `outputs`, one per head.

    Raises:
        ValueError: a layer from raw to ready has no counterpart in `mmkeras.edge`.
    """
    layers = [layer for layer in preprocess.layers if hasattr(layer, "modality")]
    unknown = [layer.name for layer in layers if type(layer) not in _KINDS]
    if unknown:
        raise ValueError(
            f"mmkeras.edge can prepare {[kind.__name__ for kind in _KINDS]}. Received also: {unknown}. "
            "Give the file ready tensors, or leave that modality out."
        )
    return {
        "format": 1,
        "inputs": [_KINDS[type(layer)](layer) | {"name": layer.modality, "optional": layer.optional}
                   for layer in layers],
        "outputs": [_head(head) for head in heads],
    }  # fmt: skip


def _text(layer):
    names = ("max_tokens", "tokenizer", "lowercase", "strip_markup")
    return {"kind": "text", "vocabulary": layer.vocabulary} | {name: getattr(layer, name) for name in names}


def _image(layer):
    return {"kind": "image", "size": list(layer.size), "channels": layer.channels, "resize": layer.resize}


def _audio(layer):
    return {"kind": "audio", "samples": layer.samples, "sample_rate": layer.sample_rate}


def _table(layer):
    special = 2  # missing and unknown have ids of their own
    values = (lookup.get_vocabulary()[special:] for lookup in layer.lookups)
    categories = {
        column: [str(value) for value in known] for column, known in zip(layer.categorical, values, strict=True)
    }
    learned = {"mean": layer.mean.numpy().tolist(), "std": layer.std.numpy().tolist(), "categories": categories}
    return {"kind": "table", "numeric": list(layer.numeric), **learned}


_KINDS = {TokenIds: _text, DecodeImage: _image, DecodeAudio: _audio, TableRow: _table}


def _head(head):
    if hasattr(head, "classes"):
        kind = {"kind": "classification", "classes": list(head.classes), "multi_label": head.multi_label}
    else:
        kind = {"kind": "regression", "size": head.size}
    return {"name": head.name, **kind}
