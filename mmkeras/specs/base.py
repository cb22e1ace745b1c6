"""The base class of all specs."""

import abc
import dataclasses
import numbers
from typing import Any, ClassVar, NamedTuple

from mmkeras.config import Config


class Tensor(NamedTuple):
    """Shape (without the batch axis; None if it varies) and dtype of a named tensor."""

    shape: tuple[int | None, ...]
    dtype: str


def as_text(value: Any) -> str:
    """A value of a column as text; a whole float as an integer.

    pandas turns integers into floats where a column has gaps.

    Example:

    >>> as_text(3.0), as_text(0.5), as_text(True), as_text("3.0"), as_text(b"x")
    ('3', '0.5', 'True', '3.0', 'x')
    """
    if isinstance(value, str | bytes):
        return value if isinstance(value, str) else value.decode("utf-8", "replace")
    is_float = isinstance(value, numbers.Real) and not isinstance(value, numbers.Integral)
    return str(int(value)) if is_float and float(value).is_integer() else str(value)


@dataclasses.dataclass(frozen=True)
class Spec(Config, abc.ABC):
    """What one modality looks like raw and ready: the base class of all specs.

    To add a modality, write a frozen dataclass that derives from this one; see `mmkeras.preprocess.RawLayer` for the
    rest.

    Args:
        name: key of this modality everywhere.
    """

    kind: ClassVar[str] = ""

    name: str

    @property
    @abc.abstractmethod
    def raw(self) -> dict[str, Tensor]:
        """Raw name -> shape and dtype of one example, without the batch axis."""

    @property
    @abc.abstractmethod
    def ready(self) -> dict[str, Tensor]:
        """Ready name -> shape and dtype of one example: the modality, then its mask where it has one."""

    def about(self, name: str) -> str:
        """Sizes of the raw value of this name, in a few words; "" where there are none."""
        return ""


class OneString(Spec):
    """A modality whose raw value is one string: a text, or the bytes of a file."""

    @property
    def raw(self) -> dict[str, Tensor]:
        return {self.name: Tensor((), "string")}
