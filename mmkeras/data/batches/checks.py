"""Checks of the arguments of `train_batches` and `eval_batches`."""

import tensorflow as tf

from mmkeras.checks import did_you_mean
from mmkeras.data_checks import check_examples, check_preprocess, check_singles
from mmkeras.preprocess.model import check_adapted


def check_scope():
    if tf.distribute.has_strategy():
        raise ValueError(
            "train_batches counts its epochs in a variable, which must not be mirrored. Received: a call within "
            "strategy.scope(). Make the batches outside; only the model belongs inside."
        )


def check_types(function, raw, preprocess):
    check_preprocess(function, preprocess, raw)
    check_examples(function, raw)
    check_singles(function, raw, preprocess)
    check_adapted(preprocess)


def check_bucket(name, preprocess, raw):
    if name and preprocess is None:
        raise ValueError(f"bucket_by='{name}' needs mm.data.Examples or cache=. Received: {type(raw).__name__}.")
    texts = [layer.modality for layer in getattr(preprocess, "layers", ()) if getattr(layer, "gives", None) == "tokens"]
    if name and name not in texts:
        raise ValueError(f"bucket_by must name a text. Received: {name!r}. {did_you_mean(name, texts)}")


def check_rows(balance, raw):
    if balance:
        raise ValueError(
            f"balance={balance!r} needs all labels in advance, from mm.data.Examples or cache=. Received: "
            f"{type(raw).__name__}. Set cache='memory' or a folder, or class_weights of the heads."
        )
