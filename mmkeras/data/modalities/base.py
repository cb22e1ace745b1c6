"""The interface for reading a modality, and what several modalities share."""

import functools
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import tensorflow as tf

from mmkeras.causes import cause_of
from mmkeras.data.faults import Fault
from mmkeras.data.files import archives
from mmkeras.data.files.transcode import needs_transcoding
from mmkeras.data.modalities.cells import decoded
from mmkeras.data.progress import shown_if_slow
from mmkeras.data.viewing import page
from mmkeras.specs import as_text

_THREADS = 8  # threads that read file headers, mostly waiting for I/O
UNREAD = "fault"  # key in `Modality.measured` for the reason why a file could not be measured


class Modality:
    """How the raw values of one modality are read. To add a kind, put an object like this into `KINDS` under it.

    Attributes:
        paths: whether a value of a table may be the path of a file.
        media: whether a raw value is the content of a file, such as a picture.
    """

    paths = media = False

    def column(self, spec, name, values, root, faults):
        """A column of a table -> array of raw values; of files, `str` paths and `bytes`.

        Args:
            spec: spec of this kind.
            name: one of its raw names.
            values: `pandas.Series`.
            root: folder that paths are relative to.
            faults: list of `Fault` that is added to, with the position of a row in place of its name.
        """
        raise NotImplementedError

    def converter(self, spec, name, leaf, stream):
        """Function of (tensor, position) that makes a raw value of one in a `tf.data.Dataset`.

        Args:
            spec: spec of this kind.
            name: one of its raw names.
            leaf: `tf.TensorSpec` of the tensor.
            stream: `Stream`.

        Raises:
            ValueError: the tensor has another dtype or shape.
        """
        raise NotImplementedError

    def reader(self, spec, values):
        """Function of marked paths and contents (B,) string -> contents (B,) string; None: values stay as they are.

        Args:
            values: the column, as `column` made it.
        """
        return None

    def encoded(self, spec, row, array, rate):
        """The content of a file that holds a decoded value, pixels or samples; None where the array is something else.

        Args:
            row: what an error calls the row.
            array: `numpy.ndarray`.
            rate: of samples, in Hz, or None.
        """
        return None

    def suffix(self, content, suffix):
        """Ending of a file's name by which reading knows how to convert its content."""
        return suffix

    def absent(self, values):
        """Which values of a column, as `column` made it, are absent: (n,) bool."""
        if values.dtype == object:
            return np.fromiter((value == b"" for value in values), bool, len(values))
        return np.isnan(values).reshape(len(values), -1).all(axis=1)

    def measured(self, spec, name, values):
        """What `Examples.describe` tells of values that are there: dict, what is measured -> list of numbers or texts.

        Those of media, which are files, are measured in a sample of the rows.
        """
        return {}

    def html(self, spec, name, value):
        """A raw value, as `preprocess` takes it, as HTML for `Examples.show`."""
        if isinstance(value, bytes):
            return page.text(value.decode("utf-8", "replace"))
        return page.numbers(value)

    def ready_html(self, spec, layer, ready):
        """A ready example as HTML for `data.show`, where it is not absent.

        Args:
            spec: spec of this kind.
            layer: the one of `preprocess` that made it.
            ready: dict, ready name -> array without the batch axis.
        """
        return page.numbers(ready[spec.name])


def refusal(name, wanted, received, remedy="Change it first: dataset.map(...)."):
    """The ValueError that `converter` raises."""
    return ValueError(f"from_dataset needs {wanted} for '{name}'. Received: {received}. {remedy}")


def check_scalar(name, leaf):
    """Raises ValueError unless each example has a single value."""
    if leaf.shape.rank not in (0, None):
        raise refusal(name, "one value in each example", leaf, "Is the data set batched? Then call dataset.unbatch().")


def as_string(value):
    """A tensor as text, formatted as in a table."""
    if value.dtype == tf.bool:
        return tf.where(value, "True", "False")
    return value if value.dtype == tf.string else tf.strings.as_string(value)


def text_converter(name, leaf):
    """`Modality.converter` for texts and categories."""
    check_scalar(name, leaf)
    if leaf.dtype.is_floating:
        raise refusal(name, "a text, or an integer", leaf)
    return lambda value, position: as_string(value)


def strings(name, values):
    """UTF-8 bytes, b"" if absent; bytes are not changed."""
    # Iterating over lists is several times faster than over pandas objects.
    pairs = zip(values.tolist(), values.isna().tolist(), strict=True)
    try:
        return np.array([b"" if absent else _bytes(value) for value, absent in pairs], object)
    except UnicodeEncodeError as error:
        row = next(row for row, value in values.items() if isinstance(value, str) and _is_broken(value))
        raise ValueError(
            f"Texts must be Unicode without lone surrogates. Received: {error.object[error.start]!r} as '{name}' in "
            f"row {row}. It is half of a character that was cut in two: repair it, or drop the row."
        ) from error


