"""Ops and signature of a .tflite file, read from the flatbuffer, including all subgraphs."""

import collections
from pathlib import Path


def used_ops(path):
    """Every op of a .tflite file.

    Args:
        path: of the file.

    Returns:
        Dict, name of the op -> list of the layers (the paths of the tensors it computes), one entry for each use.
        A custom op bears its own name, a TensorFlow op that needs the Flex delegate "Flex...".
    """
    from ai_edge_litert import schema_py_generated as schema

    kinds = {code: name for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
    model = schema.Model.GetRootAs(Path(path).read_bytes())
    names = [_op_name(model.OperatorCodes(i), kinds) for i in range(model.OperatorCodesLength())]
    places = collections.defaultdict(list)
    for graph in (model.Subgraphs(i) for i in range(model.SubgraphsLength())):
        for op in (graph.Operators(i) for i in range(graph.OperatorsLength())):
            place = _text(graph.Tensors(op.Outputs(0)).Name()) if op.OutputsLength() else _text(graph.Name())
            places[names[op.OpcodeIndex()]].append(place)
    return dict(sorted(places.items()))


def _op_name(code, kinds):
    # Older converters store the op's code in one byte only.
    number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    return _text(code.CustomCode()) if kinds[number] == "CUSTOM" else kinds[number]


def _text(value):
    return value.decode() if value else "?"


def check_builtin(places):
    """Raises ValueError if an op is not a builtin op of LiteRT; the message names its layer.

    Args:
        places: dict of `used_ops`.
    """
    from ai_edge_litert.schema_py_generated import BuiltinOperator

    foreign = {op: found for op, found in places.items() if op == "CUSTOM" or not hasattr(BuiltinOperator, op)}
    if foreign:
        lines = [f"  {op}, from {', '.join(sorted(set(found))[:3])}" for op, found in foreign.items()]
        raise ValueError(
            "A LiteRT file may hold builtin ops only; a device has no other kernels. Received:\n" + "\n".join(lines)
        )


def signature(path):
    """Names, shapes and dtypes of the only signature: {"inputs", "outputs"}, name -> {"shape", "dtype"}.

    A free length is None.
    """
    from ai_edge_litert import schema_py_generated as schema

    dtypes = {code: name.lower() for name, code in vars(schema.TensorType).items() if not name.startswith("_")}
    model = schema.Model.GetRootAs(Path(path).read_bytes())
    if model.SignatureDefsLength() != 1:
        raise ValueError(f"A LiteRT file must hold one signature. Received: {model.SignatureDefsLength()}.")
    found = model.SignatureDefs(0)
    graph = model.Subgraphs(found.SubgraphIndex())

    def describe(entry):
        tensor = graph.Tensors(entry.TensorIndex())
        free = tensor.ShapeSignatureLength() > 0
        shape = [int(n) for n in (tensor.ShapeSignatureAsNumpy() if free else _shape(tensor))]
        return {"shape": [None if n < 0 else n for n in shape], "dtype": dtypes[tensor.Type()]}

    inputs = [found.Inputs(i) for i in range(found.InputsLength())]
    outputs = [found.Outputs(i) for i in range(found.OutputsLength())]
    return {
        "inputs": {_text(entry.Name()): describe(entry) for entry in inputs},
        "outputs": {_text(entry.Name()): describe(entry) for entry in outputs},
    }


def _shape(tensor):
    return tensor.ShapeAsNumpy() if tensor.ShapeLength() else []
