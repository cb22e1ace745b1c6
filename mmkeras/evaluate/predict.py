"""Labels and answers of a whole data set, as arrays."""

import keras
import numpy as np
import tensorflow as tf

from mmkeras.causes import readable_errors
from mmkeras.heads import Classification, check_heads
from mmkeras.specs import did_you_mean


def predict(model, batches, heads=None):
    """Labels and outputs in one pass over the batches, so that they belong together also where the order is random.

    Args:
        model: `keras.Model`, dict of ready tensors -> dict {head: output}. It is given those inputs that it names, so
            that a model of one modality takes the batches of all.
        batches: `tf.data.Dataset`, or iterable, of (inputs dict, labels dict) or (inputs, labels, sample weights); the
            weights are not used.
        heads: None for every label there is, or a list of heads: others are left out.

    Returns:
        (labels, outputs): two dicts, head name -> array (n, ...).

    Raises:
        ValueError: the batches lack an input, or the label of a head, or the model lacks its output.

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
    names = None if heads is None else [head.name for head in heads]
    # `model.predict` would lose the labels; `predict_on_batch` repeats each row per replica under MirroredStrategy.
    call = tf.function(lambda x: model(x, training=False), reduce_retracing=True)
    parts = []
    for x, y in map(_pair, _told(batches)):
        outputs = _outputs(model, call(_own_inputs(model, x)))
        names = list(y) if names is None else names
        _check_names(names, y, "label", "the batches give")
        _check_names(names, outputs, "output", "the model answers")
        parts.append(tuple({name: np.asarray(values[name]) for name in names} for values in (y, outputs)))
    if not parts:
        raise ValueError("Evaluating needs at least one batch. Received: no batch. Is a one-shot iterator used up?")
    return tuple({name: np.concatenate([part[i][name] for part in parts]) for name in names} for i in (0, 1))


def _told(batches):
    """The batches; what is wrong with an example is a ValueError."""
    with readable_errors():
        yield from batches


def majority_baseline(heads, train):
    """What one would answer without looking at the inputs: class frequencies, or means, of the training labels.

    Args:
        heads: list of heads.
        train: training examples: raw ones (`mmkeras.data.from_csv`), or batches of (inputs, labels), or a dict {head
            name: encoded labels}.

    Returns:
        Dict, head name -> float64 (N,) or (K,); the largest frequency is the majority class.

    >>> from mmkeras import heads
    >>> mood = heads.classification("mood", classes=["good", "bad"])
    >>> majority_baseline([mood], {"mood": [0, 1, 1, 1]})["mood"].tolist()
    [0.25, 0.75]
    """
    check_heads(heads)
    labels = _train_labels([head.name for head in heads], train)
    return {head.name: _constant(head, np.asarray(labels[head.name])) for head in heads}


def _constant(head, labels):
    if isinstance(head, Classification) and not head.multi_label:
        return np.bincount(labels, minlength=len(head.classes)) / len(labels)
    return labels.reshape(len(labels), -1).mean(0, dtype="float64")


def _train_labels(names, train):
    table = train if isinstance(train, dict) else getattr(train, "table", None)
    if table is None:
        table = _stacked(names, list(train))
    _check_names(names, table, "label", "train= gives")
    return table


def _stacked(names, elements):
    """Raw examples are one row each, batches several."""
    if not elements:
        raise ValueError("train= needs examples. Received: none. Give raw examples, or batches, of the training part.")
    raw = isinstance(elements[0], dict)
    rows = elements if raw else [_pair(element)[1] for element in elements]
    _check_names(names, rows[0], "label", "train= gives")
    return {name: (np.stack if raw else np.concatenate)([np.asarray(row[name]) for row in rows]) for name in names}


def _pair(element):
    ok = isinstance(element, tuple | list) and len(element) in (2, 3) and isinstance(element[1], dict)
    if not ok:
        raise ValueError(
            "Batches are pairs of two dicts, inputs and labels, by name. "
            f"Received: {type(element).__name__} of {[type(part).__name__ for part in element]}. "
            "Make them with mmkeras.data.eval_batches."
        )
    return element[0], element[1]


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
