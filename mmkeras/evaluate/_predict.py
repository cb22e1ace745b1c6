"""Labels and outputs of a whole data set as arrays."""

import weakref
from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from mmkeras.causes import readable_errors
from mmkeras.checks import did_you_mean
from mmkeras.contract import SAMPLE_WEIGHT
from mmkeras.contract.raw_examples import RawExamples
from mmkeras.heads import Head, check_heads


def predict(
    model: keras.Model, batches: Iterable[Any], heads: Sequence[Head] | None = None, *, with_weights: bool = False
) -> tuple[Any, ...]:
    """Collects labels and outputs in one pass over the batches, so that they match even if the order is random.

    Args:
        model: `keras.Model`, dict of ready tensors -> dict {head: output}. It receives only its own inputs, so that a
            model of one modality can be evaluated on batches of all modalities.
        batches: `tf.data.Dataset`, or iterable, of (inputs dict, labels dict) or (inputs, labels, sample weights).
            Either all or none have weights: (n,), or a dict of them by head.
        heads: list of heads to collect; None for all labels.
        with_weights: whether to return the sample weights as well.

    Returns:
        (labels, outputs), or (labels, outputs, weights): dicts, head name -> array (n, ...); weights is None if
        the batches have none.

    Raises:
        ValueError: the batches lack an input, or the label or the weights of a head, or the model lacks its output.

    Example:

    >>> import keras, numpy as np
    >>> from mmkeras import evaluate
    >>> x = keras.Input((2,), name="x")
    >>> model = keras.Model({"x": x}, {"total": keras.ops.sum(x, axis=-1, keepdims=True)})
    >>> batch = ({"x": np.ones((3, 2), "float32"), "more": np.zeros(3)}, {"total": np.full((3, 1), 2.0)})
    >>> labels, outputs = evaluate.predict(model, [batch])
    >>> labels["total"].shape, outputs["total"].tolist()
    ((3, 1), [[2.0], [2.0], [2.0]])
    """
    labels, outputs, weights = predict_each({"model": (model, ())}, batches, heads)
    return (labels, outputs["model"], weights)[: 2 + with_weights]


def predict_each(rows, batches, heads=None):
    """`predict` of several models, or of one model with different modalities masked, in one pass over the batches.

    Reading and decoding takes most of the time, and is done once.

    Args:
        rows: dict, row -> (model, names of the masks that are all False for it).
        batches, heads: as of `predict`.

    Returns:
        (labels, outputs, weights): labels and weights as of `predict`; outputs by row.
    """
    names = None if heads is None else [head.name for head in heads]
    # `model.predict` drops the labels, and `predict_on_batch` repeats rows on each replica under MirroredStrategy.
    parts = []
    for x, y, w in map(_parts, _told(batches)):
        names = list(y) if names is None else names
        _check_names(names, y, "label", "the batches give")
        w = dict.fromkeys(names, w) if w is not None and not isinstance(w, dict) else w
        _check_names(names if w is not None else (), w, "sample weight", "the batches give")
        answers = {row: _answers(model, masked(x, masks), names) for row, (model, masks) in rows.items()}
        parts.append((_arrays(y, names), answers, w and _arrays(w, names)))
    if not parts:
        raise ValueError("Evaluating needs at least one batch. Received: no batch. Is a one-shot iterator used up?")
    labels, answers, weights = zip(*parts, strict=True)
    _check_weights(weights)
    return _joined(labels), {row: _joined([part[row] for part in answers]) for row in rows}, _joined(weights)


def masked(x, masks):
    """The inputs of a batch, with all values of these masks False."""
    return x | {mask: np.zeros(x[mask].shape, bool) for mask in masks}


def _answers(model, x, names):
    outputs = _outputs(model, compiled(model)(_own_inputs(model, x)))
    _check_names(names, outputs, "output", "the model answers")
    return _arrays(outputs, names)


def _arrays(values, names):
    return {name: np.asarray(values[name]) for name in names}


