"""The ops that preprocessing needs besides TensorFlow's own."""

import importlib
import importlib.util

import tensorflow_text  # noqa: F401 - registers its ops


def register() -> None:
    """Loads the ops of tensorflow-text, and of tensorflow-io where it is installed, which else loads them late."""
    if importlib.util.find_spec("tensorflow_io"):
        from tensorflow_io.python.ops import core_ops

        core_ops.io_audio_decode_flac  # noqa: B018 - loads the library
