import json
import re

import keras

# Layer names of transformer blocks in keras-hub's BERT family, keras.applications, and this package.
_BLOCK = re.compile(
    r"(transformer_layer_\d+|disentangled_attention_encoder_layer_\d+|group_\d+_inner_layer_\d+|conv\d_block\d+"
    r"|expanded_conv(?:_\d+)?|block_?\d+[a-z]?)(?:_|$)"
)


@keras.saving.register_keras_serializable("mmkeras")
class Backbone(keras.layers.Layer):
    """A model of which only the last blocks are trained; what is frozen computes as in inference (dropout, batch norm).

    Keras forgets which layers of a model were frozen when the model is loaded from a file; this layer does not. It
    also holds against `trainable = True` of the model it is in. To thaw it later, set `train` and compile again:

        model.get_layer("review_branch").get_layer("backbone").train = 2

    Args:
        model: model, tensors -> tensors.
        train: "all", "none", or how many of its last blocks (with what follows them) are trained. Where no layer is
            called like a block of the networks that we know, each layer with weights is one.

    Call arguments:
        inputs: as of `model`.

    Raises:
        ValueError: `train` is none of these, or the model has fewer blocks.
    """

    def __init__(self, model, train="all", **kwargs):
        # The inner layers cast their inputs themselves, each to its own dtype.
        super().__init__(autocast=False, **kwargs)
        self.model = model
        self._rates = {id(layer): layer.rate for layer in model._flatten_layers() if _drops(layer)}
        self.train = train
        self.built = True

    @property
    def train(self):
        """Which part is trained."""
        return self._train

    @train.setter
    def train(self, train):
        _check_train(self.name, train, len(_blocks(self.model)))
        self._train = train
        self._thaw(self.trainable)

    @property
    def trainable(self):
        """False keeps all of it from being trained; True leaves frozen what `train` says."""
        return self._trainable

    @trainable.setter
    def trainable(self, value):
        self._thaw(value)

    def _thaw(self, value):
        # A plain assignment has no effect if this layer's own flag does not change.
        set_trainable = keras.layers.Layer.trainable.fset
        set_trainable(self, value)
        frozen = {id(layer) for layer in self._frozen()}
        for layer in self.model.layers:
            for part in layer._flatten_layers():
                set_trainable(part, value and id(layer) not in frozen)
                if id(part) in self._rates:
                    part.rate = 0.0 if id(layer) in frozen else self._rates[id(part)]

    def _frozen(self):
        if self._train in ("all", "none"):
            return self.model.layers if self._train == "none" else []
        block_of, order = _block_of(self.model), list(_blocks(self.model))
        trained = order[len(order) - self._train :]
        frozen, thawed = [], not order
        for layer in self.model.layers:
            block = block_of[layer.name]
            thawed = thawed or block in trained
            if block not in trained if block else not thawed:
                frozen.append(layer)
        return frozen

    def build(self, inputs_shape=None):
        """Does nothing: the model is already built."""

    def call(self, inputs, training=None):
        return self.model(inputs, training=False if self._train == "none" else training)

    def compute_output_spec(self, inputs, training=None):
        return self.model.compute_output_spec(inputs)

    def get_config(self):
        train, self.train = self.train, "all"  # save the model as it was given, without freezing applied
        # Turn tuples into lists, as they are after loading from a file.
        model = json.loads(json.dumps(keras.saving.serialize_keras_object(self.model)))
        self.train = train
        return super().get_config() | {"model": model, "train": train}

    @classmethod
    def from_config(cls, config):
        return cls(**config | {"model": keras.saving.deserialize_keras_object(config["model"])})


def _drops(layer):
    return hasattr(layer, "rate") and hasattr(layer, "seed_generator")


def _block_of(model):
    """Name of each layer -> name of its block, or None."""
    found = {layer.name: _BLOCK.match(layer.name) for layer in model.layers}
    if any(found.values()):
        return {name: match and match[1] for name, match in found.items()}
    return {layer.name: layer.name if layer.weights else None for layer in model.layers}


def _blocks(model):
    """Names of the blocks, in order."""
    return dict.fromkeys(filter(None, _block_of(model).values()))


def _check_train(name, train, blocks):
    if train not in ("all", "none") and not (type(train) is int and 0 < train <= blocks):
        raise ValueError(
            f'train of {name} must be "all", "none", or how many of its {blocks} blocks, from the last one on. '
            f"Received: {train!r}."
        )
