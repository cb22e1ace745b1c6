"""Words of the command, NAME=VALUE, -> raw values of one example."""

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmkeras.checks import did_you_mean
from mmkeras.cli._answering import absent
from mmkeras.cli._signatures import FILES, Input


def row_of(words: Sequence[str], inputs: Sequence[Input]) -> dict[str, Any]:
    """A raw value for each input; one that is left out, or empty, is absent.

    Raises:
        ValueError: a word is no NAME=VALUE; a name is unknown, given twice, or missing; or a value cannot be read.
        FileNotFoundError: there is no such file.
    """
    given = _by_name(words, inputs)
    missing = [each.name for each in inputs if not each.optional and not given.get(each.name)]
    if missing:
        optional = [each.name for each in inputs if each.optional]
        left = f" These may be left out: {optional}." if optional else ""
        raise ValueError(
            f"Each input that may not be absent needs a value. Missing: {missing}. Received: {list(given)}. "
            f"Write {missing[0]}=VALUE, or {missing[0]}=@FILE.{left}"
        )
    return {each.name: value_of(each, given[each.name]) if given.get(each.name) else absent(each) for each in inputs}


def _by_name(words, inputs):
    names, given = [each.name for each in inputs], {}
    for word in words:
        name, sign, value = word.partition("=")
        if not sign:
            raise ValueError(
                f"Values are given as NAME=VALUE or NAME=@FILE. Received: {word!r}. The names are {names}."
            )
        if name not in names:
            raise ValueError(
                f"The inputs of this model are {names}. Received: {name!r}. {did_you_mean(name, names)}".rstrip()
            )
        if name in given:
            raise ValueError(f"Each input is given once. Received: {name!r} twice. Leave one out.")
        given[name] = value
    return given


def value_of(each: Input, text: str) -> bytes | float | np.ndarray:
    """The raw value that a word stands for.

    Args:
        each: the input.
        text: `@FILE` for what is in a file; the path alone will do for pictures, sounds and videos. `@@` begins a value
            that itself begins with `@`.
    """
    if text.startswith("@@"):
        text = text[1:]
    elif text.startswith("@") or each.kind in FILES:
        content = _content(each, text.removeprefix("@"))
        if each.dtype == "string":
            return content
        if content.startswith(b"\x93NUMPY"):
            return _checked(each, np.load(io.BytesIO(content), allow_pickle=False), text)
        text = content.decode("utf-8", "replace")
    return text.encode() if each.dtype == "string" else _checked(each, _numbers(each, text), text)


def _content(each, path):
    path = Path(os.path.expanduser(path))  # the shell leaves the ~ of photo=~/a.jpg
    if not path.is_file():
        what = "a folder" if path.is_dir() else "no file"
        raise FileNotFoundError(
            f"{each.name}: the path of a file is needed. Received: '{path}', which is {what}. Relative paths begin at "
            f"'{Path.cwd()}'."
        )
    return path.read_bytes()


def _numbers(each, text):
    try:
        return [float(number) for number in text.strip().strip("[]").replace(",", " ").split()]
    except ValueError as error:
        row = len(each.shape) == 1 and each.shape[0]
        remedy = f"Write {row} of them, 0.5,1, or @FILE.npy" if row else "Write digits, such as 1.5"
        raise ValueError(f"{each.name}: numbers are needed. Received: {text[:60]!r}. {remedy}.") from error


def _checked(each, numbers, text):
    given = np.asarray(numbers)
    array = _shaped(given, each.shape)
    if array is None:
        count = f"{given.size} numbers" if given.squeeze().ndim < 2 else f"numbers of shape {given.shape}"
        raise ValueError(f"{each.name}: {_wanted(each.shape)} needed. Received: {count} in {text[:60]!r}.")
    found = array.astype(each.dtype)
    if found.dtype.kind != "f" and not np.array_equal(found, array):
        raise ValueError(f"{each.name}: numbers that fit into {each.dtype} are needed. Received: {text[:60]!r}.")
    return found


def _shaped(array, shape):
    """The array in the shape of one example, None where it has another one; axes of size 1 do not matter."""
    if None in shape:
        fits = len(array.shape) == len(shape) and all(map(_fits, shape, array.shape))
        return array if fits else None
    same = [size for size in array.shape if size != 1] == [size for size in shape if size != 1]
    return array.reshape(shape) if same else None


def _fits(want, got):
    return want in (None, got)


def _wanted(shape):
    if not shape:
        return "one number is"
    sizes = ["any number" if size is None else str(size) for size in shape]
    return f"{sizes[0]} numbers are" if len(shape) == 1 and shape[0] else f"numbers of shape ({', '.join(sizes)}) are"
