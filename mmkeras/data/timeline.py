"""Splits a data set in the order of time."""

import numpy as np
import pandas as pd

from mmkeras.checks import did_you_mean


def in_order(raw, column, fractions, group=None, stratify=None):
    """Positions of the rows of each part, the earliest rows first; rows of one time stay together.

    Args:
        raw: `Examples`.
        column: name of a column of the table.
        fractions: shares of the parts.
        group, stratify: as `split` got them; neither goes together with an order.

    Raises:
        ValueError: there is no such column, a row has no time, text is no date, or a part would be empty.
    """
    if group is not None or stratify not in ("auto", None):
        raise ValueError(
            f"order= cannot be combined with group= or stratify=. Received: order={column!r} with group={group!r}, "
            f"stratify={stratify!r}. Leave these out."
        )
    times = _times(raw.frame, column)
    ends = np.round(np.cumsum(fractions)[:-1] * len(times)).astype(int)
    order = np.argsort(times, kind="stable")
    sorted_times = times[order]
    # Rows with equal times stay together: move each boundary behind the last row with the same time.
    ends = [int(np.searchsorted(sorted_times, sorted_times[max(end - 1, 0)], side="right")) for end in ends]
    parts = np.split(order, ends)
    if not all(map(len, parts)):
        raise ValueError(
            f"Each part needs at least one time. Received: {len(np.unique(times))} different in column {column!r} for "
            f"fractions={tuple(fractions)}, which gives {[len(part) for part in parts]} rows. Ask for fewer parts."
        )
    return parts


def _times(frame, column):
    """One sortable number per row."""
    if column not in frame.columns:
        near = did_you_mean(column, frame.columns)
        raise ValueError(f"order must name a column of the table. Received: {column!r}. {near} {list(frame.columns)}.")
    values = frame[column]
    absent = values.isna() | (values.astype(str).str.strip() == "")
    if absent.any():
        raise ValueError(
            f"Every row needs a time. Received: {int(absent.sum())} row(s) without a value in column {column!r}. Fill "
            "them in, or leave these rows out."
        )
    if pd.api.types.is_numeric_dtype(values):
        return values.to_numpy("float64")
    try:
        return pd.to_numeric(values).to_numpy("float64")
    except (TypeError, ValueError):
        return _dates(values, column)


def _dates(values, column):
    # Convert to UTC, so that times with and without offsets can be compared.
    kind = None if values.dtype.kind == "M" else "ISO8601"
    dates = pd.to_datetime(values, format=kind, utc=True, errors="coerce")
    if dates.isna().any():
        wrong = values[dates.isna()]
        raise ValueError(
            f"order= takes numbers, dates, or ISO 8601 text such as 2024-05-31 17:00. Received: {wrong.iloc[0]!r} in "
            f"row {wrong.index[0]}, column {column!r}. Convert it first: pandas.to_datetime(column, format=...)."
        )
    return dates.dt.tz_localize(None).to_numpy("datetime64[ns]").astype("int64")
