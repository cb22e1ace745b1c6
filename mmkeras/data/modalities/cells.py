"""Values that cells of a table may hold besides text, numbers and paths, and errors for unsupported ones."""

import numpy as np
import pandas as pd
from PIL import Image as Pillow
from PIL import ImageOps

_PLAIN = ("L", "LA", "RGB", "RGBA")


def decoded(value):
    """A picture, sound or clip in a cell -> its array and, of a sound, its rate; (None, None) where it is none.

    Args:
        value: picture of Pillow; array, or what has one, such as a tensor; list of pictures or arrays, the frames of a
            clip; of sounds a pair of rate and samples in either order, or a dict of "array" and "sampling_rate".

    >>> decoded(Pillow.new("RGB", (3, 2)))[0].shape, decoded((8000, np.zeros(4)))[1]
    ((2, 3, 3), 8000)
    """
    if isinstance(value, Pillow.Image):
        return np.asarray(_plain(ImageOps.exif_transpose(value))), None
    if isinstance(value, dict):
        return (np.asarray(value["array"]), value.get("sampling_rate")) if "array" in value else (None, None)
    if isinstance(value, tuple) and len(value) == 2 and any(np.ndim(part) == 0 for part in value):
        rate, samples = sorted(value, key=np.ndim)
        return np.asarray(samples), int(rate)
    if isinstance(value, list | tuple):
        return _stacked(value), None
    return (np.asarray(value), None) if hasattr(value, "__array__") else (None, None)


def _stacked(values):
    """Frames of one shape, or nested lists of numbers, as an array; None for anything else."""
    parts = [
        decoded(part)[0] if hasattr(part, "__array__") or isinstance(part, Pillow.Image) else part for part in values
    ]
    try:
        array = np.array(parts)
    except ValueError:  # parts of different shapes
        return None
    return array if array.size and array.dtype.kind in "biuf" else None


def _plain(picture):
    if picture.mode in _PLAIN or picture.mode[0] in "IF":  # modes I and F are refused later because of their values
        return picture
    return picture.convert("L" if picture.mode == "1" else "RGBA" if "transparency" in picture.info else "RGB")


def check_texts(name, values):
    """Raises ValueError if a cell of texts or categories holds several values or a picture."""
    if values.dtype != object:
        return
    for row, value in values.items():
        if isinstance(value, list | tuple | set | dict | np.ndarray | Pillow.Image):
            raise ValueError(
                f"A text or category must be one value. Received: {type(value).__name__} as '{name}' in row {row}. "
                "Join a "
                f'list into one text, frame["{name}"].str.join(" "); of several classes make a head, '
                "mm.heads.classification(..., multi_label=True); numbers belong in mm.Vector."
            )


def check_categories(name, values):
    """As `check_texts`; also refuses timestamps and time spans, which are hardly ever repeated."""
    check_texts(name, values)
    if values.dtype.kind in "mM":
        raise ValueError(_of_time(name, values, "Categories come again"))


def numbers_of(name, values):
    """A column that can hold numbers, with pandas' categories as their values.

    Raises:
        ValueError: it holds moments or spans of time, lists, or texts only.
    """
    if isinstance(values.dtype, pd.CategoricalDtype):
        numeric = pd.api.types.is_numeric_dtype(values.cat.categories.dtype)
        values = values.astype("float64" if numeric else object)
    if values.dtype.kind in "mM" or isinstance(values.dtype, pd.PeriodDtype):
        raise ValueError(_of_time(name, values, "A number is needed"))
    there = values.dropna()
    for row, value in there.items() if values.dtype == object else ():
        if not np.isscalar(value) and np.ndim(value):
            raise ValueError(
                f"A number must be one value. Received: {type(value).__name__} as '{name}' in row {row}. A list of "
                "numbers belongs in mm.Vector(name, size)."
            )
    if pd.api.types.is_string_dtype(values) and len(there) and pd.to_numeric(there, errors="coerce").isna().all():
        filled = there[there != ""]
        if len(filled):
            raise ValueError(
                f"A numeric column must hold numbers. Received: {filled.iloc[0]!r}, ... as '{name}', none of which is "
                f'a number. Does it hold categories? Then write mm.Table(..., categorical=["{name}"]).'
            )
    return values


def _of_time(name, values, rule):
    if values.dtype.kind == "m":
        return (
            f"{rule}. Received: spans of time ({values.dtype}) as '{name}'. Make numbers of them first: "
            f'frame["{name}"] = frame["{name}"].dt.total_seconds().'
        )
    return (
        f"{rule}. Received: dates ({values.dtype}) as '{name}'. Declare the column as dates, of which the year, month, "
        f'day, weekday and hour are used: mm.Table(..., dates=["{name}"]).'
    )
