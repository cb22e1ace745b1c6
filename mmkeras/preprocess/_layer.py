from typing import Any, Unpack

import keras
import numpy as np
import tensorflow as tf

from mmkeras.layers.options import LayerOptions
from mmkeras.preprocess import faults


class RawLayer(keras.layers.Layer):
    """A layer from raw to ready, called `MODALITY_preprocess`: `MODALITY` itself is the name of its input.

    The base class of the layers of all modalities. To add a modality, write a spec and a layer that derives from this
    one, and add it to `mmkeras.preprocess.KINDS`; for devices, also a class in `mmkeras.edge.KINDS`.

    It computes in float32 under every dtype policy: in bfloat16 the years 2001 to 2004 are one number, and the largest
    float16 is 65,504. Half precision is for the model's computations, not for its inputs.

    Attributes of the class:
        adapts: whether it learns from a data set; `mmkeras.adapt` then calls `reset_state`, `update_state` and
            `finalize_state`.
        takes_columns: whether it is called with a dict of several raw values, each of which may be missing.
        gives: "tokens", ids of variable length; "waveform", samples that may be int16 on a device; or None.
        optional: whether it may be absent.
        tells: whether its checks are those of `mmkeras.preprocess.faults` and `headers.refuse`, which tell what is
            wrong with an example where an export is made with `on_error="skip"` or "absent". Another layer is then
            called with one example at a time, and an op or assertion that fails concerns this example alone.
    """

    adapts = False
    takes_columns = False
    gives = None
    optional = False
    tells = False
    # With this attribute, AutoGraph calls the object unconverted: there is nothing to convert, and reading all of its
    # source takes a second or more.
    autograph_info__ = None

    def __init__(self, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs | {"dtype": "float32"})

    def __call__(self, x, *args, **kwargs):
        call = super().__call__
        if self.tells or not faults.telling():
            return call(x, *args, **kwargs)
        shapes = [tf.TensorSpec(tensor.shape[1:], tensor.dtype) for tensor in keras.tree.flatten(self.output)]

        def alone(example):
            made = keras.tree.flatten(call(keras.tree.map_structure(lambda value: value[None], example)))
            return tuple(tf.ensure_shape(each[0], spec.shape) for each, spec in zip(made, shapes, strict=True))

        results, failed = faults.each(alone, x, tuple(shapes))
        faults.telling().add(self.modality, tf.where(failed, f"{self.modality}: the value cannot be used.", ""))
        return keras.tree.pack_sequence_as(self.output, results)

    @property
    def modality(self) -> str:
        return self.name.removesuffix("_preprocess")

    @property
    def raw_names(self) -> list[str]:
        """Names of the raw values that this layer reads."""
        return [self.modality]

    def check_adapted(self) -> None:
        """Raises ValueError where `adapts`, and `mmkeras.adapt` has not been called."""

    def example(self, rng: np.random.Generator) -> dict[str, list[Any]]:
        """Two random raw values for each raw name: dict, raw name -> list.

        `rng` is a `numpy.random.Generator`.
        """
        raise NotImplementedError

    def describe(self) -> dict[str, Any] | None:
        """Dict of plain values: `kind` and the arguments of its class in `mmkeras.edge`; None if it has none."""
        return None
