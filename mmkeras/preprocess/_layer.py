from typing import Any, Unpack

import keras
import numpy as np

from mmkeras.layers.options import LayerOptions


class RawLayer(keras.layers.Layer):
    """A layer from raw to ready, called `MODALITY_preprocess`: `MODALITY` itself is the name of its input.

    The contract of a modality: no other room asks what kind of layer it has before it. To add a kind, write a spec, a
    layer like this one, and its line in `mmkeras.preprocess.KINDS`; for devices, a class in `mmkeras.edge.KINDS`.

    It computes in float32 under every dtype policy: in bfloat16 the years 2001 to 2004 are one number, and float16 ends
    at 65,504. What half precision is good for is the model's work, not its inputs.

    Attributes of the class:
        adapts: whether it learns from the data set; `mmkeras.adapt` then calls `reset_state`, `update_state` and
            `finalize_state`.
        takes_columns: whether it takes several raw values, and is called with a dict of them. Each may be missing.
        gives: "tokens", ids of any length at most its own; "waveform", samples that may be int16 on a device; None.
        pads_behind: whether its mask has no True after a False.
        optional: whether it may be absent.
    """

    adapts = False
    takes_columns = False
    gives = None
    pads_behind = False
    optional = False

    def __init__(self, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs | {"dtype": "float32"})

    @property
    def modality(self) -> str:
        return self.name.removesuffix("_preprocess")

    @property
    def raw_names(self) -> list[str]:
        """Names of the raw values that this layer reads."""
        return [self.modality]

    def example(self, rng: np.random.Generator) -> dict[str, list[Any]]:
        """Two raw values of each raw name, made up: dict, raw name -> list. `rng` is a `numpy.random.Generator`."""
        raise NotImplementedError

    def describe(self) -> dict[str, Any] | None:
        """Dict of plain values: `kind`, and the arguments of its class in `mmkeras.edge`; None where it has none."""
        return None
