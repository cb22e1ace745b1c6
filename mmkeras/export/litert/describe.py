"""What a device has to do before and after the file: the contents of `preprocess.json`, which `mmkeras.edge` reads."""

import keras

from mmkeras.preprocess import DecodeAudio, DecodeImage, DecodeVideo, PresetIds, TableRow, TokenIds, VectorRow


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
        "inputs": [_KINDS[type(layer)](layer) | {"name": layer.modality, "optional": layer.optional}
                   for layer in known],
        "unprepared": [name for name, layer in layers.items() if not layer],
        "outputs": [head.describe() for head in heads],
    }  # fmt: skip


def _maker(name, tensor):
    """The layer that makes a ready tensor from raw values alone, if `mmkeras.edge` can do the same; or None."""
    layer = tensor._keras_history.operation
    if not _is_known(layer) or name not in (layer.modality, f"{layer.modality}_mask"):
        return None
    raw = keras.tree.flatten(layer.input)
    return layer if all(isinstance(one._keras_history.operation, keras.layers.InputLayer) for one in raw) else None


def _text(layer):
    names = ("max_tokens", "tokenizer", "lowercase", "strip_markup")
    return {"kind": "text", "vocabulary": layer.vocabulary} | {name: getattr(layer, name) for name in names}


def _image(layer):
    names = ("channels", "resize", "max_pixels")
    return {"kind": "image", "size": list(layer.size)} | {name: getattr(layer, name) for name in names}


def _audio(layer):
    return {"kind": "audio", "samples": layer.samples, "sample_rate": layer.sample_rate}


def _video(layer):
    return _image(layer) | {"kind": "video", "frames": layer.frames}


def _table(layer):
    special = 2  # missing and unknown have ids of their own
    values = (lookup.get_vocabulary()[special:] for lookup in layer.lookups)
    categories = {
        column: [str(value) for value in known] for column, known in zip(layer.categorical, values, strict=True)
    }
    learned = {"mean": layer.mean.numpy().tolist(), "std": layer.std.numpy().tolist(), "categories": categories}
    return {"kind": "table", "numeric": list(layer.numeric), **learned}


def _vector(layer):
    return {"kind": "vector", "size": layer.size}


def _wordpiece(layer):
    own = layer.held.tokenizer
    names = ("lowercase", "strip_accents", "split_on_cjk")
    split = {"unknown": own.oov_token, "suffix": own.suffix_indicator} | {name: getattr(own, name) for name in names}
    length = {"max_tokens": layer.max_tokens, "strip_markup": layer.strip_markup}
    return {"kind": "wordpiece", "vocabulary": layer.vocabulary, "ends": layer.ends} | length | split


def _is_known(layer):
    """Of the tokenizers of presets, `mmkeras.edge` knows BERT's."""
    if type(layer) is not PresetIds:
        return type(layer) in _KINDS
    own = layer.held.tokenizer
    return getattr(own, "split", False) and not own.special_tokens_in_strings


_KINDS = {
    TokenIds: _text,
    PresetIds: _wordpiece,
    DecodeImage: _image,
    DecodeAudio: _audio,
    DecodeVideo: _video,
    TableRow: _table,
    VectorRow: _vector,
}
