"""Multi-input Keras models: text, image, audio, video and table branches, fused, trained with `model.fit`, shipped.

    specs       what a modality looks like raw (as it arrives) and ready (what the model eats)
    data        files and tables -> a tf.data.Dataset of raw examples; raw examples -> batches
    preprocess  raw -> ready, one keras.Model; the same object runs in tf.data and in the SavedModel
    augment     ready -> ready while training: pictures, sounds, texts, and mixing them with their labels
    contract    the check of names, shapes and dtypes that every model makes
    layers      blocks that branches and fusions share
    losses      what compares the embeddings of a batch with each other
    branches    ready -> tokens (B, T, D) and mask (B, T)
    fusion      tokens and masks of every modality -> one vector (B, D)
    decoding    what a model gives at each step -> a sequence of ids
    heads       the vector -> answers; loss, metrics and label coding under one name
    models      `fusion_model`, late and hybrid ones: all of it as one functional keras.Model
    distribute  strategies and mixed precision
    train       callbacks: checkpoints, resuming, logs, curves; the loop is model.fit
    evaluate    reports, curves, baselines
    export      SavedModel for TF Serving, LiteRT for devices, `Predictor` for tables of rows
    retrieval   an index of embeddings, in which any modality finds any other
    edge        runs the LiteRT file on a device, from raw values to answers, without TensorFlow
    client      asks a served model over HTTP, without TensorFlow
    serve       a local server of SavedModels, by TF Serving's REST protocol

Shape letters: B batch, T tokens, D width, H W C pixels, S samples, F frames, N classes or columns, K values.

Importing `mmkeras` loads none of the heavy packages: each of these rooms opens on first use.
"""

import importlib
import os
from typing import TYPE_CHECKING

from mmkeras.checks import did_you_mean
from mmkeras.specs import Audio, Image, Table, Text, Vector, Video

if TYPE_CHECKING:  # type checkers see what `__getattr__` loads
    from mmkeras import (
        augment,
        branches,
        client,
        contract,
        data,
        decoding,
        distribute,
        edge,
        evaluate,
        export,
        fusion,
        heads,
        layers,
        losses,
        models,
        preprocess,
        retrieval,
        serve,
        specs,
        train,
    )
    from mmkeras.export import Predictor
    from mmkeras.loading import load_model
    from mmkeras.models import (
        dual_encoder,
        encoder_decoder,
        fusion_model,
        hybrid_fusion_model,
        late_fusion_model,
        masked_model,
        transcriber,
    )
    from mmkeras.preprocess import adapt, preprocessor

__version__ = "0.1.0"

_NAMES = {"adapt": "preprocess", "preprocessor": "preprocess", "fusion_model": "models", "load_model": "loading",
          "late_fusion_model": "models", "hybrid_fusion_model": "models", "Predictor": "export",
          "dual_encoder": "models", "encoder_decoder": "models", "masked_model": "models",
          "transcriber": "models"}  # fmt: skip

__all__ = [
    "Audio",
    "Image",
    "Predictor",
    "Table",
    "Text",
    "Vector",
    "Video",
    "adapt",
    "augment",
    "branches",
    "client",
    "contract",
    "data",
    "decoding",
    "distribute",
    "dual_encoder",
    "edge",
    "encoder_decoder",
    "evaluate",
    "export",
    "fusion",
    "fusion_model",
    "heads",
    "hybrid_fusion_model",
    "late_fusion_model",
    "layers",
    "load_model",
    "losses",
    "masked_model",
    "models",
    "preprocess",
    "preprocessor",
    "retrieval",
    "serve",
    "specs",
    "train",
    "transcriber",
]  # fmt: skip

if not TYPE_CHECKING:  # a type checker would take any name for one of these

    def __getattr__(name):
        if name in __all__:
            _join_cluster(name)
        if name in _NAMES:
            return getattr(importlib.import_module(f"mmkeras.{_NAMES[name]}"), name)
        if name in __all__:
            return importlib.import_module(f"mmkeras.{name}")
        raise AttributeError(f"module 'mmkeras' has no attribute {name!r}. {did_you_mean(name, __all__)}".strip())


def _join_cluster(name):
    """Under TF_CONFIG with several workers, TensorFlow has to join the others before it makes its first tensor."""
    if os.environ.get("TF_CONFIG") and name not in ("edge", "client", "specs", "distribute"):
        distribute = importlib.import_module("mmkeras.distribute")
        if distribute.cluster().workers > 1:
            distribute.strategy("multi_worker")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
