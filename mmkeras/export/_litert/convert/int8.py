"""Representative examples, and quantisation of the float file."""

import itertools

import numpy as np
import tensorflow as tf
from rich.progress import Progress

from mmkeras.checks import suggested
from mmkeras.data.examples import Examples
from mmkeras.export._litert.verify.check import cut, tensors
from mmkeras.export.parity import units
from mmkeras.export.process.litert import quantize_file
from mmkeras.export.samples import raw_samples
from mmkeras.preprocess.model import traced

COUNT = 200  # examples; the measured ranges hardly widen after a hundred
LIMIT = 0.01  # mean change of the answers allowed for a quantised file


def check_representative(representative, preprocess, model):
    """Raises ValueError if there are no representative examples, or an input is missing. Reads one example."""
    if representative is None:
        raise ValueError(
            "int8 needs examples to measure the range of every tensor. Received: representative=None. Give raw "
            "examples of the training part, representative=raw."
        )
    columns = _columns(representative)
    _check_ranks(columns, representative, preprocess, model)
    wanted = list(model.input if _is_ready(columns, preprocess, model) else preprocess.input)
    missing = suggested([key for key in wanted if key not in columns], list(columns))
    if missing:
        raise ValueError(
            f"representative must hold every input by name, raw {list(preprocess.input)} or ready, in batches, "
            f"{list(model.input)}. Missing: [{missing}]. Received: {list(columns)}. Where a modality is absent, give "
            "empty bytes or NaN."
        )
    first = representative.values() if isinstance(representative, dict) else [list(representative.take(1))]
    if not all(map(len, first)):
        raise ValueError(
            "int8 needs examples to measure the range of every tensor. Received: representative without any. Give "
            "some 200 raw examples of the training part."
        )


def _check_ranks(columns, representative, preprocess, model):
    """Checks that raw examples are unbatched and ready ones batched; dicts of arrays lost their first axis."""
    off = int(isinstance(representative, dict))
    ready = {name: len(tensor.shape) - off for name, tensor in model.input.items()}
    raw = {name: len(tensor.shape) - 1 for name, tensor in preprocess.input.items()}
    fits = [all(columns[name] in (None, rank) for name, rank in ranks.items() if name in columns)
            for ranks in (raw, ready)]  # fmt: skip
    if not any(fits):
        raise ValueError(
            "representative must hold raw examples one by one, or batches of ready ones. Received dimensions: "
            f"{columns}. Give raw.unbatch(), or ready.batch(32)."
        )


def _columns(representative):
    """Dict, name -> rank of the values in an element."""
    if isinstance(representative, dict):
        return {key: np.ndim(value) - 1 for key, value in representative.items()}
    if not isinstance(representative, tf.data.Dataset):
        raise ValueError(
            "representative must be a tf.data.Dataset of dicts, or a dict of arrays. Received: "
            f"{type(representative).__name__}. Give raw examples; a generator through tf.data.Dataset.from_generator."
        )
    spec = representative.element_spec
    spec = spec[0] if isinstance(spec, tuple) else spec  # (ready, labels)
    if not isinstance(spec, dict):
        raise ValueError(
            f"representative must yield dicts, since inputs are identified by name. Received: {spec}. Give the raw "
            "examples that preprocess was adapted on."
        )
    return {key: tensor.shape.rank for key, tensor in spec.items()}


def _is_ready(columns, preprocess, model):
    """Whether an element is ready: its values have more dimensions than raw ones; in dicts of arrays, masks tell."""
    raw = {name: len(tensor.shape) - 1 for name, tensor in preprocess.input.items()}
    return any((columns.get(name) or 0) > raw.get(name, 0) for name in model.input)


def feeds_of(representative, preprocess, model, form, inputs):
    """Up to 200 examples as feeds of the file.

    Args:
        representative: raw examples, a data set or a dict of arrays, picked at even distances where they can be
            counted; or batches of ready tensors, alone or before their labels.
        preprocess, model: as in `litert`.
        form: of the file.
        inputs: of `flatbuffer.signature`.

    Returns:
        List of dicts of arrays (batch_size, ...), cut to their longest text.
    """
    if _is_ready(_columns(representative), preprocess, model):
        batches = _ready(representative, model)
    else:
        batches = _prepared(representative, preprocess)
    rows = ({key: value[i] for key, value in batch.items()} for batch in batches for i in range(_length(batch)))
    rows = list(itertools.islice(rows, COUNT))
    rows += [rows[-1]] * (-len(rows) % form.batch_size)
    groups = [rows[i : i + form.batch_size] for i in range(0, len(rows), form.batch_size)]
    stacked = ({key: np.stack([row[key] for row in group]) for key in model.input} for group in groups)
    return [cut(form.fed(feed), inputs) for feed in stacked]


def _length(batch):
    return len(next(iter(batch.values())))


def _ready(batches, model):
    batches = [batches] if isinstance(batches, dict) else batches
    for batch in batches:
        batch = batch[0] if isinstance(batch, tuple) else batch
        yield {key: np.asarray(batch[key]) for key in model.input}


def _prepared(raw, preprocess):
    """Ready batches, and finally one example without any optional modality."""
    examples = raw_samples(preprocess, _spread(raw), COUNT - 1)
    for i in range(0, _length(examples), 32):
        some = {key: value[i : i + 32] for key, value in examples.items()}
        yield {key: value.numpy() for key, value in traced(preprocess)(tensors(some)).items()}


def _spread(raw):
    """Spreads the examples over the table, because its first rows are often of one class."""
    n = len(raw.frame) if isinstance(raw, Examples) else None
    if isinstance(raw, dict):
        n = _length(raw)
    if not n:
        return raw
    rows = np.unique(np.linspace(0, n - 1, min(n, COUNT - 1)).astype(int))
    return {key: [value[i] for i in rows] for key, value in raw.items()} if isinstance(raw, dict) else raw.subset(rows)


def quantize(path, feeds, heads, tolerance, steps, timeout, console):
    """Replaces the float file by an 8-bit one with equivalent answers.

    Args:
        path: of the .tflite.
        feeds: of `feeds_of`.
        heads, tolerance, timeout: as in `litert`.
        steps: whether recurrent layers are unrolled, and computed in 8 bits too.
        console: of rich.

    Returns:
        Dict: "parts", what became of each modality and of "fusion"; "fallback", those of them that did not stay int8,
        with the reason; "mean_change" of the answers on the representative examples, "largest_change", "examples".
    """
    request = {"path": str(path), "feeds": feeds, "heads": units(heads), "limits": (LIMIT, tolerance), "steps": steps}
    with Progress(console=console, transient=True, disable=console.quiet) as bar:
        task = bar.add_task("Measuring ranges for int8", total=len(feeds))
        found = quantize_file(request, timeout, lambda done: bar.update(task, completed=done))
    before = f"int8 changed the answers by {found['before'][0]:.2g} on average, {found['before'][1]:.2g} at most"
    lowered = {part: mode for part, mode in found["parts"].items() if mode != "int8"}
    fallback = {part: f"{mode}: {before}" for part, mode in lowered.items()}
    for part, why in fallback.items():
        console.print(f"'{part}' was not left in int8 but in {why} (allowed: {LIMIT:g}, {tolerance:g}).")
    changes = {"mean_change": found["change"][0], "largest_change": found["change"][1]}
    return {"parts": found["parts"], "fallback": fallback, **changes, "examples": len(feeds) * _length(feeds[0])}
