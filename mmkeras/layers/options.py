"""Keyword arguments that every layer passes to Keras."""

from typing import Any, TypedDict


class LayerOptions(TypedDict, total=False):
    """Keyword arguments of `keras.layers.Layer`.

    Named here, and not only `Any`, so that a type checker finds a misspelt argument.
    """

    name: str | None
    dtype: Any
    trainable: bool
    activity_regularizer: Any
    autocast: bool
