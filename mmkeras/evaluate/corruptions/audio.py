from os import PathLike
from pathlib import Path

import numpy as np
import tensorflow as tf
from scipy import signal

from mmkeras.checks import check
from mmkeras.preprocess import preprocessor

STAGE = "ready"
_BEST, _WORST = 30.0, -10.0  # dB, signal-to-noise ratio


def noise(values, spec, strength, rng):
    """White noise, 30 dB below the sound down to 10 dB above it."""
    return _with(values, spec, strength, rng.normal(size=values[spec.name].shape))


def noise_of(sounds):
    """The corruption by given sounds, at the same distances.

    Args:
        sounds: list of arrays (S,) at the spec's sample rate; or of paths of sound files, which are read as the spec's
            own are, their first `seconds`.

    Returns:
        A corruption, for `more=` of `robustness`.

    Raises:
        ValueError: there is no sound, or a file holds none.
    """
    check(len(sounds), "Noise of given sounds needs one or more.", "none", "Give waveforms, or paths of files.")
    read = {}

    def given(values, spec, strength, rng):
        shape = values[spec.name].shape
        if spec.name not in read:
            read[spec.name] = [_waveform(each, spec) for each in sounds]
        waveforms = read[spec.name]
        rows = [_stretch(waveforms[rng.integers(len(waveforms))], shape[1], rng) for _ in range(shape[0])]
        return _with(values, spec, strength, np.stack(rows))

    return given


def _waveform(sound, spec):
    """A sound (S,), read where it is a path."""
    if not isinstance(sound, str | PathLike):
        return np.asarray(sound)
    content = tf.constant([Path(sound).read_bytes()])
    ready = preprocessor([spec])(dict.fromkeys(spec.raw, content))
    waveform = np.asarray(ready[spec.name])[0][np.asarray(ready[f"{spec.name}_mask"])[0]]
    check(waveform.any(), "A file of noise must hold a sound.", f"none in '{sound}'", "Leave the file out.")
    return waveform


def _stretch(waveform, length, rng):
    waveform = np.tile(waveform, -(-length // len(waveform)) + 1)
    start = rng.integers(0, len(waveform) - length + 1)
    return waveform[start : start + length]


def _with(values, spec, strength, other):
    waveform, mask = values[spec.name], values[f"{spec.name}_mask"]
    if not strength:
        return values
    power, own = _power(waveform, mask), _power(other, mask)
    gain = np.sqrt(power / np.maximum(own, 1e-12) * 10 ** (-(_BEST + (_WORST - _BEST) * strength) / 10))
    return values | {spec.name: _samples(waveform + gain * other, mask)}


def _power(waveform, mask):
    """Mean power of the real samples, (B, 1)."""
    return (waveform**2 * mask).sum(1, keepdims=True) / np.maximum(mask.sum(1, keepdims=True), 1)


def reverb(values, spec, strength, rng):
    """Reverberation that decays by 60 dB within up to a second, at the original loudness."""
    waveform, mask = values[spec.name], values[f"{spec.name}_mask"]
    length = round(spec.sample_rate * strength)
    if length < 2:
        return values
    room = rng.normal(size=length) * 10 ** (-3 * np.arange(length) / length)
    room[0] = np.abs(room).max() * 2
    heard = signal.fftconvolve(waveform, room[None], axes=1)[:, : waveform.shape[1]]
    gain = np.sqrt(_power(waveform, mask) / np.maximum(_power(heard, mask), 1e-12))
    return values | {spec.name: _samples(heard * gain, mask)}


def band_limit(values, spec, strength, rng):
    """Low-pass filter, from half of the sample rate down to 2 % of that."""
    waveform = np.fft.rfft(values[spec.name])
    waveform[:, round(waveform.shape[1] * (1 - 0.98 * strength)) :] = 0
    heard = np.fft.irfft(waveform, values[spec.name].shape[1])
    return values | {spec.name: _samples(heard, values[f"{spec.name}_mask"])}


def _samples(waveform, mask):
    return np.clip(np.where(mask, waveform, 0.0), -1, 1).astype("float32")


CORRUPTIONS = {"noise": noise, "reverb": reverb, "band limit": band_limit}
