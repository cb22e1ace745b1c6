import numpy as np
import pandas as pd
import tensorflow as tf

from mmkeras.data.faults import Fault
from mmkeras.data.modalities.base import Modality, check_scalar, refusal, strings, text_converter


class Table(Modality):
    """Numbers and categories, a column each."""

    def column(self, spec, name, values, root, faults):
        if name in spec.categorical:
            return strings(name, values)
        numbers = _numbers(values)
        for i in np.flatnonzero(~np.isfinite(numbers)):
            value = values.iloc[i]
            if not pd.isna(value) and value != "":
                faults.append(Fault(i, name, "", f"{value!r} is not a finite number"))
        return numbers

    def converter(self, spec, name, leaf, stream):
        if name in spec.categorical:
            return text_converter(name, leaf)
        check_scalar(name, leaf)
        if leaf.dtype == tf.string:
            raise refusal(name, "a number", leaf)
        return lambda value, position: tf.cast(value, tf.float32)


def _numbers(values):
    """float32 (n,), NaN for what is none."""
    try:
        return pd.to_numeric(values, errors="coerce").to_numpy("float32", na_value=np.nan)
    except OverflowError:  # whole numbers beyond every float
        return np.array([_number(value) for value in values], "float32")


def _number(value):
    try:
        return float(value)
    except (OverflowError, TypeError, ValueError):
        return np.nan
