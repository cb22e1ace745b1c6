"""Changes of speed, room acoustics and recorded noise, used by `audio`."""

import os
from pathlib import Path

import numpy as np
import tensorflow as tf

from mmkeras.augment.steps import seeds
from mmkeras.preprocess.audio import DecodeAudio

Files = str | os.PathLike | list  # a folder, or a list of paths
_LONGEST_NOISE = 60.0  # seconds read from each file


def each(wave, low, high, seed):
    """Draws one uniform number per clip, (B, 1)."""
    return tf.random.stateless_uniform([tf.shape(wave)[0], 1], seed, low, high)


def sped(wave, mask, speed, seed):
    """Plays clips (B, S) faster or slower by up to the share `speed`; slower clips are cut at the end of the window."""
    samples = tf.shape(wave)[1]
    source = each(wave, 1.0 - speed, 1.0 + speed, seed) * tf.cast(tf.range(samples), tf.float32)[None]
    first = tf.cast(tf.floor(source), tf.int32)
    share = source - tf.cast(first, tf.float32)
    first, second = (tf.minimum(first + i, samples - 1) for i in range(2))
    real = tf.gather(mask, first, batch_dims=1) & (source <= tf.cast(samples - 1, tf.float32))
    heard = (1.0 - share) * tf.gather(wave, first, batch_dims=1) + share * tf.gather(wave, second, batch_dims=1)
    return tf.where(real, heard, 0.0), real


def reverberant(wave, response):
    """Convolves clips (B, S) with impulse responses (B, L) of rooms, keeping their loudness."""
    samples = tf.shape(wave)[1]
    length = samples + tf.shape(response)[1] - 1
    spectrum = tf.signal.rfft(wave, [length]) * tf.signal.rfft(response, [length])
    heard = tf.signal.irfft(spectrum, [length])[:, :samples]
    power, now = (tf.reduce_sum(sound**2, axis=1, keepdims=True) for sound in (wave, heard))
    return tf.clip_by_value(heard * tf.sqrt(tf.math.divide_no_nan(power, now)), -1.0, 1.0)


def made_up_rooms(wave, seconds, rate, seed):
    """Synthetic impulse responses (B, L): direct sound, then noise decaying by 60 dB in a time drawn from `seconds`."""
    by_time, by_tail, by_level = seeds(seed, 3)
    length = max(2, round(seconds[1] * rate))
    time = tf.range(1, length, dtype=tf.float32)[None] / rate
    falls = 10.0 ** (-3.0 * tf.math.divide_no_nan(time, each(wave, *seconds, by_time)))
    tail = tf.random.stateless_normal([tf.shape(wave)[0], length - 1], by_tail) * falls
    energy = each(wave, 0.1, 1.0, by_level)  # energy of the reverberant tail relative to the direct sound
    tail *= tf.sqrt(tf.math.divide_no_nan(energy, tf.reduce_sum(tail**2, axis=1, keepdims=True)))
    return tf.concat([tf.ones_like(energy), tail], axis=1)


class Recordings:
    """Sounds of WAV files, of which parts are drawn.

    Args:
        files: list of paths, or a folder whose .wav files are taken, those of its folders too.
        argument: what errors call them.
        rate: sample rate in Hz; files of others are resampled.
        seconds: of each file that are read at most.

    Raises:
        ValueError: there is no file, or one is no sound.
    """

    def __init__(self, files, argument, rate, seconds=_LONGEST_NOISE):
        paths = _paths(files, argument)
        decode = DecodeAudio(max(1, round(seconds * rate)), sample_rate=rate, name="noise_preprocess")
        sounds = [_read(path, decode, argument) for path in paths]
        lengths = [len(sound) for sound in sounds]
        with tf.device("CPU:0"):
            self.sound = tf.constant(np.concatenate(sounds))
            self.length = tf.constant(lengths)
            self.start = tf.constant(np.cumsum([0, *lengths[:-1]]), tf.int32)

    def draw(self, count, samples, seed):
        """Random excerpts (count, samples), each from one file; shorter files are repeated."""
        by_file, by_place = seeds(seed, 2)
        file = tf.random.stateless_uniform([count], by_file, 0, len(self.length), tf.int32)
        length = tf.gather(self.length, file)
        share = tf.random.stateless_uniform([count], by_place)
        place = tf.cast(share * tf.cast(length, tf.float32), tf.int32)[:, None] + tf.range(samples)[None]
        return tf.gather(self.sound, tf.gather(self.start, file)[:, None] + place % length[:, None])

    def whole(self, count, samples, seed):
        """Random files (count, samples) from their beginning, padded with zeros."""
        file = tf.random.stateless_uniform([count], seed, 0, len(self.length), tf.int32)
        place, length = tf.range(samples)[None], tf.gather(self.length, file)[:, None]
        sound = tf.gather(self.sound, tf.gather(self.start, file)[:, None] + tf.minimum(place, length - 1))
        return tf.where(place < length, sound, 0.0)


def _paths(files, argument):
    folder = isinstance(files, str | os.PathLike)
    if folder:
        found = sorted(path for path in Path(files).expanduser().rglob("*") if path.suffix.lower() == ".wav")
    else:
        found = [Path(path).expanduser() for path in files]
    if not found:
        raise ValueError(
            f"{argument} of mm.augment.audio must name WAV files. Received: {files!r}, "
            f"{'a folder without any' if folder else 'an empty list'}. Give a list of paths, or their folder."
        )
    return found


def _read(path, decode, argument):
    try:
        wave, mask = decode(tf.constant([path.read_bytes()]))
    except (OSError, tf.errors.InvalidArgumentError) as error:
        cause = error.strerror if isinstance(error, OSError) else "it is no WAV file that can be decoded"
        raise ValueError(
            f"{argument} of mm.augment.audio must name WAV files. Received: '{path}': {cause}. Convert other formats "
            "to WAV first."
        ) from error
    return wave.numpy()[0][mask.numpy()[0]]
