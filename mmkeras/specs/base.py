"""What all specs share."""

import numbers
from typing import NamedTuple

from mmkeras.config import Config


class Tensor(NamedTuple):
    """Shape (without the batch axis; None where it varies) and dtype of one named tensor."""

    shape: tuple
    dtype: str


def as_text(value):
    """How a value of a column is written: 3, not 3.0, for the float that a gap in its column has made of an integer.

    >>> as_text(3.0), as_text(0.5), as_text(True), as_text("3.0"), as_text(b"x")
    ('3', '0.5', 'True', '3.0', 'x')
    """
    if isinstance(value, str | bytes):
        return value if isinstance(value, str) else value.decode("utf-8", "replace")
    is_float = isinstance(value, numbers.Real) and not isinstance(value, numbers.Integral)
    return str(int(value)) if is_float and float(value).is_integer() else str(value)


class OneString(Config):
    """A modality whose raw value is one string: a text, or the bytes of a file."""

    @property
    def raw(self):
        return {self.name: Tensor((), "string")}
