"""Precomputed vectors, in NumPy."""

import numpy as np

from mmkeras.edge.errors import refusal
from mmkeras.edge.modality import Modality


class Vector(Modality):
    """A precomputed vector -> vector (1, D) float32 and its mask (1, 1) bool.

    Args:
        name: name of the modality.
        size: D, length of the vector.
        optional: whether the vector may be absent.

    Call arguments:
        value: list or array of D numbers; None, or D times NaN, if absent.

    Raises:
        ValueError: the vector has another size, is not finite, or is absent though required.

    Example:

    >>> read = Vector("face", size=2, optional=True)
    >>> read([0.5, 2])["face"].tolist(), read(None)["face_mask"].tolist()
    ([[0.5, 2.0]], [[False]])
    """

    meaning = "{size} numbers, as they come"

    def __init__(self, name: str, *, size: int, optional: bool = False) -> None:
        self.name, self.size, self.optional = name, size, optional

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return self._masked((self.size,), (1,))

    def __call__(self, value):
        vector = self._array([np.nan] * self.size if value is None else value)
        there, finite = not np.isnan(vector).all(), np.isfinite(vector)
        if there and not finite.all():
            raise refusal(self.name, "a vector must be finite.", vector[~finite][:3], "Leave it out if missing.")
        if not there and not self.optional:
            raise refusal(self.name, "a required vector is missing.", "none", "Give it.")
        ready = vector if there else np.zeros_like(vector)
        return {self.name: ready[None], f"{self.name}_mask": np.array([[there]])}

    def _array(self, value):
        try:
            with np.errstate(over="ignore"):
                vector = np.array(value, "float32")
        except (OverflowError, TypeError, ValueError):
            vector = None
        if vector is None or vector.shape != (self.size,):
            received = type(value).__name__ if vector is None else f"shape {vector.shape}"
            raise refusal(self.name, f"a vector is a list of {self.size} numbers.", received, "Give as many.")
        return vector
