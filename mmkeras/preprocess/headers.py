"""Reads the headers of a whole batch of files at once, in TensorFlow's own ops, and refuses wrong files by name."""

import tensorflow as tf


def peek(x, at, count):
    """`count` bytes of each file from its position `at` on; zeros past its end.

    Args:
        x: (B,) string, the files.
        at: (B,) int64, positions in bytes.
        count: how many bytes, a Python int.

    Returns:
        (B, count) int64 in 0..255.

    Example:

    >>> peek(tf.constant([b"RIFF", b"ab"]), tf.constant([2, 0], "int64"), 3).numpy().tolist()
    [[70, 70, 0], [97, 98, 0]]
    """
    at = tf.clip_by_value(at, 0, length(x))
    part = tf.strings.substr(x, at, tf.fill(tf.shape(at), tf.constant(count, tf.int64)))
    return tf.cast(tf.io.decode_raw(part, tf.uint8, fixed_length=count), tf.int64)


def length(x):
    """Length of each file in bytes, (B,) int64."""
    return tf.cast(tf.strings.length(x), tf.int64)


def little(data):
    """The unsigned number in the last axis of `data`, its lowest byte first."""
    return tf.reduce_sum(data * [256**i for i in range(data.shape[-1])], axis=-1)


def big(data):
    """The unsigned number in the last axis of `data`, its highest byte first."""
    return little(data[..., ::-1])


def spells(data, text):
    """Whether the bytes (B, n) begin with `text`, (B,) bool."""
    return tf.reduce_all(data[:, : len(text)] == list(text), axis=-1)


def first_true(*conditions):
    """Number of the first condition, (B,) bool each, that is True, counted from 1; 0 where none is. (B,) int32."""
    code = tf.zeros_like(conditions[0], tf.int32)
    for number in range(len(conditions), 0, -1):
        code = tf.where(conditions[number - 1], number, code)
    return code


def follow(step, state):
    """Repeats `step` on the state (positions, active, ...) while a file of the batch is active; 256 steps at most.

    Args:
        step: function of the state's tensors, gives the next ones.
        state: tensors of B rows each; the second is (B,) bool.
    """

    def active(at, active, *others):
        return tf.reduce_any(active)

    return tf.while_loop(active, step, state, parallel_iterations=1, maximum_iterations=256)


def refuse(x, name, problem, messages, details=None, place=None):
    """Passes `x` on, or stops the graph with the message of the first file that has a problem.

    Args:
        x: (B,) string, the files.
        name: of the modality, for the message.
        problem: (B,) int32, number of the problem, counted from 1; 0 where there is none.
        messages: (rule, remedy) per problem, in the order of the problems.
        details: function -> (B,) string, more about what was received; called for the message only.
        place: function, row -> what the message calls it, () string; None: "example ROW of the batch".

    Raises:
        tf.errors.InvalidArgumentError: where `problem` is not 0, in eager code and in a graph alike.

    Example:

    >>> files = tf.constant([b"ok", b""])
    >>> refuse(files, "voice", first_true(files == b""), [("A sound is needed.", "Give one.")])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    tensorflow...InvalidArgumentError: ...voice: A sound is needed. Received: 0 bytes (example 1 of the batch)...
    """

    def fail():
        row = tf.argmax(problem > 0, output_type=tf.int32)
        code = problem[row] - 1
        more = "" if details is None else details()[row]
        parts = [tf.gather([rule for rule, _ in messages], code), " Received: ", _shown(x[row]), more]
        parts += [" (", (place or _example)(row), "). "]
        text = tf.strings.join([f"{name}: ", *parts, tf.gather([remedy for _, remedy in messages], code)])
        with tf.control_dependencies([tf.raw_ops.Assert(condition=False, data=[text], summarize=1)]):
            return tf.identity(x)

    return tf.cond(tf.reduce_all(tf.equal(problem, 0)), lambda: x, fail)


def _example(row):
    return tf.strings.join(["example ", tf.strings.as_string(row), " of the batch"])


def _shown(file):
    """'17 bytes beginning with "hello"', in printable characters only: an error message has to be UTF-8."""
    start = tf.strings.unicode_transcode(
        tf.strings.substr(file, 0, 16), "US-ASCII", "UTF-8", "replace", ord("?"), replace_control_characters=True
    )
    count = tf.strings.join([tf.strings.as_string(tf.strings.length(file)), " bytes"])
    return tf.where(file == b"", count, tf.strings.join([count, ' beginning with "', start, '"']))
