"""What a server can run: it gets the graph of a function with the tensors that it captures, and nothing of Python."""

import numpy as np
import tensorflow as tf

_PYTHON = {"PyFunc", "EagerPyFunc", "PyFuncStateless"}
_MOST_BYTES = 2**28  # protobuf ends at 2 GiB, and a server keeps what it has got


def check_portable(function, spec, read, names):
    """Raises ValueError if a function of a batch cannot be sent to a server.

    Args:
        function: of an element (key, payload).
        spec: nested `tf.TensorSpec` of the element.
        read: function, raw name -> function of an element, which reads that value.
        names: raw names.
    """
    whole = _traced(function, spec)
    if _calls_python(whole):
        which = [name for name in names if _calls_python(_traced(read(name), spec))]
        raise ValueError(
            "service= needs preprocessing without Python functions, which the graph that a server gets cannot hold. "
            f"Received: {f'some that read {which}' if which else 'some in preprocess'}. Leave service= out, or convert "
            "the files first: those of pictures to JPEG or PNG, of sounds to WAV, of videos to GIF or ZIP."
        )
    size = sum(map(_bytes, whole.captured_inputs))
    if size > _MOST_BYTES:
        raise ValueError(
            f"service= sends what the table holds to each server, at most {_MOST_BYTES / 1e6:,.0f} MB. Received: "
            f"{size / 1e6:,.0f} MB. Give files by their paths, on a file system that the servers share, or use "
            "mm.data.write_tfrecord and from_tfrecord."
        )


def _traced(function, spec):
    return tf.function(function, autograph=False).get_concrete_function(*spec)


def _calls_python(concrete):
    graph = concrete.graph.as_graph_def()
    nodes = [graph.node, *(each.node_def for each in graph.library.function)]
    return any(node.op in _PYTHON for part in nodes for node in part)


def _bytes(tensor):
    if tensor.dtype == tf.string:
        return int(tf.reduce_sum(tf.strings.length(tensor)))
    known = tensor.dtype != tf.resource and tensor.dtype != tf.variant  # a lookup table is small
    return int(np.prod(tensor.shape, dtype=np.int64)) * tensor.dtype.size if known else 0
