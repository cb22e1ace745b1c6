"""Encodes picture and sound files."""

import io
import wave

import numpy as np


def image(pixels, kind):
    """A PNG ("png") or JPEG ("jpg") file of uint8 pixels (H, W, C)."""
    import tensorflow as tf

    return (tf.io.encode_png if kind == "png" else tf.io.encode_jpeg)(pixels).numpy()


def wav(waveform, sample_rate=8000):
    """A 16-bit mono WAV file of samples in [-1, 1]."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setparams((1, 2, sample_rate, 0, "NONE", ""))
        writer.writeframes(np.clip(waveform * 32767, -32768, 32767).round().astype("<i2").tobytes())
    return file.getvalue()
