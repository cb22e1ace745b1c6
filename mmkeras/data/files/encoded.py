"""Encodes decoded pictures and sounds as files, losslessly, in graphs and eagerly, since raw examples hold files."""

import tensorflow as tf

_LOUDEST = 4.0  # full scale is 1.0; decoders overshoot it slightly, whereas unscaled 16-bit samples exceed it by far


def png_file(pixels):
    """Pixels (H, W) or (H, W, C) uint8 -> () string, a PNG file; b"" (absent) where there are none.

    Example:

    >>> tf.io.decode_png(png_file(tf.constant([[7, 8]], tf.uint8))).numpy().tolist()
    [[[7], [8]]]
    """
    pixels = pixels[..., None] if pixels.shape.rank == 2 else pixels
    return tf.cond(tf.size(pixels) > 0, lambda: tf.io.encode_png(pixels), lambda: tf.constant(b""))


def wav_file(name, samples, rate):
    """Samples (S,) or (S, channels) -> () string, a WAV file; b"" (absent) where there are none.

    Args:
        name: name of the sound in error messages.
        samples: float, written as 32-bit floats, full scale is 1; or integers, written as 16 bits, full scale is 32768
            whatever their dtype.
        rate: samples per second, int.

    Raises:
        tf.errors.InvalidArgumentError: integers exceed 16 bits, or floats are so large that their scale must be
        different.

    Example:

    >>> [part.numpy().tolist() for part in tf.audio.decode_wav(wav_file("voice", tf.constant([16384, 0]), 8000))]
    [[[0.5], [0.0]], 8000]

    Source: Multimedia Programming Interface and Data Specifications 1.0 (IBM, Microsoft 1991), WAVE_FORMAT_PCM (1); and
    mmreg.h for WAVE_FORMAT_IEEE_FLOAT (3).
    """
    samples = samples[:, None] if samples.shape.rank == 1 else samples
    whole = samples.dtype.is_integer
    low, high = (-32768, 32767) if whole else (-_LOUDEST, _LOUDEST)
    fits = tf.reduce_all((samples >= tf.cast(low, samples.dtype)) & (samples <= tf.cast(high, samples.dtype)))
    rule = f"{name}: a sound is given in 16-bit integers, or in floats from -1 to 1. Received: "
    found = tf.strings.as_string(tf.reduce_max(tf.abs(tf.cast(samples, tf.float32))))
    text = tf.strings.join([rule, found, " as its largest value. Divide it by its full scale first."])
    with tf.control_dependencies([tf.raw_ops.Assert(condition=fits, data=[text], summarize=1)]):
        samples = tf.cast(samples, tf.int16 if whole else tf.float32)
    return tf.cond(tf.size(samples) > 0, lambda: _wav(samples, rate, whole), lambda: tf.constant(b""))


def _wav(samples, rate, whole):
    size, channels = samples.dtype.size, tf.shape(samples)[1]
    data = _bytes_of(samples)
    count = tf.strings.length(data)
    parts = [
        b"RIFF", (36 + count, 4), b"WAVEfmt ", (16, 4), (1 if whole else 3, 2), (channels, 2), (rate, 4),
        (rate * channels * size, 4), (channels * size, 2), (8 * size, 2), b"data", (count, 4), data,
    ]  # fmt: skip
    return tf.strings.join([_little(*part) if isinstance(part, tuple) else part for part in parts])


def _little(number, count):
    """A number as `count` little-endian bytes."""
    return tf.strings.substr(_bytes_of(tf.cast(number, tf.int32)), 0, count)


def _bytes_of(tensor):
    """The memory of a tensor, which is the last field of its serialized message (tensor.proto)."""
    message = tf.io.serialize_tensor(tensor)
    size = tf.size(tensor) * tensor.dtype.size
    return tf.strings.substr(message, tf.strings.length(message) - size, size)
