import keras
from keras import ops

from mmkeras.layers import MaskedMean


def inputs(spec, kind):
    """Symbolic ready tensors of a spec, by name."""
    if getattr(spec, "kind", None) != kind:
        use = f" Use mmkeras.branches.{spec.kind}." if hasattr(spec, "kind") else ""
        raise TypeError(f"This branch is for mm.{kind.capitalize()} specs. Received: {spec!r}.{use}")
    return ready_inputs(spec)


def ready_inputs(spec):
    """As `inputs`, for a spec of any kind."""
    if not hasattr(spec, "ready"):
        raise TypeError(f"A branch is for a spec. Received: {spec!r}. Give mm.Image, mm.Text, or another one.")
    return {name: keras.Input(shape, dtype=dtype, name=name) for name, (shape, dtype) in spec.ready.items()}


def branch(spec, inputs, tokens, mask):
    """Builds the branch's model, named after its modality."""
    if getattr(tokens, "_keras_mask", None) is not None:
        # Drops Keras' implicit mask, about which the next layer would warn; the explicit mask replaces it.
        tokens = ops.copy(tokens)
    return keras.Model(inputs, [tokens, mask], name=f"{spec.name}_branch")


def check_pool(spec, pool, choices):
    if pool not in choices:
        raise ValueError(f"pool of the branch of '{spec.name}' must be one of {list(choices)}. Received: {pool!r}.")


def one_token(vector, mask):
    """Vector (B, D) and the mask of what it was made from (B, T) -> tokens (B, 1, D), mask (B, 1)."""
    return ops.expand_dims(vector, 1), ops.any(mask, axis=1, keepdims=True)


def mean_token(tokens, mask):
    return one_token(MaskedMean()(tokens, mask), mask)
