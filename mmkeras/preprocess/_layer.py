import keras


class RawLayer(keras.layers.Layer):
    """A layer from raw to ready, called `MODALITY_preprocess`: `MODALITY` itself is the name of its input.

    Layers that learn from the data set have `adapts`, `reset_state`, `update_state` and `finalize_state`, which
    `mmkeras.adapt` calls; those that take several raw values have `takes_columns` and are called with a dict.

    It computes in float32 under every dtype policy: in bfloat16 the years 2001 to 2004 are one number, and float16 ends
    at 65,504. What half precision is good for is the model's work, not its inputs.
    """

    adapts = False
    takes_columns = False

    def __init__(self, **kwargs):
        super().__init__(**kwargs | {"dtype": "float32"})

    @property
    def modality(self):
        return self.name.removesuffix("_preprocess")

    @property
    def raw_names(self):
        """Names of the raw values that this layer reads."""
        return [self.modality]
