"""Python functions within the graphs of data sets, which are freed together with the data set."""

import weakref
from collections.abc import Callable, Sequence

import tensorflow as tf


def python_function(
    function: Callable, inputs: Sequence, dtypes: tf.DType | Sequence[tf.DType], *, eager: bool = False
) -> tf.Tensor | list[tf.Tensor]:
    """`tf.numpy_function`, or `tf.py_function`, that does not keep its function until the process ends.

    TensorFlow holds such a function by a list of the global graph, and with it all that the function refers to: the
    examples, their data sets and their graphs, several megabytes for each data set ever made. Here that list holds a
    weak reference only, and the graph of the data set holds the function.

    Args:
        function: as for `tf.numpy_function`; AutoGraph leaves it as it is.
        inputs: tensors.
        dtypes: dtype of what the function returns, or a list of dtypes.
        eager: whether the function gets eager tensors, as with `tf.py_function`, in place of arrays.

    Returns:
        A tensor, or a list of tensors, of unknown shape.
    """

    def held(*values):
        return function(*values)

    reference = weakref.ref(held)

    @tf.autograph.experimental.do_not_convert
    def call(*values):
        return reference()(*values)

    # When executed eagerly, `held` is alive until this function returns.
    if not tf.executing_eagerly():
        _outermost(tf.compat.v1.get_default_graph()).add_to_collection("mmkeras_python_functions", held)
    return (tf.py_function if eager else tf.numpy_function)(call, inputs, dtypes)


def _outermost(graph):
    """The graph of the whole function that a graph, such as a branch of `tf.cond`, is part of."""
    while hasattr(getattr(graph, "outer_graph", None), "outer_graph"):  # the global graph has none
        graph = graph.outer_graph
    return graph