def _bytes(value):
    if type(value) is str:  # the most common case
        return value.encode()
    return value if isinstance(value, bytes) else as_text(value).encode()


def _is_broken(text):
    return any("\ud800" <= character <= "\udfff" for character in text)


def found(root, known, value):
    """The file's path on disk, and None or (file, cause)."""
    path = archives.on_disk(str(root / os.path.expanduser(value)), known)
    return path, None if os.path.isfile(path) else archives.absence(path)


class Media(Modality):
    """Base class for pictures, sounds and clips, whose values are contents of files."""

    paths = media = True
    takes = "nothing"  # description of what `encoded` accepts, for error messages

    def column(self, spec, name, values, root, faults):
        files = np.full(len(values), b"", object)
        # Look each file up once, even if many rows refer to it.
        look = functools.cache(functools.partial(self.found, root, {}))
        pairs = zip(values.tolist(), values.isna().tolist(), strict=True)
        for i, (value, absent) in enumerate(shown_if_slow(pairs, f"Looking for files of '{name}'", len(values))):
            held = b"" if absent else self._held(spec, name, values.index[i], value)
            files[i], wrong = look(held) if isinstance(held, str) and held else (held or b"", None)
            if files[i] == b"" and not spec.optional:
                faults.append(Fault(i, name, "", "a required file is not given"))
            elif wrong:
                faults.append(Fault(i, name, *wrong))
        return files

    found = staticmethod(found)

    def _held(self, spec, name, row, value):
        """The path (`str`) or the content (`bytes`) of the file that a cell holds or its value is converted to."""
        if isinstance(value, dict) and {"bytes", "path"} & set(value):  # how Hugging Face stores files in tables
            value = value.get("bytes") or value.get("path") or b""
        if isinstance(value, bytes | str | os.PathLike):
            return value if isinstance(value, bytes) else os.fspath(value)
        array, rate = decoded(value)
        try:
            made = None if array is None else self.encoded(spec, row, array, rate)
        except tf.errors.OpError as error:
            raise ValueError(cause_of(error)) from error
        if made is None:
            received = type(value).__name__ if array is None else f"{array.dtype} of shape {array.shape}"
            raise ValueError(
                f"A file must be given as its path, as the bytes of the whole file, or decoded, as {self.takes}. "
                f"Received: {received} as '{name}' in row {row}."
            )
        return made

    def reader(self, spec, values):
        ends = {value[-5:] if isinstance(value, str) else value[:12] for value in values}
        return file_reader(spec.name, self.transcoder(spec) if any(map(needs_transcoding, ends)) else None)

    def size(self, spec, value):
        """Dict of the sizes in the header of a file, given as a path (`str`) or as `bytes`."""
        return {}

    def measured(self, spec, name, values):
        with ThreadPoolExecutor(_THREADS) as pool:
            found = pool.map(functools.partial(self._size, spec), values)
            sizes = list(shown_if_slow(found, f"Measuring files of '{name}'", len(values)))
        keys = dict.fromkeys(key for size in sizes for key in size)
        return {key: [size[key] for size in sizes if key in size] for key in keys}

    def _size(self, spec, value):
        try:
            return self.size(spec, value)
        except Exception as error:  # from Pillow, PyAV, zipfile, ...
            return {UNREAD: (str(error).splitlines() or [type(error).__name__])[0]}

    def transcoder(self, spec):
        """Function from a content () string to one that `preprocess` can decode."""
        raise NotImplementedError

    def file_converter(self, spec, name, leaf, stream):
        """`converter` for contents of files."""
        check_scalar(name, leaf)
        convert = self.transcoder(spec) if any(map(needs_transcoding, stream.first(name, 100))) else tf.identity
        return lambda value, position: convert(value)


def file_reader(name, transcode):
    """`Modality.reader` that reads files, and transcodes them if `transcode` is given."""

    def read_file(path):
        content = tf.io.read_file(path)
        # From here on, b"" means "absent", so an empty file has to fail now.
        empty = tf.debugging.Assert(tf.strings.length(content) > 0, [f"{name}: the file is empty (0 bytes)."])
        with tf.control_dependencies([empty] if empty is not None else []):
            return tf.identity(content)

    def read(value):
        is_path = tf.equal(tf.strings.substr(value, 0, 1), "@")
        rest = tf.strings.substr(value, 1, -1)
        content = tf.cond(is_path, lambda: read_file(rest), lambda: rest)
        return transcode(content) if transcode else content

    return lambda batch: tf.map_fn(read, batch, parallel_iterations=1)


def whole_pixels(array):
    """Whether an array holds pixels: whole numbers from 0 to 255."""
    return array.dtype.kind in "iu" and array.min(initial=0) >= 0 and array.max(initial=0) <= 255
