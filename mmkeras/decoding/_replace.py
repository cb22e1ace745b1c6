from typing import Any

import keras

from mmkeras.checks import did_you_mean
from mmkeras.contract import NamedModel
from mmkeras.contract.teaching import taught_heads, uniform_name
from mmkeras.decoding._base import Decoding


def decode_with(
    model: NamedModel, *, decoding: type[Decoding], head: str | None = None, **arguments: Any
) -> NamedModel:
    """The same model, on the same weights, that answers in another way.

    Args:
        model: of a builder of this package, with a head whose answers are made token by token.
        decoding: class of `mmkeras.decoding`.
        head: name of the head; None where there is one such.
        arguments: of the class, such as `beams=4`.

    Returns:
        `keras.Model`; for `Sampling` without a seed it has one more input, HEAD_uniform (B, L) float32, for what
        `decoding.uniform` gives. Exports need a seed, since requests hold raw examples only.

    Raises:
        ValueError: there is no such head, or several and none is named.
    """
    names = taught_heads(model)
    if head not in names and (head is not None or len(names) != 1):
        raise ValueError(
            f"decode_with needs the name of a head that answers token by token. Received: head={head!r}. Heads of "
            f"'{model.name}': {names}. {did_you_mean(head, names)}"
        )
    head, inputs = head or names[0], dict(model.input)
    old, node, _ = model.output[head]._keras_history
    layer, read = decoding(old.decoder, name=head, **arguments), old._inbound_nodes[node].arguments.args[:2]
    if layer.takes_uniform:
        uniform = keras.Input((layer.decoder.max_tokens,), name=uniform_name(head))
        inputs[uniform.name], answer = uniform, layer(*read, uniform=uniform)
    else:
        answer = layer(*read)
    return NamedModel.of(inputs, model.output | {head: answer}, model.specs, model.heads, name=model.name)
