"""Columns -> one row without TensorFlow."""

import math

import numpy as np

from mmkeras.edge.errors import refusal


class Table:
    """Columns of numbers and categories -> row (1, N) float32 and its mask (1, N) bool, as `preprocess` gives them.

    Args:
        name: of the modality.
        numeric: names of the columns of numbers.
        mean, std: what was learned of each of them.
        categories: dict, name of a column of categories -> its values in the order of their ids, from 2 on.
        optional: every column may be missing at once.

    Call arguments:
        values: dict, column -> number or string; None, NaN or "" where missing.

    Raises:
        ValueError: a number is none, or every column of a required row is missing.

    >>> read = Table("meta", numeric=["age"], mean=[30.0], std=[10.0], categories={"room": ["attic"]})
    >>> read({"age": 40, "room": "attic"})["meta"].tolist(), read({"age": None, "room": "yard"})["meta"].tolist()
    ([[1.0, 2.0]], [[0.0, 1.0]])
    """

    def __init__(self, name, numeric=(), mean=(), std=(), categories=None, optional=False):
        self.name, self.numeric, self.optional = name, tuple(numeric), optional
        self.mean, self.std = np.array(mean, "float32"), np.array(std, "float32")
        categories = categories or {}
        self.ids = {column: {value: i for i, value in enumerate(values, 2)} for column, values in categories.items()}

    def __call__(self, values):
        numbers = np.array([self._number(column, values.get(column)) for column in self.numeric], "float32")
        there = ~np.isnan(numbers)
        numbers = np.where(there, (numbers - self.mean) / self.std, 0)
        ids = [self._id(column, values.get(column)) for column in self.ids]
        row = np.concatenate([numbers, np.array(ids, "float32")]).astype("float32")
        mask = np.concatenate([there, np.array(ids) > 0]).astype(bool)
        if not self.optional and not mask.any():
            raise refusal(self.name, "a required row needs at least one value.", values, "Give one.")
        return {self.name: row[None], f"{self.name}_mask": mask[None]}

    def _number(self, column, value):
        try:
            number = math.nan if value is None or value == "" else float(value)
        except (TypeError, ValueError):
            number = math.inf
        if math.isinf(number):
            rule = f"column '{column}' holds finite numbers."
            raise refusal(self.name, rule, repr(value), "Leave it out where it is missing.")
        return number

    def _id(self, column, value):
        value = value.decode() if isinstance(value, bytes) else value
        missing = value is None or value == "" or value != value
        return 0 if missing else self.ids[column].get(str(value), 1)
