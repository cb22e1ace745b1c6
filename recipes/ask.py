"""Asks an exported model, as a server would: with TensorFlow and tensorflow-text, without mmkeras.

    python recipes/ask.py saved_models/quickstart/1 question="Which colour ...?" photo=a.jpg voice=a.wav

Each argument is NAME=VALUE; a value that is the path of a file stands for the bytes of that file; `~` is the home
folder. Prints the answers as one JSON object.
"""

import json
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported

import tensorflow as tf
import tensorflow_text  # noqa: F401  registers the ops that split text


def main(path, *pairs):
    """Loads the SavedModel in `path` and prints what it answers to one example."""
    answer = tf.saved_model.load(os.path.expanduser(path)).signatures["serving_default"]
    _, inputs = answer.structured_input_signature
    given = dict(pair.split("=", 1) for pair in pairs)
    answers = answer(**{name: tf.constant([_value(given[name], spec.dtype)]) for name, spec in inputs.items()})
    print(json.dumps({name: _plain(value[0].numpy()) for name, value in answers.items()}, ensure_ascii=False))


def _value(value, dtype):
    if dtype != tf.string:
        return float(value)
    file = os.path.expanduser(value)  # the shell leaves the ~ of photo=~/a.jpg
    return Path(file).read_bytes() if os.path.isfile(file) else value.encode()


def _plain(value):
    if isinstance(value, bytes):
        return value.decode()
    return [_plain(part) for part in value] if value.ndim else float(value)


if __name__ == "__main__":
    main(*sys.argv[1:])
