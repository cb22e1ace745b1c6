"""Samples of a microphone and pixels of a camera: arrays in place of files."""

from typing import Any

import numpy as np

from mmkeras.edge.errors import refusal

_LOUDEST = 2.0  # of float samples: resampling and filters may exceed full scale, integers cast to float exceed this


def is_absent(value: Any) -> bool:
    """Whether a raw value stands for an absent file."""
    return value is None or (isinstance(value, bytes | bytearray | memoryview) and not len(value))


def as_bytes(value: Any) -> Any:
    """`bytes` for a bytearray or memoryview; anything else as it is."""
    return bytes(value) if isinstance(value, bytearray | memoryview) else value


def samples(name: str, value: Any) -> np.ndarray:
    """Mono samples (N,), int16 or float in [-1, 1], -> float32 in [-1, 1].

    Raises:
        ValueError: another shape or dtype, or float numbers that are not finite or are far above 1.

    Example:

    >>> samples("voice", np.array([0, 16384, -32768], "int16")).tolist()
    [0.0, 0.5, -1.0]
    """
    value = np.asarray(value)
    if value.ndim != 1 or value.dtype not in (np.float32, np.float64, np.int16):
        rule = "samples are an array (N,) of float32 in [-1, 1], or of int16."
        raise refusal(name, rule, f"shape {value.shape}, {value.dtype}", "Average the channels of a stereo sound.")
    if value.dtype == np.int16:
        return value.astype("float32") / 32768
    if not (np.abs(value) <= _LOUDEST).all():
        remedy = "Give 16-bit samples as int16, or divide them by 32768."
        raise refusal(name, "float samples are in [-1, 1].", f"{value.min():g} to {value.max():g}", remedy)
    return value.astype("float32")


def pixels(name: str, value: np.ndarray) -> np.ndarray:
    """RGB pixels (h, w, 3) uint8, checked.

    Raises:
        ValueError: another shape or dtype.

    Example:

    >>> pixels("photo", np.zeros((2, 4, 3), "uint8")).shape
    (2, 4, 3)
    """
    if value.ndim != 3 or value.shape[2] != 3 or value.dtype != np.uint8:
        rule = "pixels are an array (h, w, 3) of uint8, in the order red, green, blue."
        raise refusal(name, rule, f"shape {value.shape}, {value.dtype}", "Convert it; a batch is one call for each.")
    return value
