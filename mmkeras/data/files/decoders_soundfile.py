"""Sounds and WebP pictures -> samples and pixels without tensorflow-io: by soundfile (libsndfile) and Pillow.

The functions have the names, arguments and results of those in `decoders_tfio`.
"""

import io
from collections.abc import Callable

import numpy as np
import soundfile
import tensorflow as tf
from PIL import Image

from mmkeras.data.python_function import python_function


def flac(content: tf.Tensor, bits: tf.Tensor) -> tf.Tensor:
    """A FLAC file () string with samples of 8, 16 or 24 bits () -> samples (S, channels) int32 of this many bits."""
    samples = _decoded("FLAC", lambda file: _samples(file, "int32"), content, tf.int32, 2)
    return tf.bitwise.right_shift(samples, 32 - tf.cast(bits, tf.int32))  # soundfile scales samples to 32 bits


def vorbis(content: tf.Tensor) -> tf.Tensor:
    """An Ogg Vorbis file () string -> samples (S, channels) float32."""
    return _decoded("Vorbis", lambda file: _samples(file, "float32"), content, tf.float32, 2)


def mp3(content: tf.Tensor) -> tf.Tensor:
    """An MP3 file () string -> samples (S, channels) float32."""
    return _decoded("MP3", lambda file: _samples(file, "float32"), content, tf.float32, 2)


def webp(content: tf.Tensor) -> tf.Tensor:
    """A WebP picture () string, not animated -> RGBA (H, W, 4) uint8."""
    return _decoded("WebP", _pixels, content, tf.uint8, 3)


def _samples(file, dtype):
    with soundfile.SoundFile(file) as sound:
        known = sound.frames < 2**62  # beyond: a FLAC file that does not state its length, of which nothing is read
        return sound.read(sound.frames if known else 0, dtype, always_2d=True)


def _pixels(file):
    with Image.open(file, formats=["WEBP"]) as picture:
        if picture.n_frames > 1:
            raise ValueError(f"it has {picture.n_frames} frames, one is needed")
        return np.asarray(picture.convert("RGBA"))


def _decoded(kind: str, decode: Callable, content: tf.Tensor, dtype: tf.DType, rank: int) -> tf.Tensor:
    """Calls `decode` with the content as a file; its errors become those of a TensorFlow op."""

    def run(content):
        # In eager mode, it is an array.
        file = io.BytesIO(content if isinstance(content, bytes) else content.item())
        try:
            return decode(file), b""
        except (OSError, RuntimeError, SyntaxError, ValueError) as error:  # SyntaxError: Pillow's, of some broken files
            told = str(error).replace(repr(file), "").strip() or type(error).__name__
            return np.zeros([0] * rank, dtype.as_numpy_dtype), told.encode()

    decoded, fault = python_function(run, [content], [dtype, tf.string])
    decoded.set_shape([None] * rank)
    fault = tf.ensure_shape(fault, ())
    text = tf.strings.join([f"A {kind} file cannot be decoded: ", fault])
    with tf.control_dependencies([tf.raw_ops.Assert(condition=fault == "", data=[text], summarize=1)]):
        return tf.identity(decoded)
