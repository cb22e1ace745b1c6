import tensorflow as tf

from mmkeras.data.files.encoded import wav_file
from mmkeras.data.files.transcode import needs_transcoding, to_wav
from mmkeras.data.modalities.base import Media, refusal


class Audio(Media):
    """Sounds: files, FLAC, MP3 and Ogg Vorbis among them, or samples of a data set."""

    def transcoder(self, spec):
        return to_wav

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
        # The decoder looks inside.
        return ".mp3" if needs_transcoding(content) and not needs_transcoding(suffix) else suffix


def _checked(name, rate):
    """The sample rate of a decoded sound, which nothing but the argument tells."""
    if rate is None:
        raise ValueError(
            f"Decoded sounds do not say how fast they are. Received: samples for '{name}', and sample_rate=None. "
            "Give from_dataset(..., sample_rate=) in Hz, as the data set's documentation has it."
        )
    return rate
