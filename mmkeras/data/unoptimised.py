"""Functions of data sets that TensorFlow runs as they are.

`tf.data` optimises the graph of each function anew for every iterator, with Grappler. For the decoding and checks of a
picture that takes a second, for a text, a picture, a sound and a table more than two, and saves nothing that could be
measured. It leaves out functions with the attribute below, which says that they run on one device (seen with
TensorFlow 2.17 and 2.21), and branches that no example takes are not even set up then.
"""

import tensorflow as tf

_ATTRIBUTES = {"experimental_ints_on_device": True}


class Unoptimised(tf.data.Dataset):
    """The data set of a variant, which keeps alive what its function refers to."""

    def __init__(self, variant, spec, source, function):
        self._spec, self._source, self._function = spec, source, function
        super().__init__(variant)

    @property
    def element_spec(self):
        return self._spec

    def _inputs(self):
        return [self._source]


def map_unoptimised(dataset, function):
    """As `dataset.map(function)`, one element after the other; `function` returns nested tensors."""
    concrete = _concrete(dataset, function)
    if not _on_one_device(concrete):
        return dataset.map(function)
    spec = tf.nest.map_structure(lambda x: tf.TensorSpec(x.shape, x.dtype), concrete.structured_outputs)
    variant = tf.raw_ops.MapDataset(**_common(dataset, concrete, spec), preserve_cardinality=True)
    return Unoptimised(variant, spec, dataset, concrete)


def interleave_unoptimised(dataset, function, workers):
    """As `dataset.interleave(function)` of as many `workers`, each of them an element at a time, in order."""
    specs = []

    def made(*element):
        inner = function(*element)
        specs.append(inner.element_spec)
        return tf.data.experimental.to_variant(inner)

    concrete = _concrete(dataset, made)
    if not _on_one_device(concrete):
        return dataset.interleave(function, workers, 1, num_parallel_calls=workers, deterministic=True)
    variant = tf.raw_ops.ParallelInterleaveDatasetV4(
        **_common(dataset, concrete, specs[0]),
        cycle_length=workers,
        block_length=1,
        buffer_output_elements=tf.data.AUTOTUNE,
        prefetch_input_elements=tf.data.AUTOTUNE,
        num_parallel_calls=workers,
        deterministic="true",
    )
    return Unoptimised(variant, specs[0], dataset, concrete)


def _common(dataset, concrete, spec):
    """The arguments that the ops of data sets have in common."""
    flat = tf.nest.flatten(spec, expand_composites=True)
    return {
        "input_dataset": tf.data.experimental.to_variant(dataset),
        "other_arguments": concrete.captured_inputs,
        "f": concrete,
        "output_types": [each.dtype for each in flat],
        "output_shapes": [each.shape for each in flat],
    }


def inlined(function, inputs):
    """What a traced function gives, with its graph as a part of the one that is being made: a call would be optimised.

    Args:
        function: `tf.function` with a signature, of a dict of tensors -> nested tensors. Others are called.
        inputs: dict of tensors in a graph.
    """
    if not hasattr(function, "get_concrete_function"):
        return function(inputs)
    concrete = function.get_concrete_function()
    graph = tf.compat.v1.get_default_graph()
    captured = [graph.capture(each) for each in concrete.captured_inputs]
    given = dict(zip((each.name for each in concrete.inputs), [*tf.nest.flatten(inputs), *captured], strict=True))
    names = [each.name for each in concrete.outputs]
    made = tf.graph_util.import_graph_def(concrete.graph.as_graph_def(), given, names, name="inlined")
    return tf.nest.pack_sequence_as(concrete.structured_outputs, made)


def _concrete(dataset, function):
    spec = dataset.element_spec

    @tf.function(autograph=False, experimental_attributes=_ATTRIBUTES)
    def call(*flat):
        element = tf.nest.pack_sequence_as(spec, flat)
        return function(*element) if isinstance(spec, tuple) else function(element)

    return call.get_concrete_function(*tf.nest.flatten(spec))


def _on_one_device(concrete):
    """Whether all variables and tables are on the CPU, where data sets run; elsewhere they need to be copied."""
    held = [_of_outermost(each) for each in concrete.captured_inputs if each.dtype == tf.resource]
    return all("CPU:0" in each.device for each in held)


def _of_outermost(tensor):
    """What a graph within graphs has captured, as the outermost one was given it."""
    for outer, inner in getattr(getattr(tensor, "graph", None), "captures", ()):
        if inner is tensor:
            return _of_outermost(outer)
    return tensor
