"""Answers of a batch in which some examples cannot be used: theirs are blank, and say why."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from mmkeras.formats.status import ABSENT, REFUSED, STATUS
from mmkeras.preprocess import RawLayer
from mmkeras.preprocess.faults import each, no_faults, told
from mmkeras.preprocess.headers import refuse

_RULE = "a serialized tf.Example with every required feature is needed."


class Part(NamedTuple):
    """A modality: the name that its faults bear, its ready tensors, and whether it may be absent after a fault."""

    name: str
    ready: tuple[str, ...]
    may_be_absent: bool


def parts_of(preprocess, on_error):
    """List of `Part`; every ready tensor is in one.

    Raises:
        ValueError: the preprocess has no layers of mmkeras, whose faults alone can be told.
    """
    layers = [layer for layer in preprocess.layers if isinstance(layer, RawLayer)]
    if not layers:
        raise ValueError(
            f"on_error={on_error!r} needs layers that tell what is wrong with an example. Received: a preprocess "
            "without any. Build it with mm.preprocessor, or use on_error='raise'."
        )
    parts = []
    for layer in layers:
        own = {id(tensor) for tensor in tf.nest.flatten(layer.output)}
        ready = tuple(name for name, tensor in preprocess.output.items() if id(tensor) in own)
        parts.append(Part(layer.modality, ready, layer.optional and on_error == "absent"))
    known = {name for part in parts for name in part.ready}
    parts += [Part(name, (name,), False) for name in preprocess.output if name not in known]
    order = list(preprocess.output)  # that of the specs; Keras keeps layers in another one
    return sorted(parts, key=lambda part: min(map(order.index, part.ready), default=len(order)))


def blanked(parts, ready, faults):
    """The ready tensors, 0 and masked where a modality has a fault; and the status of each example, (B,) string."""
    none = no_faults(next(iter(ready.values())))
    found = {part: texts for part in parts if (texts := faults.of(part.name, *part.ready)) is not None}

    def blank():
        tensors, said, refused = dict(ready), none, none != ""
        for part, texts in found.items():
            bad = texts != ""
            for name in part.ready:
                tensors[name] = _where(bad, tf.zeros_like(tensors[name]), tensors[name])
            refused |= bad & (not part.may_be_absent)
            said = tf.where(bad, tf.strings.join([said, tf.where(said == "", "", "; "), texts]), said)
        kind = tf.where(refused, f"{REFUSED}: ", f"{ABSENT}: ")
        return tensors, tf.where(said == "", "", tf.strings.join([kind, said]))

    if not found:
        return ready, none
    wrong = tf.reduce_any(tf.stack(list(found.values())) != "")
    return tf.cond(wrong, blank, lambda: (dict(ready), none))


def with_status(answers, status):
    """Answers (B, ...) by name and the status (B,), which may be in them already: those of refused examples are blank.

    A string becomes "", a number NaN, an id -1, and a class that holds False.
    """
    answers = dict(answers)
    inner = answers.pop(STATUS, None)
    if inner is not None:
        status = tf.where(_is_refused(status) | (inner == ""), status, inner)
    refused = _is_refused(status)

    def blank():
        return {
            name: _where(refused, tf.fill(tf.shape(value), _blank(value)), value) for name, value in answers.items()
        }

    return tf.cond(tf.reduce_any(refused), blank, lambda: answers) | {STATUS: status}


def parsed(protos, features):
    """Raw tensors by name of serialized examples (B,), and the status (B,); of those that cannot be parsed, 0 or ""."""
    result = {name: tf.TensorSpec(feature.shape, feature.dtype) for name, feature in features.items()}
    with told() as faults:
        raw, failed = each(lambda proto: tf.io.parse_single_example(proto, features), protos, result)
        refuse(protos, "examples", tf.cast(failed, tf.int32), [(_RULE, f"It has the features {list(features)}.")])
    texts = faults.of("examples")
    return raw, tf.where(texts == "", "", tf.strings.join([f"{REFUSED}: ", texts]))


def _is_refused(status):
    return tf.strings.substr(status, 0, len(REFUSED)) == REFUSED


def _where(condition, blank, values):
    return tf.where(tf.reshape(condition, [-1] + [1] * (values.shape.rank - 1)), blank, values)


def _blank(value):
    if value.dtype.is_floating:
        return tf.constant(np.nan, value.dtype)
    whole = 0 if value.dtype.is_unsigned else -1
    return tf.constant({tf.string: "", tf.bool: False}.get(value.dtype, whole), value.dtype)
