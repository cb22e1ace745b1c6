"""Columns -> one row, in NumPy."""

import math
import numbers
from collections.abc import Mapping, Sequence

import numpy as np

from mmkeras.edge.errors import refusal
from mmkeras.edge.modality import Modality
from mmkeras.formats import dates as calendar

LIMIT = 10.0  # standard deviations from the mean; `mmkeras.preprocess.TableRow` clips to the same limit and explains it


class Table(Modality):
    """Columns of numbers, dates and categories -> row (1, N) float32 and its mask (1, N) bool.

    Standardised numbers are clipped to [-10, 10].

    Args:
        name: name of the modality.
        numeric: names of the numeric columns.
        dates: names of the columns of dates, each of which becomes nine numbers.
        mean, std: mean and standard deviation of each numeric column, then of each part of each date.
        categories: dict, name of a categorical column -> its values in the order of their ids, from 2 on.
        optional: whether all columns may be missing at once.

    Call arguments:
        values: dict, column -> number, date (text such as "2024-01-31 18:30", or of Python's `datetime`) or string;
            None, NaN or "" if missing.

    Raises:
        ValueError: a number is invalid or not finite in float32, a value is no date, a category is not text, or all
            columns of a required row are missing.

    Example:

    >>> read = Table("meta", numeric=["age"], mean=[30.0], std=[10.0], categories={"room": ["attic"]})
    >>> read({"age": 40, "room": "attic"})["meta"].tolist(), read({"age": None, "room": "yard"})["meta"].tolist()
    ([[1.0, 2.0]], [[0.0, 1.0]])
    """

    meaning = "numbers {numeric}, standardised, then parts of dates, then ids of categories"
    allowed, relative = 1e-5, True  # numbers can have any magnitude, so the difference is relative
    takes_columns = True

    def __init__(
        self,
        name: str,
        *,
        numeric: Sequence[str] = (),
        dates: Sequence[str] = (),
        mean: Sequence[float] = (),
        std: Sequence[float] = (),
        categories: Mapping[str, Sequence[str]] | None = None,
        optional: bool = False,
    ) -> None:
        self.name, self.numeric, self.dates, self.optional = name, tuple(numeric), tuple(dates), optional
        self.mean, self.std = np.array(mean, "float32"), np.array(std, "float32")
        categories = categories or {}
        self.ids = {column: {value: i for i, value in enumerate(values, 2)} for column, values in categories.items()}

    @property
    def raw_names(self) -> list[str]:
        return [*self.numeric, *self.dates, *self.ids]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        size = (len(self.mean) + len(self.ids),)
        return self._masked(size, size)

    def __call__(self, values):
        given = [self._number(column, values.get(column)) for column in self.numeric]
        given += [part for column in self.dates for part in self._parts(column, values.get(column))]
        given = np.array(given, "float32")
        there = ~np.isnan(given)
        with np.errstate(over="ignore"):
            standardised = np.clip((given - self.mean) / self.std, -LIMIT, LIMIT)
        ids = [self._id(column, values.get(column)) for column in self.ids]
        row = np.concatenate([np.where(there, standardised, 0), ids]).astype("float32")
        mask = np.concatenate([there, np.array(ids) > 0]).astype(bool)
        if not self.optional and not mask.any():
            raise refusal(self.name, "a required row needs at least one value.", values, "Give one.")
        return {self.name: row[None], f"{self.name}_mask": mask[None]}

    def _number(self, column, value):
        try:
            with np.errstate(over="ignore"):
                number = math.nan if value is None or value == "" else float(np.float32(_scalar(value)))
        except (OverflowError, TypeError, ValueError):
            number = math.inf
        if math.isinf(number):
            rule = f"column '{column}' holds finite numbers."
            raise refusal(self.name, rule, _shown(value), "Leave it out where it is missing.")
        return number

    def _parts(self, column, value):
        text = value.decode("utf-8", "replace") if isinstance(value, bytes) else _shown(value)
        # Python refuses to convert very large integers to text.
        text = text if isinstance(value, bytes | int) else str(value)
        written = isinstance(value, str | bytes)
        if value is None or text == "" or (not written and text in ("nan", "NaT", "<NA>")):
            return [math.nan] * len(calendar.PARTS)
        found = calendar.parts(text)
        if found is None:
            raise refusal(self.name, f"column '{column}': {calendar.RULE}", _shown(value), "Leave out a missing date.")
        return found

    def _id(self, column, value):
        try:
            text = _as_text(value)
        except (OverflowError, TypeError, ValueError) as error:
            rule = f"column '{column}' holds categories: UTF-8 text, or numbers that stand for it."
            raise refusal(self.name, rule, _shown(value), "Leave it out where it is missing.") from error
        return self.ids[column].get(text, 1) if text else 0


def _scalar(value):
    """Returns one number; arrays are refused even with one element, to detect columns passed as batches."""
    if np.ndim(value):
        raise TypeError("not one value")
    return float(value)


def _as_text(value):
    """A category as in the training table: 3 instead of 3.0; "" if missing."""
    if value is None or isinstance(value, str | bytes):
        text = value.decode() if isinstance(value, bytes) else value or ""
        text.encode()  # raises UnicodeEncodeError for lone surrogates
        return text
    if not isinstance(value, bool | np.bool_ | numbers.Real):
        raise TypeError("neither text nor a number")
    whole = not isinstance(value, numbers.Integral | np.bool_) and float(value).is_integer()
    return "" if value != value else str(int(value) if whole else value)


def _shown(value):
    huge = isinstance(value, int) and value.bit_length() > 1000  # Python may refuse to convert such an integer to text
    text = f"an integer of {value.bit_length():,} bits" if huge else repr(value)
    return text if len(text) < 60 else f"{text[:60]}..."
