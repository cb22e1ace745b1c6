import keras


class RawLayer(keras.layers.Layer):
    """A layer from raw to ready, called `MODALITY_preprocess`: `MODALITY` itself is the name of its input.

    Layers that learn from the data set have `adapts`, `reset_state`, `update_state` and `finalize_state`, which
    `mmkeras.adapt` calls; those that take several raw values have `takes_columns` and are called with a dict.
    """

    adapts = False
    takes_columns = False

    @property
    def modality(self):
        return self.name.removesuffix("_preprocess")

    @property
    def raw_names(self):
        """Names of the raw values that this layer reads."""
        return [self.modality]
