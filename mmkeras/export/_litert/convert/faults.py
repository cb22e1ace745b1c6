"""Error messages for failed conversions, with op and layer."""

import re

# loc(callsite(callsite(fused["Svd:", "model_1/layer_1/Svd@__infer..."] at ...)): 'tf.Svd' op is neither a custom op
_UNKNOWN = re.compile(r"""fused\["\w+:", "([^"@]*)[^"]*"\][^\n]*'tf\.(\w+)' op is neither a custom op nor a flex op""")


def check_converted(answer, model, shapes=None):
    """Raises an error if the conversion failed.

    Args:
        answer: {"seconds"} or {"error"} of `convert_files`.
        model: keras.Model, to name its layers.
        shapes: dict, input name -> shape.

    Raises:
        ValueError: an op is not a builtin op of LiteRT (the message names it and its layer), or the conversion failed
            for another reason.
    """
    if "error" not in answer:
        return
    found = {(op, place) for place, op in _UNKNOWN.findall(answer["error"])}
    free = [name for name, shape in (shapes or {}).items() if None in shape]
    remedy = f" The length of {free} is free; with fixed_length=True it may convert." if free else ""
    if not found:
        raise ValueError(f"The model must convert to LiteRT.{remedy} Received:\n{answer['error'][-2000:]}")
    names = {layer.name for layer in model._flatten_layers()}
    lines = sorted(f"  {op}, from {layer_of(place, names)}" for op, place in found)
    raise ValueError(
        "A LiteRT file may hold builtin ops only; a device has no other kernels. Received:\n"
        + "\n".join(lines[:20])
        + f"\nWrite these layers with keras.ops that LiteRT has, or leave them out of the model.{remedy}"
    )


def layer_of(place, names):
    """The layer of a node of the graph.

    Args:
        place: "model_1/layer_1/Svd"; Keras numbers repeated scopes.
        names: of the model's layers.

    Example:

    >>> layer_of("model_1/inner_1/Svd", {"model", "inner", "other"})
    "layer 'inner' (model_1/inner_1/Svd)"
    """
    for part in reversed(place.split("/")[:-1]):
        known = [name for name in (re.sub(r"_\d+$", "", part), part) if name in names]
        if known:
            return f"layer '{known[0]}' ({place})"
    return place
