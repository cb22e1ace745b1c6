"""A `tf.data.Dataset` of decoded examples -> raw examples, in the graph."""

import numpy as np
import tensorflow as tf

from mmkeras.contract import SAMPLE_WEIGHT
from mmkeras.data import faults
from mmkeras.data.attempts import attempted
from mmkeras.data.clips import as_clip, check_decoder, clip_of_pixels
from mmkeras.data.encoded import png_file, wav_file
from mmkeras.data.transcode import needs_transcoding, to_png, to_wav
from mmkeras.specs import Audio, Image, Table, Text, Vector, Video


class Stream(tf.data.Dataset):
    """Raw examples that are made of those of another `tf.data.Dataset`, one after the other.

    A plain `tf.data.Dataset` to everything that takes one. `train_batches` shuffles it by buffer, or as a whole with
    `cache=`; `split` cannot part it.

    Args:
        dataset: `tf.data.Dataset`, whose elements hold a tensor for each name.
        leaves: dict, raw or head name -> function of an element that gives its tensor.
        specs: list of specs.
        heads: list of heads.
        on_error: "raise" or "skip", what `train_batches` and `eval_batches` do with a file that cannot be decoded; a
            wrong label, and a sound of another scale, are always errors.
        sample_rate: of decoded sounds, in Hz.
        names: raw and head names that the examples have; None: all of them.
    """

    def __init__(self, dataset, leaves, specs, heads=(), on_error="raise", sample_rate=None, names=None):
        self.dataset, self.leaves, self.sample_rate = dataset, leaves, sample_rate
        self.specs, self.heads, self.on_error = list(specs), list(heads), on_error
        makers = dict(self._makers(names or list(leaves)))

        def convert(position, *element):
            element = element if len(element) > 1 else element[0]
            return {name: make(leaves[name](element), position) for name, make in makers.items()}

        files = [spec.name for spec in specs if isinstance(spec, Audio | Image | Video) and spec.name in makers]
        files = [name for name in files if self._spec(name).dtype == tf.string]  # what is decoded is no file
        self._faults = {}  # position of an example -> Fault
        self._examples = attempted(dataset, convert, makers, files, leaves, self._faults, mark=False)
        self.marked = attempted(dataset, convert, makers, files, leaves, self._faults, mark=True)
        super().__init__(self._examples._variant_tensor)

    def _inputs(self):
        return [self._examples]

    @property
    def element_spec(self):
        return self._examples.element_spec

    def select(self, names):
        """The same examples with some of the names only; the others' files are not encoded."""
        return Stream(self.dataset, self.leaves, self.specs, self.heads, self.on_error, self.sample_rate, list(names))

    def _makers(self, names):
        """(name, function of a tensor and its position -> the raw tensor or the label)."""
        kinds = {name: (_RAW[type(spec)], spec) for spec in self.specs for name in spec.raw}
        kinds |= {head.name: (_label, head) for head in self.heads}
        kinds.setdefault(SAMPLE_WEIGHT, (_weight, None))
        for name in names:
            kind, owner = kinds[name]
            yield name, kind(owner, name, self._spec(name), self)

    def _spec(self, name):
        leaf = self.leaves[name](self.dataset.element_spec)
        if not isinstance(leaf, tf.TensorSpec):
            raise _refusal(name, "one dense tensor", leaf, "Turn it into one, e.g. ragged.to_tensor().")
        return leaf

    def locate(self, error, batch, preprocess, row, origin):
        """As `faults.locate`; knows what could not be converted."""
        return self._faults.get(row) or faults.locate(error, batch, preprocess, row, origin)

    def first(self, name, count):
        """The values of the first examples."""
        return [self.leaves[name](element) for element in self.dataset.take(count).as_numpy_iterator()]


def leaves(structure, prefix=""):
    """Names of the columns; "a.b" within dicts and tuples."""
    if isinstance(structure, tuple) and not isinstance(structure, tf.TensorSpec):
        structure = dict(enumerate(structure))
    if not isinstance(structure, dict):
        return [prefix[:-1]]
    return [leaf for key, inner in structure.items() for leaf in leaves(inner, f"{prefix}{key}.")]


def picker(key):
    """Function of an element that gives the value of the column `key`."""

    def pick(element):
        if isinstance(element, dict) and key in element:
            return element[key]
        for part in key.split("."):
            element = element[int(part)] if isinstance(element, tuple) else element[part]
        return element

    return pick


def _refusal(name, wanted, received, remedy="Change it first: dataset.map(...)."):
    return ValueError(f"from_dataset needs {wanted} for '{name}'. Received: {received}. {remedy}")


# A function for each kind: (spec or head, name, its TensorSpec, stream) -> function of (tensor, position).


def _text(spec, name, leaf, stream):
    _check_scalar(name, leaf)
    if leaf.dtype.is_floating:
        raise _refusal(name, "a text, or an integer", leaf)
    return lambda value, position: _as_string(value)


def _as_string(value):
    if value.dtype == tf.bool:
        return tf.where(value, "True", "False")
    return value if value.dtype == tf.string else tf.strings.as_string(value)


def _check_scalar(name, leaf):
    if leaf.shape.rank not in (0, None):
        raise _refusal(name, "one value in each example", leaf, "Is the data set batched? Then say dataset.unbatch().")


def _image(spec, name, leaf, stream):
    if leaf.dtype == tf.string:
        return _file(name, leaf, stream, lambda content: to_png(content, spec.max_pixels))
    if leaf.dtype != tf.uint8 or leaf.shape.rank not in (2, 3):
        wanted = "pixels (H, W) or (H, W, C) of uint8, or the bytes of a file"
        raise _refusal(name, wanted, leaf, "Unbatch the data set; scale pixels to 0..255 and cast them.")
    return lambda value, position: png_file(value)


