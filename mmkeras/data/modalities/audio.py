import tensorflow as tf

from mmkeras.data.files.encoded import wav_file
from mmkeras.data.files.sizes import sound_size
from mmkeras.data.files.transcode import needs_transcoding, to_wav
from mmkeras.data.modalities.base import Media, refusal
from mmkeras.data.viewing import page
from mmkeras.edge import Audio as Waveform

_HEARD = 10  # seconds of audio shown


class Audio(Media):
    """Sounds: files, including FLAC, MP3 and Ogg Vorbis, or samples of a data set."""

    takes = 'a pair (rate in Hz, samples (S,)), or {"array": samples, "sampling_rate": Hz}'

    def transcoder(self, spec):
        return to_wav

    def size(self, spec, value):
        return sound_size(value, lambda content: to_wav(content).numpy())

    def html(self, spec, name, value):
        size = self.size(spec, value)
        rate = min(size["rate"], 22_050)
        heard = max(1, round(min(_HEARD, size["seconds"]) * rate))
        samples = Waveform(name, samples=heard, sample_rate=rate)(value)[name][0]
        part = f", the first {_HEARD} s" if size["seconds"] > _HEARD else ""
        return _player(samples, rate, f"{size['seconds']:.2f} s at {size['rate']:,} Hz{part}")

    def ready_html(self, spec, layer, ready):
        samples = ready[spec.name][ready[f"{spec.name}_mask"]]
        cut = samples[: _HEARD * spec.sample_rate]
        return _player(cut, spec.sample_rate, f"{len(samples):,} of {spec.samples:,} samples")

    def converter(self, spec, name, leaf, stream):
        if leaf.dtype == tf.string:
            return self.file_converter(spec, name, leaf, stream)
        known = leaf.dtype.is_floating or leaf.dtype in (tf.int16, tf.int32, tf.int64)
        if not known or leaf.shape.rank not in (1, 2):
            wanted = "samples (S,) or (S, channels) of int16 to int64 or float, or the bytes of a file"
            raise refusal(name, wanted, leaf, "Unbatch the data set, and cast the samples.")
        rate = _checked(name, stream.sample_rate)
        return lambda value, position: wav_file(name, value, rate)

    def encoded(self, spec, row, array, rate):
        if array.ndim != 1 or array.dtype.kind not in "if":
            return None
        rate = _checked(spec.name, rate)
        return wav_file(f"'{spec.name}' in row {row}", tf.constant(array), rate).numpy()

    def suffix(self, content, suffix):
        # The decoder detects the actual format from the content.
        return ".mp3" if needs_transcoding(content) and not needs_transcoding(suffix) else suffix


def _player(samples, rate, told):
    return page.curve(samples) + page.sound(wav_file("sound", tf.constant(samples), rate).numpy(), "wav", told)


def _checked(name, rate):
    """The sample rate of decoded samples, which only the argument can give."""
    if rate is None:
        raise ValueError(
            f"Decoded sounds need a sample rate. Received: samples for '{name}', and sample_rate=None. Give pairs "
            "(rate, samples) in a table, and from_dataset(..., sample_rate=) in Hz."
        )
    return rate
