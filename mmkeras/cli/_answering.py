"""Models behind one interface: raw examples in, named answers out, whatever the format.

A SavedModel answers as it is served, a LiteRT file as on a device. `Refused` is what they raise for a bad example.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from mmkeras import edge
from mmkeras.cli._artefacts import LITERT, PREDICTOR, SAVED_MODEL, Artefact
from mmkeras.formats.status import STATUS, why_refused

Rows = Sequence[Mapping[str, Any]]


class Refused(ValueError):
    """An example cannot be used; the message begins with the input."""


def opened(artefact: Artefact) -> Callable[[Rows], dict[str, np.ndarray]]:
    """Function of raw rows, dicts with a value for each input -> answers (n, ...) by name.

    A value is bytes of a string or a file, a number, or an array of a vector; an absent one is `b""` or NaN.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported
    return {SAVED_MODEL: _saved_model, LITERT: _litert, PREDICTOR: _predictor}[artefact.kind](artefact)


def absent(each: Any) -> Any:
    """What stands for an absent value of an `Input`."""
    return b"" if each.dtype == "string" else np.full(each.shape, np.nan, "float32")


def _saved_model(artefact):
    import tensorflow as tf
    import tensorflow_text  # noqa: F401  registers the ops that split text

    from mmkeras.causes import cause_of

    loaded = tf.saved_model.load(str(artefact.path))
    function = loaded.signatures[artefact.signature]
    tells = artefact.tells_status

    def answer(rows, loaded=loaded):  # a signature alone does not keep its variables
        tensors = {each.name: tf.constant([row[each.name] for row in rows], each.dtype) for each in artefact.inputs}
        try:
            found = function(**tensors)  # in an order that depends on TensorFlow's version
            found = {name: found[name].numpy() for name in artefact.outputs}
            return _answered(found) if tells else found
        except tf.errors.OpError as error:
            raise Refused(cause_of(error)) from error

    return answer


def _answered(found):
    """The answers of an export, with their status only where it says something.

    Raises:
        Refused: the export tells that it cannot use an example.
    """
    status = found[STATUS]
    cause = next(filter(None, map(why_refused, status.tolist())), None)
    if cause:
        raise Refused(cause)
    return found if any(status) else {name: value for name, value in found.items() if name != STATUS}


def _litert(artefact):
    model = edge.Model(artefact.path)
    model._check_one_raw_example()  # before any example is blamed for it

    def answer(rows):
        try:
            found = [model({name: _plain(value) for name, value in row.items()}) for row in rows]
        except ValueError as error:
            raise Refused(str(error)) from error
        return {name: _stacked([each[name] for each in found]) for name in found[0]}

    return answer


def _plain(value):
    return value if isinstance(value, bytes) or np.ndim(value) else float(value)


def _stacked(values):
    """(n, ...) as TensorFlow gives it: float32, or objects of bytes."""
    first = values[0][0] if isinstance(values[0], list) and values[0] else values[0]
    if isinstance(first, str):
        encoded = np.vectorize(str.encode, otypes=[object])
        return encoded(np.array(values, object))
    return np.array(values, "float32" if isinstance(first, float) else None)


def _predictor(artefact):
    import tensorflow as tf

    from mmkeras.causes import cause_of
    from mmkeras.export import Predictor

    predictor = Predictor.load(artefact.path)

    def answer(rows):
        tensors = {each.name: tf.constant([row[each.name] for row in rows], each.dtype) for each in artefact.inputs}
        try:
            found = predictor._answer(tensors).values()
            return {name: value.numpy() for own in found for name, value in own.items()}
        except tf.errors.OpError as error:
            raise Refused(cause_of(error)) from error

    return answer
