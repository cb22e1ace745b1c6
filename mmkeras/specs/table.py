import dataclasses
from collections.abc import Sequence

from mmkeras.checks import check, check_name, check_whole
from mmkeras.formats.dates import PARTS
from mmkeras.specs.base import Spec, Tensor
from mmkeras.specs.learned import check_learned


@dataclasses.dataclass(frozen=True, kw_only=True)
class Table(Spec):
    """Columns of numbers, dates and categories: raw, one value per column; ready, one row (N,) float32 and its mask.

    The ready row holds the numeric columns, standardised with the statistics that `adapt` learned and clipped to 10
    standard deviations; nine numbers of each date: its year, treated like a numeric column, and the sine and cosine of
    its month, day, weekday and hour; and the ids of the categorical columns (1 is an unknown category). A missing value
    (NaN, "") is False in the mask. Raw dates are text in ISO 8601, "2024-01-31" or "2024-01-31 18:30"; offsets from UTC
    are not applied, and a date without a time is at midnight.
    Raw numbers are float32; `adapt` refuses a column for which 7 digits are too coarse (such as seconds since 1970
    within one hour).

    Args:
        name: key of the ready row; the raw keys are the columns' own names.
        numeric: names of the numeric columns, or the name of the only one.
        dates: names of the columns of dates, or the name of the only one.
        categorical: names of the categorical columns (strings), or the name of the only one.
        max_categories: largest number of ids of one categorical column, including the two special ones.
        optional: whether all columns may be missing at once.
        learned: number of ids that `adapt` learned for each categorical column, set in `preprocess.specs`; None before.
    """

    kind = "table"

    numeric: str | Sequence[str] = ()
    dates: str | Sequence[str] = ()
    categorical: str | Sequence[str] = ()
    max_categories: int = 100
    optional: bool = False
    learned: Sequence[int] | None = None

    def __post_init__(self):
        for kind in ("numeric", "dates", "categorical"):
            names = getattr(self, kind)
            object.__setattr__(self, kind, (names,) if isinstance(names, str) else tuple(names))
        for name in (self.name, *self.raw, *self.columns):
            check_name(name)
        check(self.columns, f"Table '{self.name}' needs columns.", "none", "Name them: numeric=, dates=, categorical=.")
        names = (*self.dates, *self.columns)
        repeated = sorted({name for name in names if names.count(name) > 1})
        check(not repeated, f"Table '{self.name}' takes each column once.", f"{repeated} twice", "Name each one once.")
        check_whole(self.name, max_categories=self.max_categories)
        check(self.max_categories > 2, f"max_categories of '{self.name}' must exceed 2.", self.max_categories,
               "Two ids are reserved for missing and unknown values.")  # fmt: skip
        learned = check_learned(self.name, self.learned, self.max_categories, len(self.categorical))
        object.__setattr__(self, "learned", learned)

    @property
    def ids(self) -> tuple[int, ...]:
        """Number of ids of each categorical column: as many as were learned, or `max_categories` before `adapt`."""
        return self.learned or (self.max_categories,) * len(self.categorical)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the N columns of the ready row, in order; a date has nine, from "sold_year" to "sold_hour_cos"."""
        return (*self.numbers, *self.categorical)

    @property
    def numbers(self) -> tuple[str, ...]:
        """Names of those columns of the ready row that are numbers, not ids of categories; they come first."""
        return (*self.numeric, *(f"{date}_{part}" for date in self.dates for part in PARTS))

    @property
    def raw(self) -> dict[str, Tensor]:
        numbers = {column: Tensor((), "float32") for column in self.numeric}
        return numbers | {column: Tensor((), "string") for column in (*self.dates, *self.categorical)}

    def about(self, name: str) -> str:
        columns = {"number": self.numeric, "date": self.dates, "category": self.categorical}
        return next((word for word, names in columns.items() if name in names), "")

    @property
    def ready(self) -> dict[str, Tensor]:
        n = len(self.columns)
        return {self.name: Tensor((n,), "float32"), f"{self.name}_mask": Tensor((n,), "bool")}
