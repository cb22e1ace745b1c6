import dataclasses
from collections.abc import Sequence

from mmkeras.checks import check, check_name, check_whole
from mmkeras.specs.base import Spec, Tensor
from mmkeras.specs.learned import check_learned


@dataclasses.dataclass(frozen=True, kw_only=True)
class Table(Spec):
    """Numeric and categorical columns: raw, one value per column; ready, one row (N,) float32 and its mask.

    The ready row holds the numeric columns, standardised with the statistics that `adapt` learned and clipped to 10
    standard deviations, then the ids of the categorical ones (1 is an unknown category). A missing value (NaN, "") is
    False in the mask. Raw numbers are float32; `adapt` refuses a column for which 7 digits are too coarse (such as
    seconds since 1970 within one hour).

    Args:
        name: key of the ready row; the raw keys are the columns' own names.
        numeric: names of the numeric columns, or the name of the only one.
        categorical: names of the categorical columns (strings), or the name of the only one.
        max_categories: largest number of ids of one categorical column, including the two special ones.
        optional: whether all columns may be missing at once.
        learned: number of ids that `adapt` learned for each categorical column, set in `preprocess.specs`; None before.
    """

    kind = "table"

    numeric: str | Sequence[str] = ()
    categorical: str | Sequence[str] = ()
    max_categories: int = 100
    optional: bool = False
    learned: Sequence[int] | None = None

    def __post_init__(self):
        for kind in ("numeric", "categorical"):
            names = getattr(self, kind)
            object.__setattr__(self, kind, (names,) if isinstance(names, str) else tuple(names))
        for name in (self.name, *self.columns):
            check_name(name)
        check(self.columns, f"Table '{self.name}' needs columns.", "none", "Name them in numeric= or categorical=.")
        repeated = sorted({name for name in self.columns if self.columns.count(name) > 1})
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
        """Names of the N columns in the order of the ready row."""
        return (*self.numeric, *self.categorical)

    @property
    def raw(self) -> dict[str, Tensor]:
        numbers = {column: Tensor((), "float32") for column in self.numeric}
        return numbers | {column: Tensor((), "string") for column in self.categorical}

    @property
    def ready(self) -> dict[str, Tensor]:
        n = len(self.columns)
        return {self.name: Tensor((n,), "float32"), f"{self.name}_mask": Tensor((n,), "bool")}