def _audio(spec, name, leaf, stream):
    if leaf.dtype == tf.string:
        return _file(name, leaf, stream, to_wav)
    known = leaf.dtype.is_floating or leaf.dtype in (tf.int16, tf.int32, tf.int64)
    if not known or leaf.shape.rank not in (1, 2):
        wanted = "samples (S,) or (S, channels) of int16 to int64 or float, or the bytes of a file"
        raise _refusal(name, wanted, leaf, "Unbatch the data set, and cast the samples.")
    rate = check_rate(name, stream.sample_rate)
    return lambda value, position: wav_file(name, value, rate)


def _video(spec, name, leaf, stream):
    if leaf.dtype == tf.string:
        _check_scalar(name, leaf)
        check_decoder(name, stream.first(name, 100))  # the sooner the better; those that come later are told as well
        return _in_python(lambda value: as_clip(name, value.numpy(), spec.frames, spec.max_pixels))
    if leaf.dtype != tf.uint8 or leaf.shape.rank != 4:
        wanted = "frames (N, H, W, C) of uint8, or the bytes of a file"
        raise _refusal(name, wanted, leaf, "Unbatch the data set; scale pixels to 0..255 and cast them.")
    return _in_python(lambda value: clip_of_pixels(value.numpy()))


def _in_python(make):
    return lambda value, position: tf.ensure_shape(tf.py_function(make, [value], tf.string), ())


def check_rate(name, rate):
    """The sample rate of a decoded sound, which nothing but the argument tells."""
    if rate is None:
        raise ValueError(
            f"Decoded sounds do not say how fast they are. Received: samples for '{name}', and sample_rate=None. "
            "Give from_dataset(..., sample_rate=) in Hz, as the data set's documentation has it."
        )
    return rate


def _file(name, leaf, stream, transcode):
    _check_scalar(name, leaf)
    convert = transcode if any(map(needs_transcoding, stream.first(name, 100))) else tf.identity
    return lambda value, position: convert(value)


def _column(spec, name, leaf, stream):
    if name in spec.categorical:
        return _text(spec, name, leaf, stream)
    _check_scalar(name, leaf)
    if leaf.dtype == tf.string:
        raise _refusal(name, "a number", leaf)
    return lambda value, position: tf.cast(value, tf.float32)


def _vector(spec, name, leaf, stream):
    numbers = leaf.dtype.is_floating or leaf.dtype.is_integer
    if not numbers or leaf.shape.rank != 1 or leaf.shape[0] not in (spec.size, None):
        raise _refusal(name, f"{spec.size} numbers", leaf)

    def vector(value, position):
        value = tf.cast(value, tf.float32)
        if leaf.shape[0] is None:  # an empty one is absent
            value = tf.cond(tf.size(value) > 0, lambda: value, lambda: tf.fill([spec.size], float("nan")))
            value = _of_size(spec, value, position)
        return value

    return vector


def _of_size(spec, value, position):
    count, row = tf.strings.as_string(tf.size(value)), tf.strings.as_string(position)
    rule = f"{spec.name}: a vector must have {spec.size} numbers. Received: "
    text = tf.strings.join([rule, count, " in example ", row, "."])
    with tf.control_dependencies([tf.raw_ops.Assert(condition=tf.size(value) == spec.size, data=[text], summarize=1)]):
        return tf.ensure_shape(value, [spec.size])


def _label(head, name, leaf, stream):
    """Labels are encoded by their head, in Python; numbers of the shape of an encoded label are taken as encoded."""
    shape, dtype = head.label
    if shape and leaf.shape == shape and leaf.dtype != tf.string:
        return lambda value, position: _finite(head, tf.ensure_shape(tf.cast(value, dtype), shape), position)
    if leaf.shape.rank is not None and leaf.shape.rank > 1:
        raise _refusal(name, "one label in each example", leaf, "Is the data set batched? Then say dataset.unbatch().")

    def encode(value, position):
        named = head.named(np.asarray(value).tolist(), position)
        return head.encode([named], [position])[0].astype(dtype)

    return lambda value, position: tf.ensure_shape(tf.numpy_function(encode, [value, position], dtype), shape)


def _weight(_, name, leaf, stream):
    if not (leaf.dtype.is_floating or leaf.dtype.is_integer) or leaf.shape.rank not in (0, None):
        raise _refusal(name, "one number in each example", leaf)

    def weight(value, position):
        value = tf.cast(value, tf.float32)
        known = tf.math.is_finite(value) & (value >= 0)
        return _require(known, "Sample weights", "finite numbers of 0 or more", value, position)

    return weight


def _finite(head, label, position):
    if not label.dtype.is_floating:
        return label
    known = tf.reduce_all(tf.math.is_finite(label))
    return _require(known, f"Head '{head.name}': labels", "finite numbers", label, position)


def _require(holds, what, rule, value, position):
    received = tf.strings.reduce_join(_as_string(value), separator="|")
    text = [f"{what} must be {rule}. Received: ", received, " in example ",
            tf.strings.as_string(position), ". Leave it out: dataset.filter(...)."]  # fmt: skip
    text = tf.strings.join(text)
    with tf.control_dependencies([tf.raw_ops.Assert(condition=holds, data=[text], summarize=1)]):
        return tf.identity(value)


_RAW = {Text: _text, Image: _image, Audio: _audio, Video: _video, Table: _column, Vector: _vector}
