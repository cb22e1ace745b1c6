"""Loads pretrained weights; errors say how to get them."""

import json
from pathlib import Path


def load_preset(kind, preset, **options):
    """`kind.from_preset(preset)` of keras-hub.

    Raises:
        ValueError: the preset is neither a name that can be downloaded nor a folder of keras-hub.
    """
    try:
        return kind.from_preset(str(preset), **options)
    except Exception as fault:  # the network, Kaggle, Hugging Face and files each raise their own
        remedy = (
            "Without a network, call "
            "keras_hub.models.TextClassifier.from_preset(NAME, num_classes=2).save_to_preset(FOLDER) where there is "
            "one, copy the folder, and give its path."
        )
        if isinstance(fault, ImportError) and "safetensors" in str(fault):
            remedy = "Weights of Hugging Face are read by safetensors: pip install 'mmkeras[weights]'."
        raise ValueError(
            "A preset must be a name of keras-hub that can be downloaded, or a folder with all its files. Received: "
            f"'{preset}', {_cause(fault)}. {remedy}"
        ) from fault


def wants_exact_gelu(preset):
    """Whether the `config.json` of a folder of Hugging Face names the exact GELU, which keras-hub approximates."""
    try:
        config = json.loads(Path(preset, "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(config, dict) and config.get("hidden_act", config.get("activation")) == "gelu"


def check_weights(where, weights, published):
    """Refuses what are no weights before anything is built.

    Args:
        where: what they are for, as the message says it.
        weights: None, "imagenet" or a path.
        published: whether there are any of ImageNet for it.

    Raises:
        FileNotFoundError: the file is not there.
        ValueError: there are none of ImageNet.
    """
    if weights == "imagenet" and not published:
        raise ValueError(
            f"No ImageNet weights are published for {where}. Received: weights='imagenet'. Give a file of "
            "your own, or None."
        )
    if weights not in (None, "imagenet") and not Path(weights).is_file():
        raise FileNotFoundError(f"weights of {where} must be a file. Received: '{weights}', which does not exist.")


def load_weights(where, build, weights):
    """`build(weights)`, a model of keras.applications or one of ours.

    Raises:
        ValueError: they cannot be downloaded, or the file is of another model.
    """
    try:
        return build(None if weights is None else str(weights))
    except Exception as fault:
        if weights is None:
            raise
        remedy = (
            "Without a network, take the file whose address is in the message above (of its kind 'notop') from where "
            "there is one, and give its path."
            if weights == "imagenet"
            else "Give the file of this very architecture, without its classification layer."
        )
        raise ValueError(f"weights of {where} must load. Received: '{weights}', {_cause(fault)}. {remedy}") from fault


def _cause(fault):
    return f"{type(fault).__name__}: {str(fault)[:300].strip()}"
