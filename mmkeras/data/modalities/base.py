"""The contract of a modality in reading, and what several share."""

import functools
import os

import numpy as np
import tensorflow as tf

from mmkeras.data.faults import Fault
from mmkeras.data.files import archives
from mmkeras.data.files.transcode import needs_transcoding
from mmkeras.data.progress import shown_if_slow
from mmkeras.specs import as_text


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


def refusal(name, wanted, received, remedy="Change it first: dataset.map(...)."):
    """A ValueError of `converter`."""
    return ValueError(f"from_dataset needs {wanted} for '{name}'. Received: {received}. {remedy}")


def check_scalar(name, leaf):
    """Raises ValueError unless each example has one value."""
    if leaf.shape.rank not in (0, None):
        raise refusal(name, "one value in each example", leaf, "Is the data set batched? Then say dataset.unbatch().")


def as_string(value):
    """A tensor as text, written as in a table."""
    if value.dtype == tf.bool:
        return tf.where(value, "True", "False")
    return value if value.dtype == tf.string else tf.strings.as_string(value)


def text_converter(name, leaf):
    """`Modality.converter` of texts and categories."""
    check_scalar(name, leaf)
    if leaf.dtype.is_floating:
        raise refusal(name, "a text, or an integer", leaf)
    return lambda value, position: as_string(value)


def strings(name, values):
    """UTF-8 bytes, b"" where absent; bytes as they are."""
    pairs = zip(values.tolist(), values.isna().tolist(), strict=True)  # pandas' own iteration is several times slower
    try:
        return np.array([b"" if absent else _bytes(value) for value, absent in pairs], object)
    except UnicodeEncodeError as error:
        row = next(row for row, value in values.items() if isinstance(value, str) and _is_broken(value))
        raise ValueError(
            f"Texts must be Unicode without lone surrogates. Received: {error.object[error.start]!r} as '{name}' in "
            f"row {row}. It is half of a character that was cut in two: mend it, or drop the row."
        ) from error


def _bytes(value):
    if type(value) is str:  # the usual case
        return value.encode()
    return value if isinstance(value, bytes) else as_text(value).encode()


def _is_broken(text):
    return any("\ud800" <= character <= "\udfff" for character in text)


def found(root, known, value):
    """The file's place on disk, and None or (file, cause)."""
    path = archives.on_disk(str(root / os.path.expanduser(value)), known)
    return path, None if os.path.isfile(path) else archives.absence(path)


class Media(Modality):
    """What pictures, sounds and clips share: each is the content of a file."""

    paths = media = True

    def column(self, spec, name, values, root, faults):
        files = np.full(len(values), b"", object)
        look = functools.cache(functools.partial(self.found, root, {}))  # a file is looked for once, in all rows
        pairs = zip(values.tolist(), values.isna().tolist(), strict=True)
        for i, (value, absent) in enumerate(shown_if_slow(pairs, f"Looking for files of '{name}'", len(values))):
            path = None if absent or isinstance(value, bytes) else _path(name, values.index, i, value)
            files[i], wrong = look(path) if path else (value if isinstance(value, bytes) else b"", None)
            if files[i] == b"" and not spec.optional:
                faults.append(Fault(i, name, "", "a required file is not given"))
            elif wrong:
                faults.append(Fault(i, name, *wrong))
        return files

    found = staticmethod(found)

    def reader(self, spec, values):
        ends = {value[-5:] if isinstance(value, str) else value[:12] for value in values}
        return file_reader(spec.name, self.transcoder(spec) if any(map(needs_transcoding, ends)) else None)

    def transcoder(self, spec):
        """Function of a content () string -> one that `preprocess` can decode."""
        raise NotImplementedError

    def file_converter(self, spec, name, leaf, stream):
        """`converter` of contents of files."""
        check_scalar(name, leaf)
        convert = self.transcoder(spec) if any(map(needs_transcoding, stream.first(name, 100))) else tf.identity
        return lambda value, position: convert(value)


def _path(name, rows, i, value):
    if isinstance(value, str | os.PathLike):
        return os.fspath(value)
    raise ValueError(
        f"A file is given as its path or as the bytes of a whole file. Received: {type(value).__name__} as '{name}' in "
        f"row {rows[i]}. Encode decoded pictures or sounds first, e.g. with tf.io.encode_png or tf.audio.encode_wav."
    )


def file_reader(name, transcode):
    """`Modality.reader` of files that are read, and converted where there is something to convert with."""

    def read_file(path):
        content = tf.io.read_file(path)
        # Zero bytes mean "absent" from here on, which a file is not.
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
