"""Replaces batch norms of backbones by `layers.BatchNorm`, which ignores absent images and suits short trainings."""

import keras

from mmkeras.branches._backbone import Backbone
from mmkeras.layers import BatchNorm


def through_backbone(model, train, x, present):
    """The feature map (B, H', W', D) of a `Backbone` of `model`, a functional one, pixels -> feature map.

    Args:
        model: with `with_batch_norm`.
        train: of `Backbone`.
        x: pixels (B, H, W, C).
        present: (B, 1) bool, or None where every image is there.
    """
    given = [x] if present is None else [x, present]
    return Backbone(model, train, name="backbone")(given[: len(model.inputs)])


def with_batch_norm(model, masked):
    """The same layers and weights, but `BatchNorm` for `keras.layers.BatchNormalization`.

    Args:
        model: functional model of one input.
        masked: whether it gets a second input, the presence of each example (B, 1) bool, for the `BatchNorm`s.
    """
    old = {layer.name: layer for layer in model.layers if type(layer) is keras.layers.BatchNormalization}
    if not old:
        return model
    present = keras.Input((1,), dtype="bool", name="present") if masked else None
    pixels = keras.Input(model.input.shape[1:], name=model.inputs[0].name)

    def call(layer, *args, **kwargs):
        return layer(*args, **kwargs | ({"mask": present} if layer.name in old else {}))

    # `clone_model` keeps the number of inputs, so `present` is passed through the model as an extra input and output.
    through = keras.Model([model.input, present], [model.output, present]) if masked else model
    given = [pixels, present] if masked else pixels
    new = keras.models.clone_model(through, given, _ours, call)
    for name, layer in old.items():
        new.get_layer(name).set_weights(layer.get_weights())
    return keras.Model(new.inputs, new.outputs[0], name=model.name)


def _ours(layer):
    if type(layer) is not keras.layers.BatchNormalization:
        return layer
    config = layer.get_config()
    del config["momentum"]  # 0.99, or 0.999 in MobileNet; `BatchNorm` has a default suited to short trainings
    return BatchNorm.from_config(config)
