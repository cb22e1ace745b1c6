"""Extracts the readable part of TensorFlow's errors."""

import contextlib
import re

# Text that Keras, AutoGraph and tf.data add around an op's own message.
_WRAPPINGS = [
    r"Exception encountered when calling .*?\n\n",
    r"\n\nArguments received by .*",
    r"in user code:.*?\w+Error: ",
    r"\{\{.*?\}\} ?",
    r"Error in user-defined function passed to \S+ transformation with iterator: \S+ ",
    r"\s*\[Op:.*",
    r"\s*\[\[.*",
]
_RAISED = re.compile(r"ValueError: (.*?)(?:\nTraceback|\Z)", re.DOTALL)


def cause_of(error):
    """The readable part of a TensorFlow error."""
    message = re.sub(r"\x1b\[[0-9;]*m", "", error.message or str(error))
    own = _RAISED.search(message)
    if own:  # the error was raised by Python code inside a graph
        return own.group(1).strip()
    kernel = re.search(r"assertion failed: \[(.*?)\]\s*(?:\[\[\{\{|\[Op:|\Z)", message, re.DOTALL)
    if kernel:
        return _unescaped(kernel.group(1).replace("] [", " "))
    message = re.sub("|".join(_WRAPPINGS), "", message, flags=re.DOTALL)
    eager = re.search(r"to be true\. Summarized data: (.*)", message, re.DOTALL)
    if eager:
        parts = re.findall(r"""b'((?:[^'\\]|\\.)*)'|b"((?:[^"\\]|\\.)*)"|(\S+)""", eager.group(1))
        return " ".join(_unescaped("".join(part)) for part in parts)
    return message.strip().splitlines()[0] if message.strip() else type(error).__name__


def _unescaped(text):
    """Reverses the escaping of quotes and bytes by TensorFlow or `repr`."""
    return text.encode().decode("unicode_escape", "replace").encode("latin-1", "replace").decode("utf-8", "replace")


@contextlib.contextmanager
def readable_errors():
    """Context in which a `ValueError` or failed assertion in a data set's graph is raised as a `ValueError`.

    `tf.data` wraps them in an `InvalidArgumentError` or `UnknownError`, whose text begins with TensorFlow's own frames.
    That error stays the cause. Other errors pass unchanged.
    """
    try:
        yield
    except Exception as error:
        if not _is_of_data(error):
            raise
        raise ValueError(cause_of(error)) from error


def _is_of_data(error):
    # Compare the module's name, because this module must not import TensorFlow.
    message = getattr(error, "message", None) if type(error).__module__.startswith("tensorflow") else None
    return isinstance(message, str) and bool(_RAISED.search(message) or "assertion failed: [" in message)
