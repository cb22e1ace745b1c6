"""Plans which ops of a float .tflite become int8. Only `quantize.py` imports it, in a process without mmkeras.

int8     weights and activations, with measured ranges: convolutions, and the ops after them up to the first one that
         is better left in float (softmax, norms, attention)
dynamic  8-bit weights, activations scaled in each call: other products with a constant matrix, also in loops
float32  all other ops, and everything before a logarithm or a Fourier transform: the log-mel front end

LiteRT's own quantiser does the work: https://github.com/google-ai-edge/ai-edge-quantizer
"""

import re

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_quantizer import qtyping, quantizer
from ai_edge_quantizer.utils import tfl_flatbuffer_utils

GENTLER = {"int8": "dynamic", "dynamic": "float32"}
_CONVOLUTIONS = {"CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV"}
_PRODUCTS = _CONVOLUTIONS | {"FULLY_CONNECTED"}
# Ops that stay int8 after an int8 op.
_FOLLOWERS = _PRODUCTS | {
    "ADD", "AVERAGE_POOL_2D", "CONCATENATION", "LOGISTIC", "MAX_POOL_2D", "MEAN", "MUL", "PACK", "PAD", "RELU",
    "RESHAPE", "SELECT", "SELECT_V2", "SLICE", "SPLIT", "STRIDED_SLICE", "SUB", "TANH", "TRANSPOSE", "UNPACK",
}  # fmt: skip
_FLOAT_BEFORE = {"LOG", "RFFT2D"}  # everything before these ops stays float: powers span decades
_WEIGHTS = 1024  # smallest matrix worth quantising, in numbers, as in LiteRT's converter
_WIDEST = 1e4  # with a wider range, such as a mask of -1e9, int8 has no resolution left for the other scores
_TAG = re.compile(r"^(?:int8|dynamic|float32)/\d+\.\d+/")
_KINDS = {code: name for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")}


class Op:
    """One op: its kind, the indices of its tensors, and the modalities that it depends on."""

    def __init__(self, kind, op, weights):
        self.kind = kind
        self.inputs = [int(i) for i in op.inputs if i >= 0]
        self.outputs = [int(i) for i in op.outputs]
        self.weights = weights  # number of its constant elements
        self.part, self.before_log = "fusion", False


class Graph:
    """A float file, and what can be made of it.

    Args:
        data: bytes of the .tflite.
    """

    def __init__(self, data):
        self.data = data
        self.model = _read(data)
        self.graphs = [self._ops(graph) for graph in self.model.subgraphs]
        self._trace(self.model.subgraphs[0], self.graphs[0])

    def _ops(self, graph):
        written = {int(i) for op in graph.operators for i in op.outputs} | {int(i) for i in graph.inputs}
        ops = []
        for op in graph.operators:
            code = self.model.operatorCodes[op.opcodeIndex]
            constant = [i for i in op.inputs if i >= 0 and i not in written and _is_float(graph.tensors[i])]
            sizes = [int(np.prod(graph.tensors[i].shape)) for i in constant]
            ops.append(Op(_KINDS[max(code.builtinCode, code.deprecatedBuiltinCode)], op, max(sizes, default=0)))
        return ops

    def _trace(self, graph, ops):
        """Assigns each op to a part by the inputs that it depends on, and finds the ops before a logarithm."""
        names = {entry.tensorIndex: entry.name.decode() for entry in self.model.signatureDefs[0].inputs}
        reach = {index: {name.removesuffix("_mask")} for index, name in names.items()}
        for op in ops:
            modalities = set().union(*(reach.get(i, set()) for i in op.inputs))
            reach.update(dict.fromkeys(op.outputs, modalities))
            op.part = next(iter(modalities)) if len(modalities) == 1 else "fusion"
        wanted = set()
        for op in reversed(ops):
            op.before_log = op.kind in _FLOAT_BEFORE or not wanted.isdisjoint(op.outputs)
            wanted.update(op.inputs if op.before_log else ())

    def parts(self):
        """Names of the parts with something to quantise: modalities, and "fusion"."""
        heavy = (op for op in self.graphs[0] if op.kind == "WHILE" or self._weighs(op))
        found = {op.part for op in heavy if not op.before_log}
        return sorted(found)

    @staticmethod
    def _weighs(op):
        return op.kind in _CONVOLUTIONS or (op.kind in {"FULLY_CONNECTED", "GATHER"} and op.weights >= _WEIGHTS)

    def treatments(self, parts, ranges, steps):
        """For each subgraph a list of "int8", "dynamic" or None, one for each op.

        Args:
            parts: dict, part -> "int8", "dynamic" or "float32".
            ranges: dict, tensor index -> (min, max) in the main graph.
            steps: whether the lookup of an embedding starts a part in int8.
        """
        tensors, flowing, main = self.model.subgraphs[0].tensors, set(), []
        loops = dict.fromkeys(range(1, len(self.graphs)), "float32")
        for op, raw in zip(self.graphs[0], self.model.subgraphs[0].operators, strict=True):
            mode = "float32" if op.before_log else parts.get(op.part, "float32")
            if op.kind == "WHILE":
                loops.update(dict.fromkeys(self._bodies(raw), mode))
            floats = [i for i in (*op.inputs, *op.outputs) if _is_float(tensors[i])]
            known = all(max(map(abs, ranges.get(i, (np.inf,)))) < _WIDEST for i in floats)
            inputs = {i for i in op.inputs if i in floats and self._computed(i)}
            follows = known and op.kind in _FOLLOWERS and inputs and flowing >= inputs
            main.append(self._one(op, mode, known, follows, steps))
            if main[-1] == "int8" and (op.kind != "GATHER" or steps):
                flowing.update(op.outputs)
        rest = ((graph, loops[i]) for i, graph in enumerate(self.graphs) if i)
        return [main, *([self._dynamic(op, mode) for op in graph] for graph, mode in rest)]

    def _bodies(self, loop):
        """Indices of the subgraphs that a loop runs, and of those of the loops in it."""
        body = loop.builtinOptions.bodySubgraphIndex
        pairs = zip(self.graphs[body], self.model.subgraphs[body].operators, strict=True)
        return [body, *(index for op, raw in pairs if op.kind == "WHILE" for index in self._bodies(raw))]

    def _one(self, op, mode, known, follows, steps):
        if mode != "float32" and op.kind == "GATHER" and op.weights >= _WEIGHTS:
            return "int8"  # an 8-bit table whose range is known
        starts = known and op.kind in _CONVOLUTIONS
        possible = op.kind not in _PRODUCTS or op.weights
        if mode == "int8" and possible and (follows or starts):
            return "int8"
        return self._dynamic(op, mode)

    @staticmethod
    def _dynamic(op, mode):
        return "dynamic" if mode != "float32" and op.kind in _PRODUCTS and op.weights >= _WEIGHTS else None

    def _computed(self, index):
        buffer = self.model.buffers[self.model.subgraphs[0].tensors[index].buffer]
        return buffer.data is None or not len(buffer.data)

    def _statistics(self, model, ranges):
        """Ranges by name, except those of matrices, which are quantised per row."""
        matrices = {i for op in self.graphs[0] if op.kind in _PRODUCTS for i in op.inputs if not self._computed(i)}
        tensors = {i: tensor for i, tensor in enumerate(model.subgraphs[0].tensors) if i not in matrices}
        known = {i: ranges[i] for i in tensors.keys() & ranges.keys()}  # the interpreter adds temporary tensors
        sizes = {i: (1,) * (0 if tensor.shape is None else len(tensor.shape)) for i, tensor in tensors.items()}
        return {
            tensors[i].name.decode(): {"min": np.full(sizes[i], low), "max": np.full(sizes[i], high)}
            for i, (low, high) in known.items()
        }

    def quantised(self, parts, ranges, steps):
        """The file's bytes, with each part quantised as `parts` says."""
        treatments = self.treatments(parts, ranges, steps)
        if not any(map(any, treatments)):
            return self.data
        model = _read(self.data)
        _tag(model, treatments)
        statistics = self._statistics(model, ranges)
        work = quantizer.Quantizer(bytes(_packed(model)))
        for treatment, kind in sorted({(t, op.kind) for ts, ops in zip(treatments, self.graphs, strict=True)
                                       for t, op in zip(ts, ops, strict=True) if t}):  # fmt: skip
            name = qtyping.TFLOperationName("CONV_2D_TRANSPOSE" if kind == "TRANSPOSE_CONV" else kind)
            if treatment == "int8":
                work.add_static_config("^int8/", name, activation_num_bits=8, weight_num_bits=8)
            else:
                work.add_dynamic_config("^dynamic/", name, num_bits=8)
        result = work.quantize(statistics, enable_progress_bar=False, enable_progress_report=False)
        return _untagged(bytes(result.quantized_model))


def _read(data):
    return tfl_flatbuffer_utils.read_model(data)


def _packed(model):
    import flatbuffers

    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), b"TFL3")
    return builder.Output()


def _is_float(tensor):
    return tensor.type == schema.TensorType.FLOAT32


def _tag(model, treatments):
    """Renames tensors uniquely, as the quantiser requires, with their op's treatment as the prefix."""
    for i, graph in enumerate(model.subgraphs):
        tags = dict.fromkeys(range(len(graph.tensors)), "float32")
        for op, treatment in zip(graph.operators, treatments[i], strict=True):
            tags.update(dict.fromkeys(map(int, op.outputs), treatment or "float32"))
        for index, tensor in enumerate(graph.tensors):
            tensor.name = f"{tags[index]}/{i}.{index}/".encode() + (tensor.name or b"")


def _untagged(data):
    model = _read(data)
    for tensor in (tensor for graph in model.subgraphs for tensor in graph.tensors):
        tensor.name = _TAG.sub("", tensor.name.decode()).encode()
    return bytes(_packed(model))
