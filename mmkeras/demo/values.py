"""What the widgets of a page hold -> raw values of one example."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

FILES = ("image", "audio", "video")  # kinds whose widget holds the path of a file


class Missing(ValueError):
    """Inputs that may not be absent have no value."""


def row_of(held: Mapping[str, Any], inputs: Sequence[Any]) -> dict[str, Any]:
    """Raw values by input name; an empty widget is an absent value.

    Args:
        held: dict, input name -> what its widget holds: a text, the path of a file, a number, or None.
        inputs: the inputs, see `page`.

    Raises:
        Missing: an input that may not be absent has no value.
        ValueError: a value cannot be read; the message begins with the input.
        ImportError: a movie, and PyAV is not installed.
    """
    empty = {each.name for each in inputs if held.get(each.name) in (None, "")}
    missing = [each.name for each in inputs if each.name in empty and not each.optional]
    if missing:
        raise Missing(f"Please give {' and '.join(missing)}. Only what is marked as optional may be left out.")
    return {each.name: absent(each) if each.name in empty else _value(each, held[each.name]) for each in inputs}


def absent(each: Any) -> bytes | np.ndarray:
    """What stands for an absent value of an input."""
    return b"" if each.dtype == "string" else np.full(each.shape, np.nan, "float32")


def _value(each, value):
    if each.kind in FILES:
        return converted(each, Path(value).read_bytes())
    if each.dtype == "string":
        return str(value).encode()
    return np.asarray(_numbers(each, value), each.dtype).reshape(each.shape)


def _numbers(each, value):
    if not isinstance(value, str):
        return value
    try:
        numbers = [float(number) for number in value.strip().strip("[]").replace(",", " ").split()]
    except ValueError as error:
        raise ValueError(f"{each.name}: numbers are needed. Received: {value[:60]!r}. Write 0.5, 1, ...") from error
    count = math.prod(each.shape)
    if len(numbers) != count:
        raise ValueError(
            f"{each.name}: {count} number{'s are' if count > 1 else ' is'} needed. Received: {len(numbers)}."
        )
    return numbers


def converted(each: Any, content: bytes) -> bytes:
    """The content of a file in a format that exports decode, as `mmkeras.data` converts it; unknown ones as they are.

    Cameras give WebP or movies, and people have MP3 files.
    """
    from mmkeras.data.files import clips, transcode  # with TensorFlow, which takes seconds

    if each.kind == "video":
        clips.check_decoder(each.name, [content])
        most = getattr(each.spec, "frames", None)
        return clips.as_clip(each.name, content, most) if most and clips.needs_frames(content) else content
    if not transcode.needs_transcoding(content):
        return content
    return _transcoded(each, {"image": transcode.to_png, "audio": transcode.to_wav}[each.kind], content)


def _transcoded(each, function, content):
    from mmkeras.causes import cause_of

    try:
        return function(content).numpy()
    except Exception as error:  # errors of TensorFlow's ops
        raise ValueError(f"{each.name}: {cause_of(error) if hasattr(error, 'message') else error}") from error
