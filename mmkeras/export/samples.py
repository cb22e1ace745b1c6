"""A few raw examples to try an export with."""

import keras
import numpy as np

from mmkeras.checks import suggested
from mmkeras.contract.raw_examples import selected
from mmkeras.preprocess import RawLayer

COUNT = 8
ABSENT = {"string": b"", "float32": np.float32("nan")}


def raw_samples(preprocess, samples=None, count=COUNT):
    """The first `count` examples, and one more in which everything optional is absent.

    Args:
        preprocess: model from `mm.preprocessor`.
        samples: `tf.data.Dataset` of raw examples, or dict of arrays; other keys (labels) are ignored. None generates
            them: the word "a", a picture, a sound, a video and a vector of noise, the number 0.
        count: how many at most.

    Returns:
        Dict, raw name -> array (n,), or (n, D) of vectors, n <= count + 1: float32, or objects of type bytes (NumPy's
        own strings lose trailing zero bytes).
    """
    inputs = preprocess.input
    if samples is None:
        examples = _generated(preprocess)
    elif isinstance(samples, dict):
        _check_columns(samples, inputs)
        _check_lengths({key: len(samples[key]) for key in inputs})
        examples = {key: samples[key][:count] for key in inputs}
    else:
        examples = _first(samples, inputs, count)
    arrays = {key: _array(examples[key], tensor) for key, tensor in inputs.items()}
    return _with_absent(arrays, optional_names(preprocess))


def optional_names(preprocess, cells=False):
    """Raw names whose modality may be absent; with `cells`, also columns of rows that need a single value only."""
    layers = [layer for layer in preprocess.layers if isinstance(layer, RawLayer)]
    chosen = [layer for layer in layers if layer.optional or (cells and layer.takes_columns)]
    return [name for layer in chosen for name in _raw_names(preprocess, layer)]


def _raw_names(preprocess, layer):
    taken = {id(tensor) for tensor in keras.tree.flatten(layer.input)}
    return [name for name, tensor in preprocess.input.items() if id(tensor) in taken]


def _first(samples, inputs, count):
    if isinstance(samples.element_spec, tuple):
        raise ValueError(
            f"samples must be single raw examples, flat dicts. Received: tuples of {len(samples.element_spec)}. Leave "
            "out the labels: samples.map(lambda inputs, labels: inputs); and give raw values, from before the "
            "preprocess."
        )
    _check_columns(samples.element_spec, inputs)
    ranks = {key: samples.element_spec[key].shape.rank or 0 for key in inputs}
    batched = [key for key, tensor in inputs.items() if ranks[key] >= len(tensor.shape)]
    if batched:
        raise ValueError(f"samples must be single raw examples. Received: batches of {batched}. Give .unbatch().")
    rows = list(selected(samples, list(inputs)).take(count).as_numpy_iterator())
    _check_lengths({key: len(rows) for key in inputs})
    return {key: [row[key] for row in rows] for key in inputs}


def _check_lengths(lengths):
    """Checks that all raw names have equally many values, and at least one."""
    if len(set(lengths.values())) > 1:
        raise ValueError(f"samples must hold the same number of values for each raw name. Received: {lengths}.")
    if not any(lengths.values()):
        raise ValueError("samples must hold at least one raw example. Received: none. Was an iterator used up?")


def _check_columns(columns, inputs):
    received = list(columns) if isinstance(columns, dict) else columns
    missing = suggested([key for key in inputs if key not in received], received)
    if missing:
        raise ValueError(f"samples must hold every raw name. Missing: [{missing}]. Received: {received}.")


def _array(values, tensor):
    if tensor.dtype != "string":
        return np.array(values, tensor.dtype).reshape(-1, *tensor.shape[1:])
    array = np.empty(len(values), object)
    array[:] = [value.encode() if isinstance(value, str) else bytes(value) for value in values]
    return array


def _with_absent(arrays, optional):
    if not optional:
        return arrays
    last = {key: array[:1].copy() for key, array in arrays.items()}
    for key in optional:
        last[key][0] = ABSENT["string" if last[key].dtype == object else "float32"]
    return {key: np.concatenate([array, last[key]]) for key, array in arrays.items()}


def _generated(preprocess):
    examples = {key: [b"a" if tensor.dtype == "string" else 0.0] * 2 for key, tensor in preprocess.input.items()}
    rng = np.random.default_rng(0)
    for layer in preprocess.layers:
        if isinstance(layer, RawLayer):
            made = list(layer.example(rng).values())
            examples |= dict(zip(_raw_names(preprocess, layer), made, strict=True))
    return examples
