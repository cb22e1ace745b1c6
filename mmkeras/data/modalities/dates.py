"""A column of dates -> text in ISO 8601."""

import datetime

import numpy as np
import pandas as pd

from mmkeras.data.faults import Fault
from mmkeras.formats.dates import RULE, parts


def column(name, values, faults):
    """UTF-8 bytes (n,), b"" where absent.

    Args:
        name: of the column.
        values: `pandas.Series` of moments of pandas, Python or NumPy, or of texts.
        faults: list of `Fault`; a value that is no date is added to it.

    Raises:
        ValueError: the column holds spans of time or periods.
    """
    if isinstance(values.dtype, pd.PeriodDtype) or values.dtype.kind == "m":
        raise ValueError(
            f"A date must be a point in time. Received: {values.dtype} as '{name}'. Convert periods with "
            f'frame["{name}"].dt.to_timestamp(); convert durations with frame["{name}"].dt.total_seconds().'
        )
    absent = values.isna().to_numpy()
    texts = np.array([b"" if gone else _text(value).encode("utf-8", "replace")
                      for value, gone in zip(values.tolist(), absent, strict=True)], object)  # fmt: skip
    for i in np.flatnonzero(texts != b""):
        if parts(texts[i].decode()) is None:
            faults.append(Fault(i, name, "", f"{values.iloc[i]!r} is no date: {RULE} pandas.to_datetime reads others"))
    return texts


def _text(value):
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value) if isinstance(value, str | datetime.date | np.datetime64) else repr(value)
