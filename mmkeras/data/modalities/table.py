import numpy as np
import pandas as pd
import tensorflow as tf

from mmkeras.data.faults import Fault
from mmkeras.data.modalities import dates
from mmkeras.data.modalities.base import Modality, check_scalar, refusal, strings, text_converter
from mmkeras.data.modalities.cells import check_categories, numbers_of
from mmkeras.data.viewing import page


class Table(Modality):
    """Numbers and categories, one column each."""

    def column(self, spec, name, values, root, faults):
        if name in spec.categorical:
            check_categories(name, values)
            return strings(name, values)
        if name in spec.dates:
            return dates.column(name, values, faults)
        values = numbers_of(name, values)
        numbers = _numbers(values)
        for i in np.flatnonzero(~np.isfinite(numbers)):
            value = values.iloc[i]
            if not pd.isna(value) and value != "":
                faults.append(Fault(i, name, "", f"{value!r} is not a finite number"))
        return numbers

    def measured(self, spec, name, values):
        if name in spec.categorical:
            return {"category": [value.decode("utf-8", "replace") for value in values]}
        if name in spec.dates:
            return {"year": [value[:4].decode("utf-8", "replace") for value in values]}
        return {"value": values.tolist()}

    def ready_html(self, spec, layer, ready):
        row, mask = ready[spec.name].tolist(), ready[f"{spec.name}_mask"]
        cells = [f"{value:.3g}" for value in row[: len(spec.numbers)]]
        cells += [_category(layer, column, int(value))
                  for column, value in zip(spec.categorical, row[len(spec.numbers):], strict=True)]  # fmt: skip
        told = zip(spec.columns, cells, mask, strict=True)
        lines = (f"{page.text(column)} = {cell if there else '–'}" for column, cell, there in told)
        return f'<span class="line">{"<br>".join(lines)}</span>'

    def converter(self, spec, name, leaf, stream):
        if name in spec.categorical or name in spec.dates:
            return text_converter(name, leaf)
        check_scalar(name, leaf)
        if leaf.dtype == tf.string:
            raise refusal(name, "a number", leaf)
        return lambda value, position: tf.cast(value, tf.float32)


def _category(layer, column, value):
    lookup = layer.lookups[layer.categorical.index(column)]
    return "unknown" if value == 1 else page.text(lookup.get_vocabulary()[value])


def _numbers(values):
    """Values as float32 (n,), NaN if they are not numbers."""
    try:
        return pd.to_numeric(values, errors="coerce").to_numpy("float32", na_value=np.nan)
    except OverflowError:  # integers beyond the range of float64
        return np.array([_number(value) for value in values], "float32")


def _number(value):
    try:
        return float(value)
    except (OverflowError, TypeError, ValueError):
        return np.nan