def _joined(parts):
    """Dict of arrays of the whole data set; None if the batches have none."""
    return parts[0] and {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


_COMPILED = weakref.WeakKeyDictionary()


def compiled(model):
    """`model(x, training=False)` as a graph. It is cached for each model, since tracing takes seconds."""
    if model not in _COMPILED:
        alive = weakref.ref(model)  # a weak reference, so that the cached graph does not keep the model alive
        _COMPILED[model] = tf.function(lambda x: alive()(x, training=False), reduce_retracing=True)
    return _COMPILED[model]


def _check_weights(weights):
    lacking = sum(each is None for each in weights)
    if lacking not in (0, len(weights)):
        raise ValueError(
            f"Either all batches have sample weights, or none. Received: {lacking} of {len(weights)} without. Give the "
            "others weights of 1."
        )


def _told(batches):
    """Yields the batches; raises errors in examples as ValueError."""
    with readable_errors():
        yield from batches


def majority_baseline(heads: Sequence[Head], train: Any) -> dict[str, np.ndarray]:
    """The best constant answers, without looking at the inputs: class frequencies, means, or the most frequent text.

    Weights of raw examples are used. Weights of batches are ignored, since they include class weights.

    Args:
        heads: list of heads.
        train: training examples: raw ones (`mmkeras.data.from_csv`), or batches of (inputs, labels), or a dict {head
            name: encoded labels}.

    Returns:
        Dict, head name -> float64 (N,) or (K,), the largest frequency belonging to the majority class; for
        a text, the outputs that spell it.

    Example:

    >>> from mmkeras import heads
    >>> mood = heads.classification("mood", classes=["good", "bad"])
    >>> majority_baseline([mood], {"mood": [0, 1, 1, 1]})["mood"].tolist()
    [0.25, 0.75]
    """
    check_heads(heads)
    labels = _train_labels(heads, train)
    weights = labels.get(SAMPLE_WEIGHT)
    return {head.name: _constant(head, np.asarray(labels[head.name]), weights) for head in heads}


def _constant(head, labels, weights):
    there = np.asarray(head.labelled(labels))
    return head.constant(labels[there], None if weights is None else np.asarray(weights)[there])


def _train_labels(heads, train):
    """Labels by head (targets if the head `needs_targets`), and the weights of raw examples."""
    names, raw, table = [head.name for head in heads], True, train
    if isinstance(train, RawExamples):
        table = train.columns([name for name in [*names, SAMPLE_WEIGHT] if name in train.element_spec])
    elif not isinstance(train, dict):
        raw, table = _stacked(names, list(train))
    _check_names(names, table, "label", "train= gives")
    made = {head.name: head.targets(np.asarray(table[head.name])) for head in heads if raw and head.needs_targets}
    return {**table, **made}


def _stacked(names, elements):
    """Whether the elements are raw examples (one row each) or batches, and their labels."""
    if not elements:
        raise ValueError("train= needs examples. Received: none. Give raw examples, or batches, of the training part.")
    raw = isinstance(elements[0], dict)
    rows = elements if raw else [_parts(element)[1] for element in elements]
    _check_names(names, rows[0], "label", "train= gives")
    names = [*names, SAMPLE_WEIGHT] if raw and SAMPLE_WEIGHT in rows[0] else names
    join = np.stack if raw else np.concatenate
    return raw, {name: join([np.asarray(row[name]) for row in rows]) for name in names}


def _parts(element):
    """Inputs, labels and weights of a batch; weights are None if there are none."""
    ok = isinstance(element, tuple | list) and len(element) in (2, 3) and isinstance(element[1], dict)
    if not ok:
        raise ValueError(
            f"Batches must be pairs of dicts, inputs and labels by name. Received: {_described(element)}. Make them "
            "from raw examples: mm.data.eval_batches(raw, preprocess)."
        )
    return (*element, None)[:3]


def _described(element):
    if isinstance(element, dict):
        return f"a dict of {list(element)} alone"
    parts = element if isinstance(element, tuple | list) else [element]
    return f"{type(element).__name__} of {[type(part).__name__ for part in parts]}"


def _own_inputs(model, x):
    if not isinstance(model.input, dict):
        return x
    _check_names(list(model.input), x, "input", "the batches give")
    return {name: tf.convert_to_tensor(x[name]) for name in model.input}


def _outputs(model, outputs):
    if isinstance(outputs, dict):
        return outputs
    return dict(zip(model.output_names, keras.tree.flatten(outputs), strict=True))


def _check_names(names, there, what, who):
    for name in names:
        if name not in there:
            raise ValueError(
                f"There must be one {what} '{name}'. Received: {who} {sorted(there)}. {did_you_mean(name, there)}"
            )
