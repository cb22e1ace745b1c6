"""Reads the headers of a batch of files in TensorFlow ops, and raises errors that name the invalid file."""

import tensorflow as tf

from mmkeras.preprocess import faults


def peek(x, at, count):
    """Reads `count` bytes of each file, starting at position `at`; zeros past its end.

    Args:
        x: (B,) string, the files.
        at: (B,) int64, positions in bytes.
        count: number of bytes, a Python int.

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
    """Unsigned little-endian integers from the bytes in the last axis of `data`."""
    return tf.reduce_sum(data * [256**i for i in range(data.shape[-1])], axis=-1)


def big(data):
    """Unsigned big-endian integers from the bytes in the last axis of `data`."""
    return little(data[..., ::-1])


def spells(data, text):
    """Whether the bytes (B, n) start with `text`, (B,) bool."""
    return tf.reduce_all(data[:, : len(text)] == list(text), axis=-1)


def first_true(*conditions):
    """Index of the first true condition ((B,) bool each), counted from 1; 0 if there is none. (B,) int32."""
    code = tf.zeros_like(conditions[0], tf.int32)
    for number in range(len(conditions), 0, -1):
        code = tf.where(conditions[number - 1], number, code)
    return code


def follow(step, state):
    """Repeats `step` on the state (positions, active, ...) while any file is active, for at most 256 steps.

    Args:
        step: function of the tensors of the state, which returns the next ones.
        state: tensors of B rows each; the second is (B,) bool.
    """

    def active(at, active, *others):
        return tf.reduce_any(active)

    return tf.while_loop(active, step, state, parallel_iterations=1, maximum_iterations=256)


def refuse(x, name, problem, messages, details=None, place=None):
    """Returns `x`, or raises an error with the message of the first file that has a problem.

    Where faults are told (see `faults`), they are recorded instead, and "" takes the place of these files.

    Args:
        x: (B,) string, the files.
        name: name of the modality, for the message.
        problem: (B,) int32, number of the problem, counted from 1; 0 for no problem.
        messages: list of (rule, remedy), one for each problem.
        details: function that returns further text about what was received, (B,) string; called only on errors.
        place: function, row -> its description in the error, () string; None: "example ROW of the batch".

    Raises:
        tf.errors.InvalidArgumentError: if `problem` is not 0 for all files, in eager and graph mode.

    Example:

    >>> files = tf.constant([b"ok", b""])
    >>> refuse(files, "voice", first_true(files == b""), [("A sound is needed.", "Give one.")])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    tensorflow...InvalidArgumentError: ...voice: A sound is needed. Received: 0 bytes (example 1 of the batch)...
    """
    none = tf.reduce_all(tf.equal(problem, 0))

    def fail():
        row = tf.argmax(problem > 0, output_type=tf.int32)
        more = tf.strings.join(["" if details is None else details()[row], " (", (place or _example)(row), ")"])
        text = _text(name, x[row], problem[row], messages, more)
        with tf.control_dependencies([tf.raw_ops.Assert(condition=False, data=[text], summarize=1)]):
            return tf.identity(x)

    def tell():
        texts = _text(name, x, tf.maximum(problem, 1), messages, "" if details is None else details())
        return tf.where(problem > 0, texts, ""), tf.where(problem > 0, "", x)

    if faults.telling():
        texts, x = tf.cond(none, lambda: (faults.no_faults(x), x), tell)
        faults.telling().add(name, texts)
        return x
    return tf.cond(none, lambda: x, fail)


def kept(headers, x):
    """What was read from the headers, a structure of (B,), or 0 for files that were refused or are absent.

    Only where faults are told; else none can have been refused.
    """
    if not faults.telling():
        return headers
    return tf.nest.map_structure(lambda each: tf.where(x == "", tf.zeros_like(each), each), headers)


def _text(name, x, problem, messages, more):
    rules, remedies = ([message[i] for message in messages] for i in range(2))
    parts = [f"{name}: ", tf.gather(rules, problem - 1), " Received: ", _shown(x), more, ". "]
    return tf.strings.join([*parts, tf.gather(remedies, problem - 1)])


def _example(row):
    return tf.strings.join(["example ", tf.strings.as_string(row), " of the batch"])


def _shown(file):
    """'17 bytes beginning with "hello"', with other characters replaced, since error messages must be UTF-8."""
    start = tf.strings.unicode_transcode(
        tf.strings.substr(file, 0, 16), "US-ASCII", "UTF-8", "replace", ord("?"), replace_control_characters=True
    )
    count = tf.strings.join([tf.strings.as_string(tf.strings.length(file)), " bytes"])
    return tf.where(file == b"", count, tf.strings.join([count, ' beginning with "', start, '"']))
