"""Quantises a float32 .tflite to int8; `quantize_file` starts it.

The result is a single file with the same inputs and outputs. Each op gets one of three treatments, which `plan.py`
chooses. If the answers change too much, the part that is responsible gets a gentler treatment, until they do not. This
needs answers of the float file, and therefore runs in the same process.
"""

import sys
from pathlib import Path

import numpy as np

BANNED = ("tensorflow", "keras", "mmkeras")  # importing them takes seconds and memory
# Folders of `plan.py` and `distance.py`, which are imported as top-level modules.
_FOLDERS = [str(Path(__file__).parent), str(Path(__file__).parents[2])]


def answer(done, path, feeds, heads, limits, steps):
    """Replaces the float file by its quantised form.

    Args:
        done: called after each feed that was measured.
        path: of the .tflite.
        feeds: list of {input name: array}, to measure ranges and changes on.
        heads: dict, output name -> unit of `distance.distances`.
        limits: what may change on average, and at most; see `change`.
        steps: whether the lookup of an embedding starts a part in int8, as for unrolled recurrent layers.

    Returns:
        Dict: "parts", part -> "int8", "dynamic" or "float32"; "change"; and "before", what int8 everywhere changes.
    """
    sys.path += _FOLDERS
    import distance
    import plan

    graph = plan.Graph(Path(path).read_bytes())
    ranges, expected = measure(done, path, feeds)

    def tried(parts):
        data = graph.quantised(parts, ranges, steps)
        return change(heads, answers(data, feeds), expected, distance.distances), data, parts

    before, *_ = found = tried(dict.fromkeys(graph.parts(), "int8"))
    while beyond(found[0], limits) > 1 and set(found[2].values()) - {"float32"}:
        parts = found[2]
        gentler = [{**parts, part: plan.GENTLER[mode]} for part, mode in parts.items() if mode != "float32"]
        found = min(map(tried, gentler), key=lambda one: beyond(one[0], limits))
    Path(path).write_bytes(found[1])
    return {"parts": found[2], "change": found[0], "before": before}


def beyond(changes, limits):
    return max(each / limit for each, limit in zip(changes, limits, strict=True))


def measure(done, path, feeds):
    """Runs the float file.

    Returns:
        Dict, tensor index -> (min, max) over all feeds, of float tensors outside loops; and the list of answers.
    """
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    # Delegates do not expose the tensors between their ops.
    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(path, experimental_op_resolver_type=plain, experimental_preserve_all_tensors=True)
    runner = interpreter.get_signature_runner()
    ranges, found = {}, []
    for feed in feeds:
        found.append({name: value.copy() for name, value in runner(**feed).items()})
        for tensor in interpreter.get_tensor_details():
            if tensor["dtype"] is np.float32:
                _widen(ranges, tensor["index"], interpreter)
        done()
    return ranges, found


def _widen(ranges, index, interpreter):
    try:
        value = interpreter.get_tensor(index)
    except ValueError:  # the tensor holds no data: an optional input, a list
        return
    if value.size:
        low, high = ranges.get(index, (np.inf, -np.inf))
        ranges[index] = (min(low, float(value.min())), max(high, float(value.max())))


def answers(data, feeds):
    """The answers of a file, run as on devices."""
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(model_content=data, num_threads=1).get_signature_runner()
    return [{name: value.copy() for name, value in runner(**feed).items()} for feed in feeds]


def change(heads, received, expected, distances):
    """How far the answers moved, on average over the examples and at most; of the head that moved most.

    Args:
        heads: dict, output name -> unit.
        received, expected: lists of {output name: array}.
        distances: `distance.distances`. On average over the examples, values count in their own deviation instead,
            which is below that of the labels where a model has not learned much.

    Example:

    >>> from mmkeras.export.distance import distances
    >>> both = [[{"a": np.array([[0.5, 0.5]])}], [{"a": np.array([[0.25, 0.75]])}]]
    >>> change({"a": {"kind": "classes"}}, *both, distances)
    (0.25, 0.25)
    """
    worst = (0.0, 0.0)
    for name, unit in heads.items():
        mine, right = (np.concatenate([answer[name] for answer in every]) for every in (received, expected))
        size = float(np.abs(right).max())
        own = {"kind": "values", "std": [max(float(right.std()), 1e-6 * size, 1e-12)]}
        moved = distances(unit, mine, right)
        average = distances(own, mine, right) if unit["kind"] == "values" else moved
        found = float(average.mean()), float(moved.max())
        worst = tuple(np.inf if np.isnan(new) else max(old, new) for old, new in zip(worst, found, strict=True))
    return worst
