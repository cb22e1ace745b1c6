"""WAV files -> mono waveforms of one length and sample rate."""

from typing import Any, Unpack

import keras
import numpy as np
import tensorflow as tf

from mmkeras.layers.options import LayerOptions
from mmkeras.preprocess import faults, wav
from mmkeras.preprocess._layer import RawLayer
from mmkeras.preprocess.headers import kept, refuse
from mmkeras.preprocess.resample import input_samples, resample

LOUDEST = 1e30  # limit for float samples, whose full scale is 1.0
_LOUD = (f"a float WAV file must hold numbers from -{LOUDEST:g} to {LOUDEST:g}.", "Write it again.")


@keras.saving.register_keras_serializable("mmkeras")
class DecodeAudio(RawLayer):
    """Decodes WAV files to mono waveforms of one length and sample rate, in the graph.

    Supported are PCM of 8, 16, 24 and 32 bits and float of 32 and 64 bits, with any number of channels and any sample
    rate. Only TensorFlow's own ops are used, so that the layer can be exported and served. In this order: integers are
    divided by 2^(bits - 1) (after subtracting 128 from 8-bit ones), the channels averaged, the clip resampled (see
    `resample`), values clipped to [-1, 1], and the clip cut, or padded with zeros at its end. Only the part of a long
    file that the result depends on is decoded.

    Masking: True marks the samples that came from the file.

    Args:
        samples: length of the result.
        sample_rate: sample rate of the result, in Hz.
        optional: whether `b""` means absent; otherwise it is an error.
        name: MODALITY_preprocess; errors begin with the modality.

    Call arguments:
        x: (B,) string, the bytes of one file each.

    Returns:
        (B, samples) float32 in [-1, 1], and its mask (B, samples) bool. An absent sound is 0 and all False.

    Raises:
        tf.errors.InvalidArgumentError: a file is missing, of another format, damaged, truncated or without samples; or
            a float sample is NaN, infinite or beyond 1e30.

    Example:

    >>> file = tf.audio.encode_wav([[0.5], [-0.25]], 16000)
    >>> wave, mask = DecodeAudio(samples=3, sample_rate=16000, name="voice")(file[None])
    >>> wave.numpy().round(3).tolist(), mask.numpy().tolist()
    ([[0.5, -0.25, 0.0]], [[True, True, False]])
    """

    gives = "waveform"
    tells = True

    def __init__(
        self, samples: int, *, sample_rate: int, optional: bool = False, **kwargs: Unpack[LayerOptions]
    ) -> None:
        super().__init__(**kwargs)
        self.samples, self.sample_rate, self.optional = samples, sample_rate, optional
        self.supports_jit = False

    def call(self, x):
        head = wav.read(x)
        x = refuse(x, self.modality, wav.problem(x, head, self.optional), wav.MESSAGES, head.describe)
        head = kept(head, x)
        simple = (head.codec == wav.PCM16) & (head.channels == 1) & (head.rate == self.sample_rate) | (head.start == 0)
        waves, counts, failed = tf.cond(
            tf.reduce_all(simple), lambda: self._all_simple(x, head), lambda: self._one_by_one(x, head)
        )
        if faults.telling():
            refuse(x, self.modality, tf.cast(failed, tf.int32), [_LOUD])
        return waves, tf.sequence_mask(counts, self.samples)

    def _all_simple(self, x, head):
        """Decodes a batch in one op if every file is absent, or 16-bit mono with the right sample rate."""
        counts = tf.minimum(head.frames, self.samples)
        data = tf.io.decode_raw(tf.strings.substr(x, head.start, 2 * counts), tf.int16, fixed_length=2 * self.samples)
        return tf.cast(data, tf.float32) / 2.0**15, counts, tf.zeros_like(counts, tf.bool)

    def _one_by_one(self, x, head):
        present = head.start > 0
        codec, channels = tf.where(present, head.codec, wav.PCM16), tf.where(present, head.channels, 1)
        rate = tf.where(present, head.rate, self.sample_rate)
        examples = (x, codec, channels, head.bits, rate, head.start, head.frames)
        result = (tf.TensorSpec((self.samples,), tf.float32), tf.TensorSpec((), tf.int64))
        (waves, counts), failed = faults.each(self._one, examples, result)
        return waves, counts, failed

    def _one(self, example):
        file, codec, channels, bits, rate, start, frames = example
        frames = tf.minimum(frames, input_samples(rate, self.sample_rate, self.samples))
        data = self._numbers(tf.strings.substr(file, start, frames * channels * bits // 8), codec)
        mono = tf.reduce_mean(tf.reshape(data, [frames, channels]), axis=1)
        mono = tf.cond(
            tf.equal(rate, self.sample_rate),
            lambda: mono[: self.samples],
            lambda: resample(mono, rate, self.sample_rate, self.samples),
        )
        count = tf.size(mono, tf.int64)
        filled = tf.pad(tf.clip_by_value(mono, -1.0, 1.0), [[0, self.samples - count]])
        return tf.ensure_shape(filled, (self.samples,)), count

    def _numbers(self, data, codec):
        """Values of one data chunk, scaled to [-1, 1]; the branches are in the order of the constants in `wav`."""

        def integers(dtype):
            return lambda: tf.cast(tf.io.decode_raw(data, dtype), tf.float32) / -float(dtype.min)

        def bytes8():
            return (tf.cast(tf.io.decode_raw(data, tf.uint8), tf.float32) - 128.0) / 128.0

        def bytes24():
            parts = tf.reshape(tf.io.decode_raw(data, tf.uint8), [-1, 3])
            low, middle, high = tf.unstack(tf.cast(parts, tf.int32), axis=1)
            value = low + 256 * middle + 65536 * high
            return tf.cast(tf.where(high >= 128, value - 2**24, value), tf.float32) / 2.0**23

        def floats(dtype):
            return lambda: self._checked(tf.cast(tf.io.decode_raw(data, dtype), tf.float32))

        order = [bytes8, integers(tf.int16), bytes24, integers(tf.int32), floats(tf.float32), floats(tf.float64)]
        return tf.switch_case(tf.cast(codec, tf.int32) - 1, order)

    def _checked(self, values):
        """Returns float samples; refuses NaN, infinity, and values whose sums would overflow float32."""
        # Do not write ~(... <= LOUDEST): in a graph, TensorFlow rewrites it to ... > LOUDEST, which is False for NaN.
        wrong = tf.math.is_nan(values) | (tf.abs(values) > LOUDEST)
        first = tf.strings.as_string(tf.boolean_mask(values, wrong)[:1])
        parts = [f"{self.modality}: {_LOUD[0]} Received: ", tf.strings.reduce_join(first), f". {_LOUD[1]}"]
        text = tf.strings.join(parts)
        ok = ~tf.reduce_any(wrong)
        with tf.control_dependencies([tf.raw_ops.Assert(condition=ok, data=[text], summarize=1)]):
            return tf.identity(values)

    def compute_output_spec(self, x):
        shape = (x.shape[0], self.samples)
        return keras.KerasTensor(shape, "float32"), keras.KerasTensor(shape, "bool")

    def example(self, rng: np.random.Generator) -> dict[str, list[Any]]:
        clip = rng.uniform(-0.5, 0.5, (self.sample_rate, 1)).astype("float32")
        return {self.modality: [tf.audio.encode_wav(clip, self.sample_rate).numpy()] * 2}

    def describe(self) -> dict[str, Any] | None:
        return {"kind": "audio", "samples": self.samples, "sample_rate": self.sample_rate}

    def get_config(self):
        own = {"samples": self.samples, "sample_rate": self.sample_rate, "optional": self.optional}
        return {**super().get_config(), **own}
