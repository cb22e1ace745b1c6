"""Speed, shift, rooms, gain and noise."""

import tensorflow as tf

from mmkeras.augment._acoustics import Files, Recordings, each, made_up_rooms, reverberant, sped
from mmkeras.augment.steps import Augmentation, check_range, check_spec, seeds
from mmkeras.specs import Audio

_LONGEST_ROOM = 2.0  # seconds of an impulse response


def audio(
    spec: Audio,
    *,
    gain_db: float = 0.0,
    shift_seconds: float = 0.0,
    noise: float | tuple[float, float] | None = None,
    noise_files: Files | None = None,
    speed: float = 0.0,
    reverb: tuple[float, float] | None = None,
    rooms: Files | None = None,
) -> Augmentation:
    """Random speed, shift, reverberation, gain and noise of a waveform, applied in this order.

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
        noise_files: WAV files of noise, a list of paths or a folder, instead of white noise: for each clip, a part of
            one of them, with the ratio `noise`. The first minute of each file is kept in memory.
        speed: largest share by which a clip is played faster (and higher) or slower (and lower), at most 0.5: 0.1 is
            usual for speech. What no longer fits into the clip's length is cut off at its end.
        reverb: None; or (low, high), from which the reverberation time (a decay by 60 dB) in seconds of a synthetic
            room is drawn uniformly: (0.1, 0.8) is from a small room to a hall. The tail has a tenth to all of the
            energy of the direct sound.
        rooms: WAV files of impulse responses, a list of paths or a folder, instead of `reverb`: one of them for each
            clip. The first two seconds of each are used.

    Returns:
        Function (ready, labels, seed) -> (ready, labels).

    Raises:
        ValueError: an argument is outside its range, two of them exclude each other, or a file cannot be read.

    Example:

    >>> import mmkeras as mm
    >>> ready = {"voice": np.full((1, 800), 0.1, "float32"), "voice_mask": np.ones((1, 800), bool)}
    >>> louder, _ = audio(mm.Audio("voice", seconds=0.1, sample_rate=8000), gain_db=6.0)(ready, {}, (0, 1))
    >>> bool(0.05 < louder["voice"][0, 0] < 0.2)
    True

    Source: Ko et al., Audio Augmentation for Speech Recognition, Interspeech 2015 (speed, gain); Salamon and Bello,
    arXiv 1608.04363 (shift, noise); Ko et al., A Study on Data Augmentation of Reverberant Speech, ICASSP 2017 (rooms),
    whose synthetic ones are simulated by image sources; here the tail is decaying noise (Polack 1988).
    """
    check_spec(spec, "Audio")
    check_range("audio", 0, float("inf"), gain_db=gain_db)
    check_range("audio", 0, spec.seconds, shift_seconds=shift_seconds)
    ratio = (noise, noise) if isinstance(noise, int | float) else noise
    if ratio is not None and (len(ratio) != 2 or ratio[0] > ratio[1]):
        raise ValueError(f"noise of mm.augment.audio is None, a ratio in dB or (low, high). Received: {noise!r}.")
    check_range("audio", 0, 0.5, speed=speed)
    _check_rooms(noise, noise_files, reverb, rooms)
    recorded = Recordings(noise_files, "noise_files", spec.sample_rate) if noise_files is not None else None
    halls = Recordings(rooms, "rooms", spec.sample_rate, _LONGEST_ROOM) if rooms is not None else None
    wave_name, mask_name = spec.ready
    furthest = round(shift_seconds * spec.sample_rate)

    def apply(ready, labels, seed):
        wave, mask = tf.convert_to_tensor(ready[wave_name]), tf.convert_to_tensor(ready[mask_name])
        by_shift, by_gain, by_ratio, by_noise, by_speed, by_room = seeds(seed, 6)
        if speed:
            wave, mask = sped(wave, mask, speed, by_speed)
        if furthest:
            wave, mask = _shifted(wave, mask, furthest, by_shift)
        if reverb is not None:
            wave = reverberant(wave, made_up_rooms(wave, reverb, spec.sample_rate, by_room))
        if halls is not None:
            wave = reverberant(wave, halls.whole(tf.shape(wave)[0], round(_LONGEST_ROOM * spec.sample_rate), by_room))
        if gain_db:
            wave = _louder(wave, gain_db, by_gain)
        if ratio is not None:
            wave = _noisy(wave, mask, ratio, by_ratio, by_noise, recorded)
        return ready | {wave_name: tf.where(mask, wave, 0.0), mask_name: mask}, labels

    return apply


def _check_rooms(noise, noise_files, reverb, rooms):
    if noise_files is not None and noise is None:
        raise ValueError("noise_files of mm.augment.audio need noise=(low, high) in dB. Received: noise=None.")
    if reverb is not None and rooms is not None:
        raise ValueError("mm.augment.audio takes reverb or rooms. Received: both. Leave one of them out.")
    seconds = reverb if reverb is not None else (0, 1)
    if not isinstance(seconds, tuple | list) or len(seconds) != 2 or not 0 <= seconds[0] <= seconds[1] <= 10:
        raise ValueError(
            f"reverb of mm.augment.audio is None or (low, high), seconds within 0 and 10. Received: {reverb!r}."
        )


def _shifted(wave, mask, furthest, seed):
    half = tf.reduce_sum(tf.cast(mask, tf.float32), axis=1, keepdims=True) // 2
    drawn = tf.round(each(wave, -furthest - 0.5, furthest + 0.5, seed))
    shift = tf.cast(tf.clip_by_value(drawn, -half, half), tf.int32)
    samples = tf.shape(wave)[1]
    source = tf.range(samples)[None] - shift
    inside = (source >= 0) & (source < samples)
    source = tf.clip_by_value(source, 0, samples - 1)
    mask = tf.gather(mask, source, batch_dims=1) & inside
    return tf.where(mask, tf.gather(wave, source, batch_dims=1), 0.0), mask


def _louder(wave, gain_db, seed):
    gain = 10.0 ** (each(wave, -gain_db, gain_db, seed) / 20.0)
    peak = tf.reduce_max(tf.abs(wave), axis=1, keepdims=True)
    return wave * tf.minimum(gain, tf.maximum(1.0, tf.math.divide_no_nan(1.0, peak)))


def _noisy(wave, mask, ratio, by_ratio, by_noise, recorded):
    """Adds white or recorded noise at a signal-to-noise ratio relative to the power of the real samples."""
    real = tf.cast(mask, tf.float32)
    power = tf.math.divide_no_nan(tf.reduce_sum((wave * real) ** 2, 1, True), tf.reduce_sum(real, 1, True))
    deviation = tf.sqrt(power / 10.0 ** (each(wave, *map(float, ratio), by_ratio) / 10.0))
    if recorded is None:
        noise = tf.random.stateless_normal(tf.shape(wave), by_noise)
    else:
        noise = recorded.draw(tf.shape(wave)[0], tf.shape(wave)[1], by_noise) * real
        loud = tf.math.divide_no_nan(tf.reduce_sum(noise**2, 1, True), tf.reduce_sum(real, 1, True))
        noise = tf.math.divide_no_nan(noise, tf.sqrt(loud))
    noise *= deviation
    return tf.clip_by_value(wave + noise, -1.0, 1.0)
