"""Resamples a waveform whose sample rate is known only at run time: a polyphase filter in TensorFlow ops."""

import tensorflow as tf

_AT_ONCE = 2**20  # products of samples and filter weights held in memory at once
_CROSSINGS, _BETA = 10, 5.0  # half length of the filter in zero crossings of its sinc; shape of its Kaiser window


def resample(wave, rate, target, samples):
    """Resamples `wave` to `target` Hz and returns the first `samples` samples.

    With up / down = target / rate in lowest terms and R = max(up, down), output m is

        y[m] = sum over k of  x[k] g(m down - k up),      where x is 0 outside its range,
        g(j) = up h(j) / sum of h,                        for |j| <= 10 R, else 0,
        h(j) = sinc(j / R) I0(5 sqrt(1 - (j / 10R)^2)),

    which is `scipy.signal.resample_poly(x, up, down)`. The sum of h, divided by R, is nearly independent of R:
    above R = 64 the value at 64 is used (error below 2e-7). Weights are computed in float64, products and sums in
    float32. The filter has 20 R / up + 2 taps: 22 for upsampling, 57 from 44100 to 16000 Hz, 962 from 767999 Hz. About
    2^20 products are in memory at a time, for any rates and length.

    Args:
        wave: (N,) float32, N >= 1; only its first `input_samples` are needed.
        rate: its sample rate in Hz, a scalar int64 tensor.
        target: target sample rate in Hz, a Python int.
        samples: maximum length of the result, a Python int.

    Returns:
        (M,) float32, M = min(samples, ceil(N up / down)).

    Example:

    >>> resample(tf.ones(400), tf.constant(8000, "int64"), 16000, samples=600).numpy()[200:203].round(2).tolist()
    [1.0, 1.0, 1.0]

    Source: Crochiere and Rabiner, Multirate Digital Signal Processing (1983), 3.3; SciPy for the filter's design.
    """
    common = _greatest_common_divisor(rate, tf.constant(target, tf.int64))
    up, down = target // common, rate // common
    count = tf.minimum(tf.constant(samples, tf.int64), -(-tf.size(wave, tf.int64) * up // down))
    phases = tf.minimum(up, count)  # the filter weights repeat after `up` outputs
    rounds = -(-count // phases)
    reach = _CROSSINGS * tf.maximum(up, down) // up
    taps = tf.range(2 * reach + 2)
    padded = tf.pad(wave, [[reach, reach + 2 + phases * down // up]])
    last = tf.size(padded, tf.int64) - tf.size(taps, tf.int64)  # outputs that would read beyond it are cut off later

    def weights_of(phase):
        return _weights(phase[:, None] * down % up + (reach - taps) * up, up, tf.maximum(up, down))

    def outputs_of(row, phase, weights):
        # Output m lies at input position m * down / up; its taps reach from `reach` before to `reach + 1` after it.
        first = tf.minimum((row[:, None] * phases + phase) * down // up, last)
        inputs = tf.gather(padded, tf.cast(first, tf.int32)[:, :, None] + tf.cast(taps, tf.int32))
        return tf.reduce_sum(inputs * weights, axis=-1)

    result = _in_parts(weights_of, outputs_of, rounds, phases, tf.size(taps, tf.int64))
    return tf.reshape(result, [-1])[:count]


def _in_parts(weights_of, outputs_of, rounds, phases, taps):
    """Outputs (rounds, phases), computed in parts of at most `_AT_ONCE` products, or of one output."""
    some = tf.clip_by_value(_AT_ONCE // taps, 1, phases)
    more = tf.clip_by_value(_AT_ONCE // (taps * some), 1, rounds)

    def in_rounds(phase):
        weights = weights_of(phase)
        parts = _each(lambda row: outputs_of(row + tf.range(more), phase, weights), tf.range(0, rounds, more))
        return tf.reshape(parts, [-1, tf.size(phase)])

    def in_phases():
        parts = tf.transpose(
            _each(lambda phase: in_rounds(phase + tf.range(some)), tf.range(0, phases, some)), [1, 0, 2]
        )
        return tf.reshape(parts, [tf.shape(parts)[0], -1])[:rounds, :phases]

    def at_once():
        phase = tf.range(phases)
        return outputs_of(tf.range(rounds), phase, weights_of(phase))

    return tf.cond(rounds * phases * taps <= _AT_ONCE, at_once, in_phases)


def _each(function, values):
    part = tf.TensorSpec([None, None], tf.float32)
    return tf.map_fn(function, values, fn_output_signature=part, parallel_iterations=1)


def input_samples(rate, target, samples):
    """How many samples at `rate` the first `samples` at `target` depend on."""
    return samples * rate // target + _CROSSINGS * tf.maximum(rate, target) // target + 2


def _weights(j, up, widest):
    """g(j) of `resample`, float32."""
    coarse = tf.minimum(widest, 64)
    total = tf.reduce_sum(_filter(tf.range(-_CROSSINGS * coarse, _CROSSINGS * coarse + 1), coarse))
    gain = tf.cast(up * coarse, tf.float64) / tf.cast(widest, tf.float64) / total
    return tf.cast(gain * _filter(j, widest), tf.float32)


def _filter(j, widest):
    """h(j) of `resample`, float64."""
    u = tf.cast(j, tf.float64) / tf.cast(widest, tf.float64)
    angle = 3.141592653589793 * tf.where(j == 0, tf.ones_like(u), u)
    sinc = tf.where(j == 0, tf.ones_like(u), tf.sin(angle) / angle)
    inside = 1 - tf.square(u / _CROSSINGS)
    bend = _BETA * tf.sqrt(tf.maximum(inside, 0))
    return tf.where(inside >= 0, sinc * tf.math.bessel_i0e(bend) * tf.exp(bend), 0)


def _greatest_common_divisor(a, b):
    return tf.while_loop(lambda a, b: b > 0, lambda a, b: (b, a % b), (a, b), parallel_iterations=1)[0]
