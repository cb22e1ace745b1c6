"""Runs a functional model operation by operation, so that the output of each can be read or replaced."""

from keras import tree
from keras.src.models.functional import Functional

from mmkeras.branches._backbone import Backbone

# Operations whose output depends only on the shape of their input, not on its values.
_SHAPE_ONLY = ("ZerosLike", "OnesLike", "FullLike", "LearnedTokens")


def run(model, inputs, replace=None, seen=None, scope=None):
    """Outputs of a functional model, as its own call gives them in inference.

    Args:
        model: functional `keras.Model`.
        inputs: tensors in the structure of its inputs; a dict may hold more.
        replace: dict, (scope, id of an operation) -> function of its output that gives what to go on with. The scope is
            the name of a ready tensor that the branch is called with: specs may share a branch.
        seen: list to which (scope, operation, output) of every operation is added, those of the models inside as well.
        scope: of all operations; None takes it from the inputs.

    Example:

    >>> import keras, tensorflow as tf
    >>> x = keras.Input((1,), name="x")
    >>> double = keras.layers.Rescaling(2.0)
    >>> model = keras.Model({"x": x}, {"y": double(x) + 1.0})
    >>> run(model, {"x": tf.ones((1, 1))}, {("x", id(double)): lambda output: output * 10})["y"].numpy().tolist()
    [[21.0]]
    """
    known = _fed(model, inputs)
    names = {id(tensor): tensor.name for tensor in model.inputs}
    for depth in sorted(model._nodes_by_depth, reverse=True):
        for node in model._nodes_by_depth[depth]:
            if node.is_input:
                continue
            own = scope or next((names[id(tensor)] for tensor in node.input_tensors if id(tensor) in names), None)
            output = _called(node, known, replace, seen, own)
            known |= {id(tensor): value for tensor, value in zip(node.outputs, tree.flatten(output), strict=True)}
    return tree.map_structure(lambda tensor: known[id(tensor)], model.output)


def _fed(model, inputs):
    if isinstance(model.input, dict):
        inputs = {name: inputs[name] for name in model.input}
    pairs = zip(tree.flatten(model.input), tree.flatten(inputs), strict=True)
    return {id(tensor): value for tensor, value in pairs}


def _called(node, known, replace, seen, scope):
    args, kwargs = node.arguments.fill_in(known)
    inner = inside(node.operation)
    output = node.operation(*args, **kwargs) if inner is None else run(inner, args[0], replace, seen, scope)
    change = (replace or {}).get((scope, id(node.operation)))
    output = output if change is None else change(output)
    if seen is not None:
        seen.append((scope, node.operation, output))
    return output


def inside(operation):
    """The functional model that an operation runs; None if it runs none."""
    model = operation.model if isinstance(operation, Backbone) else operation
    return model if isinstance(model, Functional) else None


def readers(model, name):
    """Pairs (operation, scope) of the models that read the input called `name`: a branch, or the model itself.

    The name of a ready tensor in the branch differs where specs share it: the third value.

    Example:

    >>> import keras
    >>> x = keras.Input((1,), name="x")
    >>> readers(keras.Model({"x": x}, keras.layers.Rescaling(2.0)(x)), "x")[1:]
    ('x', 'x')
    """
    outer = {id(tensor): tensor.name for tensor in model.inputs}
    for node in _nodes(model):
        own = [outer[id(tensor)] for tensor in node.input_tensors if id(tensor) in outer]
        inner = inside(node.operation)
        if name in own and inner is not None:
            scope = own[0]
            given = tree.flatten(node.arguments.args[0])
            at = next(i for i, tensor in enumerate(given) if outer.get(id(tensor)) == name)
            return inner, scope, tree.flatten(inner.input)[at].name
    return model, name, name


def entries(model, name):
    """Operations that read what is computed from the values of an input, first ones first, those of models inside too.

    Each comes with whether what it reads is made of whole numbers or of strings, so that it has no gradient.

    Example:

    >>> import keras
    >>> x = keras.Input((3,), dtype="int32", name="x")
    >>> found = entries(keras.Model({"x": x}, keras.layers.Embedding(5, 2)(x)), "x")
    >>> [(operation.name[:9], whole) for operation, whole in found]
    [('embedding', True)]
    """
    start = [tensor for tensor in model.inputs if tensor.name == name]
    return list(_entries(model, {id(tensor) for tensor in start}))


def _entries(model, derived):
    for node in _nodes(model):
        read = [tensor for tensor in node.input_tensors if id(tensor) in derived]
        if not read or type(node.operation).__name__ in _SHAPE_ONLY:
            continue
        inner = inside(node.operation)
        if inner is not None:
            given = tree.flatten(node.arguments.args[0])
            own = [tensor for tensor, value in zip(tree.flatten(inner.input), given, strict=True)
                   if id(value) in derived]  # fmt: skip
            yield from _entries(inner, {id(tensor) for tensor in own})
        else:
            yield node.operation, not any("float" in tensor.dtype for tensor in read)
        derived |= {id(tensor) for tensor in node.outputs if tensor.dtype != "bool"}


def _nodes(model):
    for depth in sorted(model._nodes_by_depth, reverse=True):
        yield from (node for node in model._nodes_by_depth[depth] if not node.is_input)
