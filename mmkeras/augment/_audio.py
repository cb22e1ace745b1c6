"""Gain, shift and noise."""

import tensorflow as tf

from mmkeras.augment.steps import Augmentation, check_range, check_spec, seeds
from mmkeras.specs import Audio


def audio(
    spec: Audio, *, gain_db: float = 0.0, shift_seconds: float = 0.0, noise: float | tuple[float, float] | None = None
) -> Augmentation:
    """Random shift, gain and noise of a waveform, applied in this order.

    Masking: the mask is shifted with the samples. Samples under False stay zero, and silence stays silent; absent clips
    stay absent.

    Args:
        spec: `mm.Audio`.
        gain_db: largest gain in dB, drawn uniformly from [-gain_db, gain_db]. The gain is limited so that the clip's
            peak stays within [-1, 1].
        shift_seconds: largest shift in seconds, earlier or later, drawn uniformly. Samples shifted out of the clip are
            lost, at most half of the real ones.
        noise: None; or (low, high), from which the signal-to-noise ratio in dB of white Gaussian noise is drawn
            uniformly: (10, 40) is from clearly to hardly audible; or one number, a fixed ratio.

    Returns:
        Function (ready, labels, seed) -> (ready, labels).

    Example:

    >>> import mmkeras as mm
    >>> ready = {"voice": np.full((1, 800), 0.1, "float32"), "voice_mask": np.ones((1, 800), bool)}
    >>> louder, _ = audio(mm.Audio("voice", seconds=0.1, sample_rate=8000), gain_db=6.0)(ready, {}, (0, 1))
    >>> bool(0.05 < louder["voice"][0, 0] < 0.2)
    True

    Source: Ko et al., Audio Augmentation for Speech Recognition, Interspeech 2015 (gain); Salamon and Bello, arXiv
    1608.04363 (shift, noise).
    """
    check_spec(spec, "Audio")
    check_range("audio", 0, float("inf"), gain_db=gain_db)
    check_range("audio", 0, spec.seconds, shift_seconds=shift_seconds)
    ratio = (noise, noise) if isinstance(noise, int | float) else noise
    if ratio is not None and (len(ratio) != 2 or ratio[0] > ratio[1]):
        raise ValueError(f"noise of mm.augment.audio is None, a ratio in dB or (low, high). Received: {noise!r}.")
    wave_name, mask_name = spec.ready
    furthest = round(shift_seconds * spec.sample_rate)

    def apply(ready, labels, seed):
        wave, mask = tf.convert_to_tensor(ready[wave_name]), tf.convert_to_tensor(ready[mask_name])
        by_shift, by_gain, by_ratio, by_noise = seeds(seed, 4)
        if furthest:
            wave, mask = _shifted(wave, mask, furthest, by_shift)
        if gain_db:
            wave = _louder(wave, gain_db, by_gain)
        if ratio is not None:
            wave = _noisy(wave, mask, ratio, by_ratio, by_noise)
        return ready | {wave_name: tf.where(mask, wave, 0.0), mask_name: mask}, labels

    return apply


def _each(wave, low, high, seed):
    """One number for each clip, (B, 1)."""
    return tf.random.stateless_uniform([tf.shape(wave)[0], 1], seed, low, high)


def _shifted(wave, mask, furthest, seed):
    half = tf.reduce_sum(tf.cast(mask, tf.float32), axis=1, keepdims=True) // 2
    drawn = tf.round(_each(wave, -furthest - 0.5, furthest + 0.5, seed))
    shift = tf.cast(tf.clip_by_value(drawn, -half, half), tf.int32)
    samples = tf.shape(wave)[1]
    source = tf.range(samples)[None] - shift
    inside = (source >= 0) & (source < samples)
    source = tf.clip_by_value(source, 0, samples - 1)
    mask = tf.gather(mask, source, batch_dims=1) & inside
    return tf.where(mask, tf.gather(wave, source, batch_dims=1), 0.0), mask


def _louder(wave, gain_db, seed):
    gain = 10.0 ** (_each(wave, -gain_db, gain_db, seed) / 20.0)
    peak = tf.reduce_max(tf.abs(wave), axis=1, keepdims=True)
    return wave * tf.minimum(gain, tf.maximum(1.0, tf.math.divide_no_nan(1.0, peak)))


def _noisy(wave, mask, ratio, by_ratio, by_noise):
    real = tf.cast(mask, tf.float32)
    power = tf.math.divide_no_nan(tf.reduce_sum((wave * real) ** 2, 1, True), tf.reduce_sum(real, 1, True))
    deviation = tf.sqrt(power / 10.0 ** (_each(wave, *map(float, ratio), by_ratio) / 10.0))
    noise = tf.random.stateless_normal(tf.shape(wave), by_noise) * deviation
    return tf.clip_by_value(wave + noise, -1.0, 1.0)
