"""keras.Model -> SavedModel with one signature, with the shapes that the LiteRT converter needs."""

import contextlib
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from mmkeras.export.graph import holder, portable

PCM = 2.0**15  # int16 value of 1.0, as in `preprocess` for 16-bit files


class Form(NamedTuple):
    """Shapes and dtypes of the file's inputs, where they differ from the model's.

    Args:
        batch_size: B, which must be fixed, since recurrent layers need a known shape of their states.
        lengths: dict, input name -> T of those inputs whose length is fixed too; the others stay free.
        pcm: names of the waveforms that are int16, as sound hardware gives them, in place of float32 in [-1, 1].
    """

    batch_size: int = 1
    lengths: dict = {}  # noqa: RUF012 - never modified
    pcm: tuple = ()

    @classmethod
    def of(cls, preprocess, model, batch_size, fixed_length, waveform):
        free = [name for name, tensor in model.input.items() if None in tensor.shape[1:]]
        lengths = {name: preprocess.output[name].shape[1] for name in free if fixed_length}
        sounds = [layer.modality for layer in preprocess.layers if getattr(layer, "gives", None) == "waveform"]
        return cls(batch_size, lengths, tuple(sounds) if waveform == "int16" else ())

    def specs(self, model):
        """Dict, input name -> tf.TensorSpec."""
        return {name: self._spec(name, tensor) for name, tensor in model.input.items()}

    def _spec(self, name, tensor):
        batch, *shape = tensor.shape
        if batch not in (None, self.batch_size):
            raise ValueError(
                f"batch_size must be that of the model. Input '{name}' has a fixed batch of {batch}. Received: "
                f"batch_size={self.batch_size}. Give batch_size={batch}, or build the model with a free batch."
            )
        shape = (self.batch_size, *(self.lengths.get(name) if n is None else n for n in shape))
        return tf.TensorSpec(shape, "int16" if name in self.pcm else tensor.dtype, name=name)

    def fed(self, ready):
        """Ready arrays -> inputs of the file."""
        waves = {name: np.clip(np.round(ready[name] * PCM), -PCM, PCM - 1).astype("int16") for name in self.pcm}
        return {**ready, **waves}

    def ready(self, fed):
        """Inputs of the file -> ready tensors."""
        return {**fed, **{name: tf.cast(fed[name], tf.float32) / PCM for name in self.pcm}}


def write_traced(model, folder, form=None):
    """Saves a functional model with the shapes for LiteRT, keeping the names of all tensors.

    Args:
        model: functional, dict in; dict out, or a list, whose names become output_0, output_1, ...
        folder: to write the SavedModel into.
        form: None for one example with texts of any length.

    Returns:
        Dict, input name -> tf.TensorSpec.

    Raises:
        ValueError: the model has another fixed batch, or cannot be traced with these shapes.
    """
    form = form or Form()
    specs = form.specs(model)

    @tf.function(input_signature=[specs], autograph=False)
    def serving_default(fed):
        return named(model(form.ready(fed), training=False))

    with portable(model):
        signatures = {"serving_default": _traced(serving_default, specs)}
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    tf.saved_model.save(holder(signatures, model), str(folder), signatures, options)
    return specs


def _traced(function, specs):
    try:
        return function.get_concrete_function()
    except (ValueError, TypeError, NotImplementedError, tf.errors.OpError) as fault:
        shapes = {name: spec.shape.as_list() for name, spec in specs.items()}
        free = [name for name, shape in shapes.items() if None in shape]
        remedy = f" A layer may need to know the length of {free}: give fixed_length=True." if free else ""
        rule = f"The model must run on inputs of these shapes: {shapes}."
        raise ValueError(f"{rule} Received: {fault}{remedy}") from fault


def named(outputs):
    """Outputs of a model by name; those of a list are called output_0, output_1, ..."""
    if isinstance(outputs, dict):
        return outputs
    return {f"output_{i}": output for i, output in enumerate(tf.nest.flatten(outputs))}


@contextlib.contextmanager
def in_float32(model):
    """Context in which a model trained in mixed precision computes in float32, the dtype of its weights.

    LiteRT has no builtin ops for half precision; quantize="float16" makes a smaller file. Yields whether anything was
    changed.
    """
    layers = [layer for layer in model._flatten_layers() if layer.compute_dtype in ("float16", "bfloat16")]
    before = [layer.dtype_policy for layer in layers]
    try:
        for layer in layers:
            layer.dtype_policy = keras.DTypePolicy("float32")
        yield bool(layers)
    finally:
        for layer, policy in zip(layers, before, strict=True):
            layer.dtype_policy = policy
