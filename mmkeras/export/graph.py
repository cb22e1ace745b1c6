"""What all exports do to a graph while it is traced and saved."""

import contextlib

import keras
import tensorflow as tf

from mmkeras.edge.errors import LARGEST
from mmkeras.preprocess.faults import check_numbers


@contextlib.contextmanager
def portable(model):
    """Context without cuDNN's LSTM, which Keras would use on a GPU and which runs nowhere else."""
    layers = [layer for layer in model._flatten_layers() if hasattr(layer, "use_cudnn")]
    before = [layer.use_cudnn for layer in layers]
    try:
        for layer in layers:
            layer.use_cudnn = False
        yield
    finally:
        for layer, value in zip(layers, before, strict=True):
            layer.use_cudnn = value


def recurrent_layers(model):
    """All recurrent layers, including nested ones."""
    return [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.RNN)]


@contextlib.contextmanager
def loops(layers, make):
    """Context in which the inner loop of each layer is `make(layer)`."""
    try:
        for layer in layers:
            vars(layer)["inner_loop"] = make(layer)
        yield
    finally:
        for layer in layers:
            vars(layer).pop("inner_loop", None)


def holder(signatures, *models):
    """Holds the resources of the signatures but not the models, whose layers would be traced again."""
    holder = tf.Module()
    used = [variable for signature in signatures.values() for variable in signature.graph.variables]
    layers = [layer for model in models for layer in model._flatten_layers()]
    found = [child for layer in layers for child in tf.train.TrackableView(layer).descendants()]
    tables = [child for child in found if isinstance(child, tf.saved_model.experimental.TrackableResource)]
    holder.used_variables = list({id(variable): variable for variable in used}.values())
    holder.used_tables = list({id(table): table for table in tables}.values())
    return holder


def checked(ready):
    """Returns the ready tensors; the graph fails if unmasked numbers are NaN, infinite or beyond 1e12."""
    checks = []
    for name, values in ready.items():
        if values.dtype.is_floating:
            # Do not write ~(x <= LARGEST): Grappler rewrites it to x > LARGEST, which is False for NaN.
            wrong, mask = ~tf.math.is_finite(values) | (tf.abs(values) > LARGEST), ready.get(f"{name}_mask")
            fits = mask is not None and mask.shape.rank == values.shape.rank and mask.shape[1] in (1, values.shape[1])
            wrong = wrong & mask if fits else wrong
            rule = "ready numbers must be finite, within -1e12 and 1e12. Received:"
            checks += check_numbers(name, wrong, rule, values, lambda v=values, w=wrong: tf.boolean_mask(v, w))
    with tf.control_dependencies(checks):
        return {name: tf.identity(values) for name, values in ready.items()}
