"""The one number that is explained: an output, or the log-probability of a text."""

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from mmkeras.checks import did_you_mean
from mmkeras.contract.teaching import label_name
from mmkeras.heads import heads_of
from mmkeras.heads.units import from_code_points


@dataclasses.dataclass(kw_only=True)
class Scalar:
    """A number of each example that has a gradient.

    Args:
        model: the model that is run: the one that is explained, or, for a text, the same under teacher forcing.
        head: name of the head.
        target: what is explained, in words: a class, the number of an output, a text, a token.
        measure: what the number is: "score" or "log-probability".
        of: function of the head's outputs (B, ...) -> (B,).
        feed: dict of inputs (1, ...) that the model needs beside the ready tensors.
    """

    model: keras.Model
    head: str
    target: str
    measure: str
    of: Callable[[Any], Any]
    feed: dict[str, Any] = dataclasses.field(default_factory=dict)


def scalar(model, ready, *, head=None, target=None, token=None):
    """What `explain` explains of the answer to one example, as a `Scalar`."""
    chosen = _head(model, head)
    outputs = np.asarray(model(ready, training=False)[chosen.name])
    if token is not None and not chosen.teacher_forcing:
        raise ValueError(
            f"token= is for a head that generates its text token by token. Received: token={token!r}, head "
            f"'{chosen.name}' of kind {chosen.kind!r}. Leave it out."
        )
    if chosen.teacher_forcing:
        return _taught(model, chosen, outputs[0], target, token)
    if chosen.needs_targets:
        return _spelt(model, chosen, outputs, target)
    index = _index(chosen, target, outputs[0])
    name = chosen.classes[index] if chosen.classes else str(index)
    return Scalar(model=model, head=chosen.name, target=name, measure="score", of=lambda found: found[:, index])


def _head(model, name):
    heads = {head.name: head for head in heads_of(model)}
    name = next(iter(heads)) if name is None else name
    if name not in heads:
        raise ValueError(f"head= must name a head of the model. Received: {name!r}. {did_you_mean(name, heads)} "
                         f"Heads: {list(heads)}.")  # fmt: skip
    return heads[name]


def _index(head, target, outputs):
    """Which output is explained."""
    if outputs.ndim != 1:
        raise ValueError(
            f"An answer is explained where the head gives one vector for each example, or a text. Received: head "
            f"'{head.name}' of kind {head.kind!r}, whose outputs have shape {outputs.shape}. Explain another head."
        )
    if target is None:
        return int(outputs.argmax()) if head.classes else 0
    if target in head.classes:
        return list(head.classes).index(target)
    if isinstance(target, int) and 0 <= target < len(outputs) and not isinstance(target, bool):
        return target
    raise ValueError(
        f"target= must be a class of head '{head.name}', or the number of an output. Received: {target!r}. "
        f"{did_you_mean(target, head.classes)} Classes: {list(head.classes)}, {len(outputs)} outputs."
    )


def _taught(model, head, answer, target, token):
    """The log-probability of a text, or of one of its tokens, each token given the ones before it."""
    ids = _ended(head, answer) if target is None else _targets(head, target)
    count = int(np.count_nonzero(ids))
    where, name = np.arange(len(ids)) < count, head.texts(ids[None])[0]
    if token is not None:
        if isinstance(token, bool) or not isinstance(token, int) or not 0 <= token < count:
            raise ValueError(f"token= must be the position of a token of {name!r}, its end included, from 0 to "
            f"{count - 1}. "
                             f"Received: {token!r}.")  # fmt: skip
        where = np.arange(len(ids)) == token
        name = "the end" if ids[token] == head.end else head.coding.pieces[ids[token]].strip() or " "
    own = tf.one_hot(ids, head.end + 1) * where[:, None].astype("float32")

    def probability(logits):
        return tf.reduce_sum(tf.nn.log_softmax(tf.cast(logits, tf.float32)) * own, (1, 2))

    return Scalar(model=model.taught(), head=head.name, target=name, measure="log-probability", of=probability,
                  feed={label_name(head.name): tf.constant(ids[None])})  # fmt: skip


def _ended(head, answer):
    """Ids (L,) with the end behind them, where there is room."""
    ids = np.array(answer, "int32")
    count = int(np.count_nonzero(ids))
    if count < len(ids):
        ids[count] = head.end
    return ids


def _spelt(model, head, outputs, target):
    """The log-probability of a text, over all paths that spell it."""
    ids = np.asarray(head.ids(tf.convert_to_tensor(outputs))[0])[0] if target is None else _targets(head, target)
    name, wanted = head.coding.text(ids), tf.constant(ids[None])
    loss = type(head.loss())(reduction=None)

    def probability(logits):
        return -loss(tf.repeat(wanted, tf.shape(logits)[0], axis=0), logits)

    return Scalar(model=model, head=head.name, target=name, measure="log-probability", of=probability)


def _targets(head, text):
    if not isinstance(text, str):
        raise ValueError(f"target= must be a text for head '{head.name}'. Received: {text!r}.")
    ids = head.targets(head.encode([text]))[0]
    spelt = head.texts(ids[None])[0] if head.teacher_forcing else head.coding.text(ids)
    if spelt != from_code_points(head.encode([text]))[0]:
        raise ValueError(f"target= must be a text that the vocabulary of head '{head.name}' can spell. "
        f"Received: {text!r}, "
                         f"of which it can spell {spelt!r}.")  # fmt: skip
    return ids
