"""Checks of the kind of an argument; errors say what was received in its place and what to do."""

import os

_READ = "raw = mm.data.from_dataframe(frame, specs, heads)"
_BATCHES = (
    "Give mm.data.train_batches(raw, preprocess) to fit, and mm.data.eval_batches(raw, preprocess) as validation_data, "
    "to evaluate and to predict."
)


def check_examples(function, raw):
    """Raises TypeError unless `raw` is a data set: `mm.data.Examples`, or any other `tf.data.Dataset`."""
    if not hasattr(raw, "element_spec"):
        raise TypeError(
            f"{function} takes raw examples: mm.data.Examples, or any tf.data.Dataset of dicts. "
            f"Received: {kind(raw)}. {_to_examples(raw)}"
        )


def check_singles(function, raw, preprocess):
    """Raises ValueError if `raw` is a data set of pairs, or of batches, rather than of dicts of single examples."""
    element = raw.element_spec
    if isinstance(element, tuple) and element and isinstance(element[0], dict):
        parts = "raw.map(lambda inputs, labels: inputs)"
        if function != "adapt":
            parts = 'raw.map(lambda inputs, label: {**inputs, "HEAD": label}), with the name of the head'
        raise ValueError(
            f"{function} takes raw examples, flat dicts. Received: tuples of {len(element)}, the first a dict of "
            f"{list(element[0])}. Convert them to dicts: {parts}."
        )
    wanted = getattr(preprocess, "input", None)
    wanted = wanted if isinstance(wanted, dict) else {}
    for name, tensor in wanted.items():
        shape = getattr(element.get(name), "shape", None) if isinstance(element, dict) else None
        if shape is not None and shape.rank is not None and shape.rank == len(tensor.shape):
            raise ValueError(
                f"{function} takes single examples. Received: batches, with '{name}' of shape {tuple(shape)}. "
                "Leave out batch(), or give raw.unbatch()."
            )


def check_preprocess(function, preprocess, raw):
    """Raises TypeError unless `preprocess` is a model; `raw` is the next argument, with which it may be swapped."""
    if isinstance(preprocess, type) or not hasattr(preprocess, "layers"):
        swapped = hasattr(preprocess, "element_spec") and hasattr(raw, "layers")
        remedy = "Make it of the specs, and adapt it: preprocess = mm.adapt(mm.preprocessor(specs), raw)."
        raise TypeError(
            f"{function} takes raw examples, and the preprocess, a keras.Model. Received: {kind(preprocess)} as the "
            f"preprocess. {'The two arguments are swapped.' if swapped else remedy}"
        )


def check_fed(method, model, data):
    """Raises where a model is given a table, raw examples, or labels that are strings.

    Args:
        method: name of the method that was called.
        model: a `NamedModel`.
        data: what the method was given as `x`, or as `validation_data`.

    Raises:
        TypeError: a table of pandas.
        ValueError: raw examples, or labels that are not encoded.
    """
    data = data[0] if isinstance(data, tuple | list) and data else data
    if is_frame(data):
        raise TypeError(
            f"{method} takes batches of ready tensors by name. Received: {kind(data)}. Read it first: {_READ}. "
            + _BATCHES
        )
    element = getattr(data, "element_spec", data)
    inputs, *labels = element if isinstance(element, tuple) and element else [element]
    if looks_raw(inputs, model):
        raise ValueError(
            f"{method} takes batches of ready tensors by name. Received: raw examples, with {list(inputs)}. {_BATCHES}"
        )
    texts = [name for name, leaf in _items(labels[0] if labels else {}) if _is_text(leaf)]
    if texts:
        raise ValueError(
            f"{method} takes labels as their heads encode them. Received: strings for {texts}. Read the data set with "
            "mm.data.from_dataset(dataset, specs, heads), which encodes them, or call head.encode(labels)."
        )


def check_class_weight(model, class_weight):
    """Raises ValueError if Keras' class weights, which need a single output, are given to a model with heads."""
    if class_weight is not None and isinstance(model.output, dict):
        raise ValueError(
            "Class weights belong to the heads. Received: class_weight= in fit. Write "
            'mm.heads.classification(name, classes, class_weights={class: weight}), or class_weights="balanced" and '
            "heads = mm.heads.adapt(heads, raw); train_batches(raw, preprocess, heads) applies them."
        )


def looks_raw(inputs, model):
    """Whether a dict of tensors, arrays or `tf.TensorSpec` is an input of a preprocess rather than of this model."""
    wanted, specs = model.input, getattr(model, "specs", ())
    if not isinstance(inputs, dict) or not isinstance(wanted, dict):
        return False
    raw = [name for spec in specs for name in spec.raw]
    if any(_is_text(leaf) and getattr(wanted.get(name), "dtype", "") != "string" for name, leaf in inputs.items()):
        return True
    return bool(raw) and set(raw) <= set(inputs) and not set(wanted) <= set(inputs)


def is_frame(value):
    """Whether a value is a pandas object, checked without importing pandas."""
    return type(value).__module__.partition(".")[0] == "pandas" and hasattr(value, "iloc")


def kind(value):
    """What to call a value in a message.

    >>> kind(int), kind(0.9), kind("attention"), kind([1])
    ('the class int', 'float 0.9', "str 'attention'", 'list')
    """
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if hasattr(value, "__qualname__"):
        return f"the function {value.__name__}"
    name = type(value).__name__
    return f"{name} {value!r:.60}" if isinstance(value, str | int | float) else name


def _is_text(leaf):
    dtype = getattr(leaf, "dtype", None)
    if dtype is None:  # a list of Python values
        first = leaf[0] if isinstance(leaf, list | tuple) and leaf else leaf
        return isinstance(first, str | bytes)
    return getattr(dtype, "name", str(dtype)) in ("string", "object", "str") or getattr(dtype, "kind", "") in ("S", "U")


def _items(labels):
    return labels.items() if isinstance(labels, dict) else [("the label", labels)]


def _to_examples(raw):
    if is_frame(raw):
        return f"Read it first: {_READ}."
    if isinstance(raw, str | os.PathLike):
        return "Read it first: raw = mm.data.from_csv(path, specs, heads), or from_jsonl, from_tfrecord."
    if isinstance(raw, list | dict):
        return f"Make a table of it, frame = pandas.DataFrame(rows), and read that: {_READ}."
    return "Read them first: mm.data.from_csv, from_dataframe or from_dataset."
