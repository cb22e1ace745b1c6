"""Lists the ops of a SavedModel, and those that prevent serving."""

from pathlib import Path

from tensorflow.core.protobuf import saved_model_pb2

_PYTHON = ("PyFunc", "PyFuncStateless", "EagerPyFunc")


def used_ops(path):
    """Every op of the graphs and functions in a SavedModel.

    Args:
        path: folder that holds `saved_model.pb`.

    Returns:
        Dict, name of the op -> up to three places, "function/node" or "node".
    """
    saved = saved_model_pb2.SavedModel.FromString(Path(path, "saved_model.pb").read_bytes())
    places = {}
    for graph in (meta.graph_def for meta in saved.meta_graphs):
        functions = {function.signature.name: function.node_def for function in graph.library.function}
        for function, nodes in {"": graph.node, **functions}.items():
            for node in nodes:
                if node.op not in functions:  # in a SavedModel, function calls can be nodes
                    places.setdefault(node.op, []).append(f"{function}/{node.name}".lstrip("/"))
    return {op: found[:3] for op, found in sorted(places.items())}


def check_ops(places, owners=None):
    """Refuses what TF Serving's stock binary does not hold, or a machine without GPUs cannot run.

    Args:
        places: dict of `used_ops`.
        owners: dict, op -> "tensorflow", "tensorflow-text", or None where neither registers it. Without it only
            ops that are known by name to be no good are refused, which needs no other process.

    Raises:
        ValueError: some op may not be served; each is named with its place and the reason.
    """
    problems = {op: problem for op in places if (problem := _problem(op, (owners or {}).get(op, "")))}
    if problems:
        lines = [f"  {op}: {problem} Found at {', '.join(places[op])}." for op, problem in problems.items()]
        raise ValueError(
            "A served graph may hold only ops of TensorFlow and tensorflow-text. Received:\n" + "\n".join(lines)
        )


def _problem(op, owner):
    if op in _PYTHON:
        return "it calls Python, which is not there when served; write it with TensorFlow ops."
    if op.startswith("Cudnn"):
        return "it runs on GPUs only; give the layer use_cudnn=False."
    if op.startswith("Xla"):
        return "the serving process would compile it; write it with other ops, ops.slice_update with ops.where."
    if owner is None:
        return "no TensorFlow op; decode with mmkeras.preprocess, and keep tensorflow-io in the training pipeline."
    return None
