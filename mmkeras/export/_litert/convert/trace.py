"""keras.Model -> SavedModel of one signature, with what the LiteRT converter needs to know fixed."""

import contextlib
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from mmkeras.export.graph import holder, portable

PCM = 2.0**15  # what 1.0 is in int16, as `preprocess` reads files of 16 bits


class Form(NamedTuple):
    """How the inputs of a file differ from those of its model.

    Args:
        batch_size: B. With a free batch no recurrent layer converts: the list of its states needs a known shape.
        lengths: dict, input name -> T of those inputs whose length is fixed too; the others stay free.
        pcm: names of the waveforms that are int16, as sound hardware gives them, in place of float32 in [-1, 1].
    """

    batch_size: int = 1
    lengths: dict = {}  # noqa: RUF012  nobody writes to it
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
        """Ready arrays -> what the file takes."""
        waves = {name: np.clip(np.round(ready[name] * PCM), -PCM, PCM - 1).astype("int16") for name in self.pcm}
        return {**ready, **waves}

    def ready(self, fed):
        """What the file takes -> ready tensors."""
        return {**fed, **{name: tf.cast(fed[name], tf.float32) / PCM for name in self.pcm}}


def write_traced(model, folder, form=None):
    """Saves a functional model in its form for LiteRT. Saved in this way, all tensors keep their names.

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
    """Makes a model that was trained in mixed precision compute in float32, as its weights are.

    LiteRT has no builtin op that computes in half precision; a smaller file is what quantize="float16" is for. Yields
    whether there was anything to change.
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
