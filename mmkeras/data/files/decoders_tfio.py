"""Sounds and WebP pictures -> samples and pixels by tensorflow-io, which TensorFlow up to 2.17 loads.

The functions have the names, arguments and results of those in `decoders_soundfile`.
"""

import functools

import tensorflow as tf
import tensorflow_io as tfio

# A valid FLAC frame with an impossible sample number (2^36 - 1). If frames are missing at the end of a file,
# tensorflow-io 0.37.1 loops forever waiting for the next one; with this frame appended, it stops with an error.
_FLAC_END = bytes.fromhex("fff91008febfbfbfbfbfbf680000004cce")


def flac(content: tf.Tensor, bits: tf.Tensor) -> tf.Tensor:
    """A FLAC file () string with samples of 8, 16 or 24 bits () -> samples (S, channels) int32 of this many bits."""
    decode = functools.partial(tfio.audio.decode_flac, content + _FLAC_END)
    cases = [
        (bits == 8, lambda: tf.cast(decode(dtype=tf.uint8), tf.int32) - 2**7),
        # tensorflow-io shifts 24-bit samples up by 8 bits.
        (bits == 24, lambda: tf.bitwise.right_shift(decode(dtype=tf.int32), 8)),
    ]
    # The decoder rejects other bit depths.
    return tf.case(cases, default=lambda: tf.cast(decode(dtype=tf.int16), tf.int32))


def vorbis(content: tf.Tensor) -> tf.Tensor:
    """An Ogg Vorbis file () string -> samples (S, channels) float32."""
    return tfio.audio.decode_vorbis(content)


def mp3(content: tf.Tensor) -> tf.Tensor:
    """An MP3 file () string -> samples (S, channels) float32."""
    return tfio.audio.decode_mp3(content)


def webp(content: tf.Tensor) -> tf.Tensor:
    """A WebP picture () string, not animated -> RGBA (H, W, 4) uint8."""
    return tfio.image.decode_webp(content)
