"""Rows -> what TF Serving's protocols take, by the dtypes and shapes that `/metadata` names.

Source: TensorFlow Serving, "RESTful API": "JSON mapping", "Encoding binary values", "JSON conformance".
"""

import difflib
import math
import pathlib
from collections.abc import Mapping

import numpy as np

_FLOATS = ("DT_FLOAT", "DT_DOUBLE", "DT_HALF", "DT_BFLOAT16")
# What the graph of an export has besides serving_default; its graph knows which inputs may be absent.
_OF_MMKERAS = {"ready", "examples"}


class Inputs:
    """The inputs of one signature.

    Args:
        signatures: dict by name, the `signature_def` of `/metadata`.
        name: of the signature.
        of_bytes: function of bytes, what stands for them in an encoded row.

    Attributes:
        names: of the inputs.
        outputs: names of the outputs.

    Raises:
        ValueError: there is no such signature.
    """

    def __init__(self, signatures, name, of_bytes):
        if name not in signatures:
            raise ValueError(
                f"The served model has the signatures {sorted(signatures)}. Received: {name!r}. Give one of them."
            )
        self._specs = signatures[name]["inputs"]
        self.names, self.outputs = list(self._specs), list(signatures[name]["outputs"])
        self._may_lack, self._of_bytes = set(signatures) >= _OF_MMKERAS, of_bytes

    def check(self, row):
        """Raises ValueError unless it is a dict of the input names; those that may be absent may be left out."""
        if not isinstance(row, Mapping):
            raise ValueError(f"A row must be a dict with {self.names}. Received: {_shown(row)}.")
        unknown = [f"{name!r}{_near(name, self.names)}" for name in row if name not in self._specs]
        if unknown:
            raise ValueError(f"The model has the inputs {self.names}. Received: {', '.join(unknown)}. Remove it.")
        missing = [name for name in self.names if self._lacks(name, row.get(name)) and not self._has_absent(name)]
        if missing:
            raise ValueError(
                f"The model has the inputs {self.names}. Received: no value for {missing}, which cannot be absent. "
                "Give one."
            )

    def _lacks(self, name, value):
        """Whether it is None, or NaN where that is no number of the input; pandas has NaN for missing texts, too."""
        is_nan = isinstance(value, float | np.floating) and math.isnan(value)
        return value is None or (is_nan and (self._may_lack or self._specs[name]["dtype"] not in _FLOATS))

    def _has_absent(self, name):
        return self._may_lack and self._specs[name]["dtype"] in ("DT_STRING", *_FLOATS)

    def dtype(self, name):
        """Of an input, such as "DT_FLOAT"."""
        return self._specs[name]["dtype"]

    def encoded(self, row):
        """Values by input name: an object for "instances" in REST.

        Raises:
            ValueError: a value is of another kind than its input.
            OSError: a file cannot be read.
        """
        return {name: self._value(name, row.get(name)) for name in self.names}

    def _value(self, name, value):
        dtype = self._specs[name]["dtype"]
        if self._lacks(name, value):
            return "" if dtype == "DT_STRING" else _nans(self._specs[name]["tensor_shape"])
        return _string(name, value, self._of_bytes) if dtype == "DT_STRING" else _number(name, value, dtype)


def _nans(shape):
    sizes = [max(int(dim["size"]), 1) for dim in shape.get("dim", [])[1:]]
    return np.full(sizes, np.nan).tolist()


def _string(name, value, of_bytes):
    if isinstance(value, str):
        return str(value)
    if isinstance(value, pathlib.PurePath):
        value = pathlib.Path(value).expanduser().read_bytes()
    if isinstance(value, bytes | bytearray | memoryview):
        return of_bytes(value)
    if isinstance(value, list | tuple | np.ndarray) and np.ndim(value):
        return [_string(name, each, of_bytes) for each in value]
    raise ValueError(
        f"{name}: must be a str, bytes, or a pathlib.Path of a file. Received: {_shown(value)}. Convert it, or give "
        "None where it is absent."
    )


def _number(name, value, dtype):
    try:
        array = np.asarray(value)
    except ValueError:  # lists of several lengths
        array = np.asarray(None)
    if array.dtype.kind not in "fiub":
        kind = dtype.removeprefix("DT_").lower()
        raise ValueError(
            f"{name}: must be a number of {kind}, or an array or nested list of them. Received: {_shown(value)}. "
            "Convert it."
        )
    return array.tolist()


def _near(name, names):
    near = difflib.get_close_matches(str(name), names, n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def _shown(value):
    return f"{type(value).__name__} {value!r:.60}"
