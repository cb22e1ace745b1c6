import dataclasses

from mmkeras.checks import check_name, check_whole
from mmkeras.specs.base import Spec, Tensor


@dataclasses.dataclass(frozen=True, kw_only=True)
class Vector(Spec):
    """A precomputed feature vector, such as an embedding: raw and ready (D,) float32, and its mask.

    Branches normalise its scale. Numbers of different units, each to be standardised, belong in a `Table`.

    Args:
        name: key of this modality everywhere.
        size: D, length of the vector.
        optional: whether the vector may be absent, which D times NaN stand for. Other NaN, infinity, and numbers beyond
            1e12 are refused.
    """

    kind = "vector"

    size: int
    optional: bool = False

    def __post_init__(self):
        check_name(self.name)
        check_whole(self.name, size=self.size)

    @property
    def raw(self) -> dict[str, Tensor]:
        return {self.name: Tensor((self.size,), "float32")}

    def about(self, name: str) -> str:
        return f"{self.size} numbers"

    @property
    def ready(self) -> dict[str, Tensor]:
        return self.raw | {f"{self.name}_mask": Tensor((1,), "bool")}
