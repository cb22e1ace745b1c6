"""Regression of one or several numbers."""

import dataclasses
from collections.abc import Sequence
from typing import Any, Self

import keras
import numpy as np
from keras import ops

from mmkeras.checks import check_name, check_resolution, check_share, check_whole
from mmkeras.heads.base import Head


@keras.saving.register_keras_serializable("mmkeras")
@dataclasses.dataclass(frozen=True, kw_only=True)
class Regression(Head):
    """Predicts K numbers, in the unit of the labels, trained on standardised ones.

    The output layer reverses the standardisation, so `predict`, the SavedModel and the LiteRT file all return values in
    the unit of the labels. The loss is computed on standardised values, so that losses of heads with different units
    are comparable.

    Args:
        name: key of the label, the output and the metrics.
        size: K, number of values.
        mean: K numbers, or one for all; None to learn it with `heads.adapt`.
        std: K numbers, or one for all; None to learn it with `heads.adapt`.
        loss_function: "mse" or "huber", both on standardised values.
        dropout: dropout rate before the output layer.

    Example:

    >>> from mmkeras import heads
    >>> heads.regression("price", mean=10.0, std=2.0).encode([8, 12]).tolist()
    [[8.0], [12.0]]
    """

    kind = "regression"

    size: int = 1
    mean: float | Sequence[float] | None = None
    std: float | Sequence[float] | None = None
    loss_function: str = "mse"
    dropout: float = 0.0

    def __post_init__(self):
        check_name(self.name)
        check_whole(self.name, size=self.size)
        check_share(self.name, dropout=self.dropout)
        for field in ("mean", "std"):
            value = getattr(self, field)
            if value is not None:
                value = tuple(float(number) for number in np.broadcast_to(value, (self.size,)))
                object.__setattr__(self, field, value)
        if self.loss_function not in ("mse", "huber"):
            raise ValueError(
                f"loss_function of '{self.name}' must be 'mse' or 'huber'. Received: {self.loss_function!r}."
            )
        if self.std is not None and not all(0 < number < np.inf for number in self.std):
            raise ValueError(f"std of head '{self.name}' must be positive. Received: {self.std}.")
        if self.mean is not None and not np.isfinite(self.mean).all():
            raise ValueError(f"mean of head '{self.name}' must be finite. Received: {self.mean}.")

    @property
    def label(self) -> tuple[tuple[int, ...], str]:
        """Shape and dtype of one encoded label."""
        return (self.size,), "float32"

    @property
    def width(self) -> int:
        return self.size

    @property
    def unit(self) -> dict[str, Any]:
        return {"kind": "values", "std": self.std}

    def encode(self, column: Sequence[Any], rows: Sequence[Any] | None = None) -> np.ndarray:
        """Labels as they stand in a table -> float32 (n, K).

        Args:
            column: n numbers, or lists of K numbers, or strings of K numbers joined by "|".
            rows: names of the rows in error messages; None for numbers.

        Raises:
            ValueError: a label is not K finite numbers; the message names the row.
        """
        rows = range(len(column)) if rows is None else rows
        numbers = self._all_at_once(column)
        if numbers is None:
            numbers = np.array([self._numbers(value, row) for value, row in zip(column, rows, strict=True)], "float32")
        return numbers.reshape(len(column), self.size)

    def _all_at_once(self, column):
        """The numbers of the whole column, or None if they have to be parsed or checked one by one."""
        try:
            numbers = np.array(list(column), object).astype("float32") if self.size == 1 else None
        except (OverflowError, TypeError, ValueError):
            return None
        return numbers if numbers is not None and numbers.size == len(column) and np.isfinite(numbers).all() else None

    def _numbers(self, value, row):
        try:
            parts = value.split("|") if isinstance(value, str) else value
            numbers = np.asarray(parts, "float32").reshape(self.size)
        except (OverflowError, TypeError, ValueError):
            numbers = np.array([np.nan])
        if not np.isfinite(numbers).all():
            raise ValueError(
                f"Head '{self.name}': a label must be {self.size} finite number(s). Received: {value!r} in row {row}. "
                "Drop the row or fill the value."
            )
        return numbers

    def output(self, features: Any, name: str | None = None) -> Any:
        """Features (B, D) -> values (B, K) float32 in the labels' unit, called `name`, by default that of the head."""
        name = name or self.name
        self._check_adapted()
        if self.dropout:
            features = keras.layers.Dropout(self.dropout, name=f"{name}_dropout")(features)
        # Stay in float32 under mixed precision: bfloat16 has only 128 values between 1 and 2, too coarse for answers.
        standardised = keras.layers.Dense(self.size, dtype="float32", name=f"{name}_standardised")(features)
        scale = keras.layers.Rescaling(self.std, self.mean, dtype="float32", name=name)
        return scale(standardised)

    def loss(self) -> keras.losses.Loss:
        """The Keras loss of this head's labels and values."""
        self._check_adapted()
        return StandardisedLoss(self.std, self.loss_function)

    def metrics(self, prefix: str = "") -> list[keras.metrics.Metric]:
        """The Keras metrics shown while training, in the labels' unit."""
        return [keras.metrics.MeanAbsoluteError(f"{prefix}mae")]

    @property
    def needs_adapt(self) -> bool:
        return self.mean is None or self.std is None

    def adapted(self, labels: Any, weights: Any = None) -> Self:
        """This head with the mean and deviation of `labels` (n, K), weighted where examples have weights.

        A constant column keeps deviation 1.

        Raises:
            ValueError: the deviation is too small, relative to the values, for float32.
        """
        labels = np.asarray(labels, "float64").reshape(-1, self.size)
        mean = np.average(labels, axis=0, weights=weights)
        std = np.sqrt(np.average((labels - mean) ** 2, axis=0, weights=weights))
        for pair in zip(mean, std, strict=True):
            check_resolution(f"Head '{self.name}': labels", *pair)
        return dataclasses.replace(self, mean=tuple(mean), std=tuple(np.where(std > 0, std, 1.0)))

    def _check_adapted(self):
        if self.needs_adapt:
            raise ValueError(
                f"Head '{self.name}' has not learned the mean and standard deviation of its labels yet. "
                "Call heads = mm.heads.adapt(heads, raw) first, or give mean= and std=."
            )

    def decode(self, values: Any) -> dict[str, Any]:
        """Values (B, K) -> the named answer."""
        return {self.name: values}

    def describe(self) -> dict[str, Any]:
        return {"name": self.name, "kind": self.kind, "size": self.size}


@keras.saving.register_keras_serializable("mmkeras")
class StandardisedLoss(keras.losses.Loss):
    """Squared or Huber error of values divided by their standard deviation: ((y - p) / std)**2 for "mse".

    Args:
        std: K positive numbers.
        function: "mse" or "huber" (delta 1).
    """

    def __init__(self, std, function="mse", name="standardised_loss", **kwargs):
        super().__init__(name=name, **kwargs)
        self.std = tuple(std)
        self.function = function

    def call(self, y_true, y_pred):
        std = ops.convert_to_tensor(self.std, "float32")
        function = keras.losses.huber if self.function == "huber" else keras.losses.mean_squared_error
        return function(ops.cast(y_true, "float32") / std, ops.cast(y_pred, "float32") / std)

    def get_config(self):
        return super().get_config() | {"std": self.std, "function": self.function}
