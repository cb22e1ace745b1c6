"""Teacher forcing in plain `fit`: models that learn from the labels if they are given them."""

import keras


class Teaching:
    """Mixin of functional models with dict inputs, to stand before `keras.Model`.

    The outputs of a head that says `teacher_forcing` are its answers, made token by token. To learn, such a head has
    to see the true tokens: `fit` and `evaluate` hand it the labels that they have, as one more input, HEAD.label, and
    its outputs are logits then. Both share all layers; the model's own inputs and outputs stay what they are.
    """

    def train_step(self, *args):
        *state, data = args
        return super().train_step(*state, self._with_labels(data))

    def test_step(self, *args):
        *state, data = args
        return super().test_step(*state, self._with_labels(data))

    def _with_labels(self, data):
        x, y, weights = keras.utils.unpack_x_y_sample_weight(data)
        names = taught_heads(self)
        if not names or not isinstance(x, dict) or not isinstance(y, dict):
            return data
        return x | {label_name(name): y[name] for name in names if name in y}, y, weights

    def _symbolic_build(self, iterator=None, data_batch=None):
        # Under a strategy, Keras calls the model on one batch before it builds the metrics.
        return super()._symbolic_build(iterator, data_batch and self._with_labels(data_batch))

    def taught(self):
        """The functional model with the labels as inputs. Not a property, because Keras would save its value."""
        if "_taught" not in self.__dict__:
            # `setattr` would make Keras track the layers of this model a second time, and save them twice.
            self.__dict__["_taught"] = _Kept(_taught_model(self))
        return self.__dict__["_taught"].model


class _Kept:
    """Hides a model from the tracking of Keras and TensorFlow."""

    def __init__(self, model):
        self.model = model


def label_name(head):
    """Name of the input by which a head is given its labels; no modality can be called so.

    >>> label_name("caption")
    'caption.label'
    """
    return f"{head}.label"


def uniform_name(head):
    """Name of the input for the random numbers of a head whose answers are drawn, see `decoding.decode_with`."""
    return f"{head}_uniform"


def taught_heads(model):
    """Names of a model's heads that are trained with teacher forcing."""
    return [head.name for head in model.heads if head.teacher_forcing and head.name in model.output]


def _taught_model(model):
    inputs, outputs = dict(model.input), dict(model.output)
    for name in taught_heads(model):
        layer, node, _ = outputs[name]._keras_history
        read = layer._inbound_nodes[node].arguments.args[:2]
        labels = keras.Input((layer.decoder.max_tokens,), dtype="int32", name=label_name(name))
        inputs[labels.name] = labels
        outputs[name] = layer(*read, labels)
    return type(model)(inputs, outputs, name=f"{model.name}_taught")
