"""Helpers shared by the fusions of one vector per modality."""

import keras
from keras import ops


def vectors(mean, tokens, masks):
    """Mean (B, D_i) of the real tokens of each modality; `mean` is a `layers.MaskedMean`."""
    return [mean(*pair) for pair in zip(tokens, masks, strict=True)]


def present(masks):
    """Which modalities are present, (B, n) bool."""
    return ops.stack([ops.any(mask, axis=1) for mask in masks], axis=-1)


def project(tokens_shape, units, name="project", **arguments):
    """One built dense layer per modality, from its width to `units`."""
    layers = [keras.layers.Dense(units, name=f"{name}_{i}", **arguments) for i in range(len(tokens_shape))]
    for layer, shape in zip(layers, tokens_shape, strict=True):
        layer.build((None, None, shape[-1]))
    return layers


def check_positive(layer, **sizes):
    """Raises ValueError if a size is not a whole number above 0."""
    for name, size in sizes.items():
        if not isinstance(size, int) or size < 1:
            raise ValueError(
                f"{name} must be a whole number above 0 in fusion.{type(layer).__name__}. Received: {name}={size!r}."
            )
