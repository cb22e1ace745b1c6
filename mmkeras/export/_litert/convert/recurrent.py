"""How recurrent layers are exported: as a loop, unrolled, or as LiteRT's fused op. The model is not changed."""

import contextlib
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from mmkeras.export._litert.convert.fused import fused_loop, unfusable
from mmkeras.export._litert.convert.loop import fast_loop, loops_fast
from mmkeras.export.graph import loops, recurrent_layers

WAYS = ("while", "unroll", "fused")
# Longest sequence that is unrolled; beyond it, converting takes minutes and the graph dominates the file's size.
STEPS = 64


class Seen(NamedTuple):
    """Inputs of a recurrent layer in one call: T, its mask (B, T) or None, and whether its initial state was zero."""

    length: int
    mask: np.ndarray | None
    zero: bool


@contextlib.contextmanager
def written_as(lstm, model):
    """Context in which recurrent layers are traced in the given way."""
    layers = recurrent_layers(model)
    if lstm != "unroll":
        fast = [layer for layer in layers if loops_fast(layer)]
        with loops(layers, fused_loop) if lstm == "fused" else loops(fast, fast_loop):
            yield
        return
    before = [layer.unroll for layer in layers]
    try:
        for layer in layers:
            layer.unroll = True
        yield
    finally:
        for layer, value in zip(layers, before, strict=True):
            layer.unroll = value


def check_recurrent(lstm, model, preprocess, form):
    """Raises ValueError if the model cannot be exported in the given way; the message names layer and reason.

    Args:
        lstm: of `WAYS`.
        model, preprocess: as in `litert`.
        form: of the file.
    """
    if lstm == "while" or not recurrent_layers(model):
        return
    seen = _seen(model, form, _probes(form.specs(model)))
    faults = _too_long(seen) if lstm == "unroll" else _unfused(seen, _foreign_masks(model, preprocess, form))
    if faults:
        raise ValueError(
            f'recurrent="{lstm}" needs {_NEEDS[lstm]}. Received:\n' + "\n".join(f"  {fault}" for fault in faults)
            + '\nGive recurrent="while", which is exact for every recurrent layer, length and mask.'
        )  # fmt: skip


_NEEDS = {
    "unroll": f"sequences of at most {STEPS} steps, for each becomes ops of its own",
    "fused": "LSTMs with tanh and sigmoid that begin at zero, on sequences padded at their end",
}


def _probes(specs):
    """Inputs with texts of several lengths, and each input absent: dicts, name -> share of its mask that is real."""
    probes = [dict.fromkeys(specs, share) for share in (1.0, 0.5, 0.1, 0.0)]
    # When sequences are joined, an absent one before a present one gives a mask with False before True.
    return probes + [dict.fromkeys(specs, 1.0) | {name: 0.0} for name in specs if name.endswith("_mask")]


def _seen(model, form, probes):
    """Runs the model on each probe: dict, layer -> list of `Seen`."""
    specs = form.specs(model)
    layers = recurrent_layers(model)
    seen = {layer: [] for layer in layers}

    def spy(layer):
        loop = type(layer).inner_loop

        def inner_loop(sequences, initial_state, mask, training=False):
            own = mask[0] if isinstance(mask, (list, tuple)) else mask
            zero = not any(np.any(np.asarray(state)) for state in keras.tree.flatten(initial_state))
            seen[layer].append(Seen(sequences.shape[1], None if own is None else np.asarray(own), zero))
            return loop(layer, sequences, initial_state, mask, training)

        return inner_loop

    with loops(layers, spy):
        for shares in probes:
            model(form.ready({name: _filled(name, spec, shares[name]) for name, spec in specs.items()}))
    return seen


def _filled(name, spec, share):
    """Zeros; for a mask, the given share of the sequence is real, from the beginning, or from the end if negative."""
    shape = [6 if n is None else n for n in spec.shape]
    value = np.zeros(shape, spec.dtype.as_numpy_dtype)
    if name.endswith("_mask"):
        real = np.arange(shape[1]) < np.ceil(abs(share) * shape[1])
        value[:] = real if share >= 0 else real[::-1]
    return tf.constant(value)


def _too_long(seen):
    lengths = {layer.name: max(call.length for call in calls) for layer, calls in seen.items() if calls}
    return [f"layer '{name}': {length} steps" for name, length in lengths.items() if length > STEPS]


def _foreign_masks(model, preprocess, form):
    """Names of recurrent layers' masks whose padding is not guaranteed to be at the end."""
    specs = form.specs(model)
    names = [name for name in model.input if name.endswith("_mask") and model.input[name].shape[1] != 1]
    makers = {name: preprocess.output[name]._keras_history.operation for name in names}
    names = [name for name, maker in makers.items() if not getattr(maker, "pads_behind", False)]
    padded_first = {name: dict.fromkeys(specs, 1.0) | {name: -0.5} for name in names}
    return [name for name, probe in padded_first.items() if any(map(_has_holes, _seen(model, form, [probe]).values()))]


def _has_holes(calls):
    """Whether a mask had False before True in any call."""
    return any(call.mask is not None and np.any(call.mask[:, 1:] > call.mask[:, :-1]) for call in calls)


def _unfused(seen, foreign):
    faults = [f"input '{name}': it is not made by mm.Text, mm.Audio or mm.Video, so that nobody knows where it is "
              "padded" for name in foreign]  # fmt: skip
    for layer, calls in seen.items():
        reasons = unfusable(layer)
        if not all(call.zero for call in calls):
            reasons.append("it begins at a state that it is given")
        if _has_holes(calls):
            reasons.append("its mask has False before True (only padding at the end is allowed)")
        faults += [f"layer '{layer.name}': {reason}" for reason in reasons]
    return faults
