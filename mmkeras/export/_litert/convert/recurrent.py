"""How recurrent layers are exported: as a loop, or every step as ops of its own. The model is not changed."""

import contextlib

import tensorflow as tf

from mmkeras.export._litert.convert.loop import fast_loop, loops_fast
from mmkeras.export.graph import loops, recurrent_layers

WAYS = ("while", "unroll")
# Longest sequence that is unrolled; beyond it, converting takes minutes and the graph dominates the file's size.
STEPS = 64


@contextlib.contextmanager
def written_as(way, model):
    """Context in which recurrent layers are traced in the given way."""
    layers = recurrent_layers(model)
    if way == "while":
        with loops([layer for layer in layers if loops_fast(layer)], fast_loop):
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


def check_recurrent(way, model, form):
    """Raises ValueError if the model cannot be exported in the given way; the message names the layers.

    Args:
        way: of `WAYS`.
        model: as in `litert`.
        form: of the file.
    """
    if way == "while":
        return
    too_long = {name: steps for name, steps in _lengths(model, form).items() if steps > STEPS}
    if too_long:
        raise ValueError(
            f'recurrent="{way}" needs sequences of at most {STEPS} steps, for each becomes ops of its own. Received:\n'
            + "\n".join(f"  layer '{name}': {steps} steps" for name, steps in too_long.items())
            + '\nGive recurrent="while", which is exact for every recurrent layer, length and mask.'
        )


def _lengths(model, form):
    """Dict, name of a recurrent layer -> steps of its longest sequence; runs the model on zeros."""
    found = {}

    def spy(layer):
        loop = type(layer).inner_loop

        def inner_loop(sequences, initial_state, mask, training=False):
            found[layer.name] = max(found.get(layer.name, 0), sequences.shape[1])
            return loop(layer, sequences, initial_state, mask, training)

        return inner_loop

    with loops(recurrent_layers(model), spy):
        model(form.ready({name: _zeros(spec) for name, spec in form.specs(model).items()}))
    return found


def _zeros(spec):
    return tf.zeros([1 if n is None else n for n in spec.shape], spec.dtype)
