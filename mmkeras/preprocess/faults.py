"""What is wrong with single examples of a batch: an error by default; told beside the others' answers, where asked for.

A server batches the requests of several clients, and an error in the graph fails all of them. So an export may be
traced within `told()`: then `headers.refuse` and its like record the fault of each example instead of raising it, and
`each` goes on after a file that cannot be decoded. What is computed for such an example is without meaning; whoever
collects the faults replaces it.
"""

import contextlib
import contextvars

import tensorflow as tf

_told = contextvars.ContextVar("told", default=None)  # `Faults` of the graph that is being traced; None: errors


class Faults:
    """What was found while a graph was traced: texts (B,) by the name of a modality, "" where there is no fault."""

    def __init__(self):
        self._found = []

    def add(self, name, texts):
        """Records texts (B,) string; a table calls itself "NAME, column 'COLUMN'"."""
        self._found.append((name, texts))

    def of(self, *names):
        """The first fault of each example, (B,) string; None where nothing was checked under these names."""
        found = [texts for name, texts in self._found if name.partition(",")[0] in names]
        first = found[0] if found else None
        for texts in found[1:]:
            first = tf.where(first == "", texts, first)
        return first


@contextlib.contextmanager
def told():
    """Context in which a graph is traced whose faults are told: yields `Faults`."""
    token = _told.set(Faults())
    try:
        yield _told.get()
    finally:
        _told.reset(token)


def telling():
    """The `Faults` to add to; None where faults are errors."""
    return _told.get()


def within(function, name, like):
    """Calls a function in a branch of `tf.cond`, which only results may leave: the faults become one of them.

    Args:
        function: that returns tensors.
        name: of the modality.
        like: (n,) of anything; the function's faults are (n,) string.

    Returns:
        (what the function returns, faults): none of them where faults are errors.
    """
    if not telling():
        return function(), no_faults(like)
    with told() as found:
        result, texts = function(), found.of(name)
    return result, no_faults(like) if texts is None else texts


def check_numbers(name, wrong, rule, values=None, received=None):
    """Checks of numbers, which have no `headers.refuse`.

    Args:
        name: of the modality.
        wrong: (B, ...) bool.
        rule: what should hold; the message begins with the name, then the rule.
        values: (B, ...) numbers, as `wrong`; None where there is nothing to show.
        received: function that returns a tensor for the message of an error; None where there is nothing to show.

    Returns:
        List of ops that fail where something is wrong, for `tf.control_dependencies`; none where faults are told.
    """
    if not telling():
        shown = [] if received is None else [received()]
        found = tf.debugging.Assert(~tf.reduce_any(wrong), [f"{name}: {rule}", *shown])
        return [] if found is None else [found]  # None in eager mode
    wrong = tf.reshape(wrong, [tf.shape(wrong)[0], tf.reduce_prod(tf.shape(wrong)[1:])])  # -1 fails without examples
    texts = tf.fill(tf.shape(wrong)[:1], f"{name}: {rule}")
    if values is not None:
        flat = tf.reshape(values, tf.shape(wrong))
        first = tf.gather(flat, tf.argmax(tf.cast(wrong, tf.int32), 1), batch_dims=1)
        texts = tf.strings.join([texts, " ", tf.strings.as_string(first), "."])
    telling().add(name, tf.where(tf.reduce_any(wrong, 1), texts, ""))
    return []


def no_faults(like):
    """(n,) string of "", as long as `like`."""
    return tf.fill(tf.shape(like)[:1], "")


def each(function, examples, result):
    """`tf.map_fn`, one example at a time; where faults are told, those at which the function fails are passed over.

    Args:
        function: of one example; its errors are those of an op, or of an assertion.
        examples: structure of tensors (B, ...).
        result: structure of `tf.TensorSpec` with static shapes, that the function returns.

    Returns:
        (results (B, ...), failed (B,) bool): the results of those that failed are zeros.

    Example:

    >>> def root(x):
    ...     with tf.control_dependencies([tf.debugging.Assert(x >= 0, [x])]):
    ...         return tf.sqrt(x)
    >>> with told():
    ...     roots, failed = each(root, tf.constant([4.0, -1.0]), tf.TensorSpec((), tf.float32))
    >>> roots.numpy().tolist(), failed.numpy().tolist()
    ([2.0, 0.0], [False, True])
    """
    if telling():
        return _tolerant(function, examples, result)
    # Not in parallel: tf.data already runs batches in parallel, and one at a time is fastest within a batch.
    results = tf.map_fn(function, examples, fn_output_signature=result, parallel_iterations=1)
    return results, tf.zeros(tf.shape(tf.nest.flatten(examples)[0])[:1], tf.bool)


def _tolerant(function, examples, result):
    # An op cannot catch the error of another one; a data set can, within the graph and with ops of TensorFlow alone.
    # `get_single_element` costs 0.1 ms, where `reduce` and an iterator cost 3 to 8: they optimize the data set first.
    count = tf.shape(tf.nest.flatten(examples)[0], tf.int64)[0]
    numbered = tf.data.Dataset.from_tensor_slices((tf.range(count), examples))
    blank = tf.nest.map_structure(lambda spec: tf.zeros(spec.shape, spec.dtype), result)

    @tf.autograph.experimental.do_not_convert
    def one(number, example):
        token = _told.set(None)  # a check in here fails this example
        try:
            return number, function(example)
        finally:
            _told.reset(token)

    good = numbered.map(one).ignore_errors()
    found = good.concatenate(tf.data.Dataset.from_tensors((count, blank))).batch(count + 1)
    numbers, results = found.get_single_element()
    last = tf.size(numbers) - 1  # the blank one, which is always there
    rows = tf.tensor_scatter_nd_update(tf.fill([count + 1], last), numbers[:, None], tf.range(last + 1))[:-1]
    return tf.nest.map_structure(lambda values: tf.gather(values, rows), results), rows == last
