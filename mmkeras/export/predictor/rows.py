"""Input of a `Predictor` -> raw examples."""

import pandas as pd

from mmkeras.checks import suggested
from mmkeras.data import Examples, from_dataframe
from mmkeras.data.faults import UnusableExamples
from mmkeras.export.samples import optional_names


def examples_of(rows, preprocess, root, columns, skip):
    """The index of the answers, the `Examples`, and faults of rows that are not among them.

    Args:
        rows, root, columns: as in `Predictor.predict`.
        preprocess: the model from raw to ready.
        skip: whether rows that cannot be used are left out. The examples' index, and faults, then have positions.

    Returns:
        (index, `Examples`, faults); None for the examples where no row can be used.
    """
    if isinstance(rows, Examples):
        index, examples = rows.frame.index, rows.select(list(preprocess.input))
        examples.frame = examples.frame.reset_index(drop=True) if skip else examples.frame
        return index, examples, []
    frame = frame_of(rows, preprocess, columns)
    given = frame.reset_index(drop=True) if skip else frame
    try:
        examples = from_dataframe(given, preprocess.specs, root=root, columns=columns,
                                  on_error="skip" if skip else "raise")  # fmt: skip
    except UnusableExamples as error:
        if not skip:
            raise
        return frame.index, None, error.faults
    return frame.index, examples, list(examples.skipped)


def frame_of(rows, preprocess, columns):
    """Rows as a table; optional keys of dicts may be missing."""
    if isinstance(rows, pd.DataFrame):
        return rows
    if isinstance(rows, Examples):
        raise TypeError(
            "on_error='absent' reads rows again, without their broken values. Received: Examples. Give a "
            "pandas.DataFrame or dicts, with root= and columns=."
        )
    columns = columns or {}
    rows = [rows] if isinstance(rows, dict) else rows
    if not isinstance(rows, list | tuple) or not all(isinstance(row, dict) for row in rows):
        raise TypeError(
            "Predictor.predict takes a pandas.DataFrame, a dict for one row, or a list of dicts. Received: "
            f"{type(rows).__name__}. Write [{{'name': value, ...}}, ...], or pandas.DataFrame(...)."
        )
    known = [columns.get(name, name) for name in preprocess.input]
    for number, row in enumerate(rows):
        unknown = suggested([key for key in row if key not in known], known)
        if unknown:
            raise ValueError(
                f"A dict holds values by raw name, {known}. Received: {unknown} in row {number}. Remove "
                "what is no input, or give a DataFrame, whose other columns do not matter."
            )
    frame = pd.DataFrame(list(rows), columns=None if rows else known, dtype=object)
    absent = [columns.get(name, name) for name in optional_names(preprocess, cells=True)]
    return frame.assign(**{name: None for name in absent if name not in frame})
