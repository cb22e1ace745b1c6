"""Reads the RIFF/WAVE headers of a batch of files in TensorFlow ops."""

from typing import NamedTuple

import tensorflow as tf

from mmkeras.preprocess.headers import first_true, follow, length, little, peek, spells

PCM8, PCM16, PCM24, PCM32, FLOAT32, FLOAT64 = range(1, 7)  # values of `Wav.codec`; 0 is any other codec
_CODECS = ((1, 8), (1, 16), (1, 24), (1, 32), (3, 32), (3, 64))  # (format tag, bits), in that order
_EXTENSIBLE = 0xFFFE
_UNKNOWN = 0xFFFFFFFF  # written by programs that do not know the size yet
_HIGHEST_RATE = 768_000

_NEEDED = "a WAV file is needed"
MESSAGES = [
    (f"{_NEEDED}; nothing came.", "Give the file's bytes, or say optional=True in its spec: then b'' means absent."),
    (f"{_NEEDED}.", "Convert it, or let mmkeras.data read it; give its bytes, not its path and not base64; "
                    "or the keys of two modalities are swapped."),
    ("the WAV file lacks its 'fmt ' or its 'data' chunk among its first 256 chunks, or has them in another order.",
     "It is damaged: leave it out, or fetch it again."),
    ("only PCM (tag 1) of 8, 16, 24 or 32 bits and float (tag 3) of 32 or 64 bits are read from a WAV file; "
     "not ADPCM (2), A-law (6), mu-law (7) or MP3 (85).", "Convert it to 16-bit PCM."),
    (f"a WAV file must have 1 or more channels and a rate of 1 to {_HIGHEST_RATE} Hz.",
     "Its header is damaged: write it again."),
    ("the WAV file is cut off: its header promises more data than there are.", "Was it copied or downloaded whole?"),
    ("the WAV file holds no samples: it is broken, not absent.", "Leave it out; an absent sound is b''."),
]  # fmt: skip


class Wav(NamedTuple):
    """Contents of the headers, (B,) int64 each; `codec` is 0 for other codecs and for files that are not WAV."""

    codec: tf.Tensor
    tag: tf.Tensor
    channels: tf.Tensor
    rate: tf.Tensor  # Hz
    bits: tf.Tensor
    start: tf.Tensor  # byte offset of the data; 0 if they were not found
    promised: tf.Tensor  # bytes of data according to the header
    # bool; the header was written before the size was known, so the data extend to the end of the file.
    streamed: tf.Tensor
    frames: tf.Tensor  # complete samples per channel that the file contains

    def describe(self):
        """Text for an error message, (B,) string."""
        numbers = zip(
            (", format tag ", ", bits ", ", channels ", ", Hz ", ", bytes of data "),
            (self.tag, self.bits, self.channels, self.rate, self.promised),
            strict=True,
        )
        return tf.strings.join([part for text, number in numbers for part in (text, tf.strings.as_string(number))])


def read(x):
    """Headers of the files `x` (B,) string.

    Example:

    >>> file = tf.audio.encode_wav([[0.0], [0.5]], 16000)
    >>> wav = read(file[None])
    >>> wav.rate.numpy().tolist(), wav.start.numpy().tolist(), wav.frames.numpy().tolist()
    ([16000], [44], [2])

    Source: Multimedia Programming Interface and Data Specifications 1.0 (IBM, Microsoft 1991), and mmreg.h for
    WAVE_FORMAT_EXTENSIBLE. Chunks are followed, padded to even sizes, until "data" comes, 256 at most; others are
    skipped. A program that streams doesn't know the size: it writes 0xFFFFFFFF for that of the data; or 0, and a size
    of the whole that is unknown, too, or ends with the header.
    """
    tag, channels, rate, bits, start, promised = _chunks(x)
    whole = little(peek(x, tf.fill(tf.shape(start), tf.constant(4, tf.int64)), 4)) + 8
    # A size of 0 can also belong to an empty data chunk, followed by other chunks.
    streamed = (promised == _UNKNOWN) | ((promised == 0) & ((whole - 8 == _UNKNOWN) | (whole <= start)))
    codec = tf.zeros_like(tag)
    for number, (known_tag, known_bits) in enumerate(_CODECS, 1):
        codec = tf.where((tag == known_tag) & (bits == known_bits), tf.constant(number, tf.int64), codec)
    there = length(x) - start
    size = tf.where(streamed, there, tf.minimum(promised, there))
    frames = tf.where(start > 0, size // tf.maximum(channels * bits // 8, 1), 0)
    return Wav(codec, tag, channels, rate, bits, start, promised, streamed, frames)


def _chunks(x):
    """The fields tag, channels, rate, bits, start and promised of `Wav`."""
    zero = tf.zeros_like(length(x))

    def step(at, active, fields, start, promised):
        chunk = peek(x, at, 34)
        size = little(chunk[:, 4:8])
        is_format, is_data = active & spells(chunk, b"fmt "), active & spells(chunk, b"data")
        fields = tf.where(is_format[:, None], _format(chunk), fields)
        start, promised = tf.where(is_data, at + 8, start), tf.where(is_data, size, promised)
        at = at + 8 + size + size % 2
        return at, active & ~is_data & (at + 8 <= length(x)), fields, start, promised

    state = (zero + 12, _is_wav(x), tf.stack([zero] * 4, axis=1), zero, zero)
    fields, start, promised = follow(step, state)[2:]
    return (*tf.unstack(fields, axis=1), start, promised)


def _format(chunk):
    """Tag, channels, rate and bits (B, 4) of a "fmt " chunk; the extended form has its actual tag in the subformat."""
    tag = little(chunk[:, 8:10])
    tag = tf.where(tag == _EXTENSIBLE, little(chunk[:, 32:34]), tag)
    return tf.stack([tag, little(chunk[:, 10:12]), little(chunk[:, 12:16]), little(chunk[:, 22:24])], axis=1)


def _is_wav(x):
    head = peek(x, tf.zeros_like(length(x)), 12)
    return spells(head, b"RIFF") & spells(head[:, 8:], b"WAVE")


def problem(x, wav, optional):
    """Number of each file's problem in MESSAGES, counted from 1; 0 for readable files."""
    empty = tf.equal(x, b"")
    codes = first_true(
        empty,
        ~_is_wav(x),
        (wav.start == 0) | (wav.tag == 0),
        wav.codec == 0,
        (wav.channels == 0) | (wav.rate == 0) | (wav.rate > _HIGHEST_RATE),
        ~wav.streamed & (wav.promised > length(x) - wav.start),
        wav.frames == 0,
    )
    return tf.where(empty, 0, codes) if optional else codes
