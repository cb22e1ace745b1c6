"""Files that TensorFlow's own ops cannot decode -> ones they can: FLAC, MP3, Ogg Vorbis to WAV, WebP to PNG.

This happens while reading, in `tf.data`, never in the exported graph: TF Serving has no ops of tensorflow-io. The
decoders are imported only if such a file occurs.
"""

import functools
import importlib.util

import numpy as np
import tensorflow as tf

from mmkeras.data.files.sound_checks import flac_fault, md5_fault, ogg_fault
from mmkeras.data.python_function import python_function
from mmkeras.preprocess.headers import big, follow, length, little, peek, spells


def needs_transcoding(name_or_bytes):
    """Whether a file (its name, `str`, or content, `bytes`) has to be converted by `to_wav` or `to_png`. Plain Python.

    Example:

    >>> needs_transcoding("a/b.FLAC"), needs_transcoding("a.wav"), needs_transcoding(b"RIFF....WEBPVP8 ")
    (True, False, True)
    """
    if not isinstance(name_or_bytes, bytes):
        return str(name_or_bytes).lower().endswith((".flac", ".mp3", ".ogg", ".oga", ".webp"))
    head = name_or_bytes[:12]
    mp3 = len(head) > 1 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2
    return mp3 or head.startswith((b"fLaC", b"OggS", b"ID3")) or (head[:4], head[8:]) == (b"RIFF", b"WEBP")


def to_wav(content):
    """Converts a FLAC, MP3 or Ogg Vorbis file to a 16-bit PCM WAV file, in graphs and eagerly.

    Args:
        content: () string.

    Returns:
        () string, a WAV file with all the channels at the file's own rate, values clipped to [-1, 1]. Anything else
        (WAV, b"", Opus, ...) comes back unchanged: `preprocess` reads or refuses it.

    Raises:
        tf.errors.InvalidArgumentError: FLAC or Vorbis is damaged or cut off, by its checksums, or would become larger
            than 2 GiB; FLAC has something appended, or is not of
            8, 16 or 24 bits; a file holds no samples. An MP3 file stores neither its length nor a checksum, so one with
            missing frames is just shorter.

    Example:

    >>> import io, soundfile
    >>> flac = io.BytesIO()
    >>> soundfile.write(flac, [0.0, 0.5], 16000, format="FLAC")
    >>> [x.numpy().tolist() for x in tf.audio.decode_wav(to_wav(flac.getvalue()))]
    [[[0.0], [0.5]], 16000]

    Source: RFC 9639 (FLAC); RFC 3533 (Ogg) and the Vorbis I specification, 4.2.2; ISO/IEC 11172-3 and 13818-3, 2.4.2.3
    (MP3), id3.org's ID3v2.4 structure, 3.1.
    """
    content = tf.convert_to_tensor(content)
    audio = _after_id3(content)
    head = _head(audio, 44)
    return tf.case(
        [
            (spells(head, b"fLaC")[0], lambda: _flac(audio, head[0])),
            (spells(head, b"OggS")[0] & spells(head[:, 28:], b"\x01vorbis")[0], lambda: _vorbis(audio, head[0])),
            (_mp3_rate(head[0]) > 0, lambda: _wav(_decoders().mp3(audio), _mp3_rate(head[0]), audio)),
        ],
        default=lambda: tf.identity(content),
    )


def to_png(content, max_pixels=48_000_000):
    """Converts a WebP file to a PNG file, in graphs and eagerly; orientation tags are not read.

    Args:
        content: () string.
        max_pixels: height times width, at most.

    Returns:
        () string: PNG, RGBA where a pixel is not opaque, else RGB. Anything else than WebP comes back unchanged.

    Raises:
        tf.errors.InvalidArgumentError: the WebP file is damaged, cut off or animated, or has more pixels.

    Source: RFC 9649 (WebP), 2.4 to 2.7.
    """
    content = tf.convert_to_tensor(content)

    def png():
        whole = _within(content, max_pixels)
        rgba = _decoders().webp(whole)
        rgba.set_shape([None, None, 4])
        opaque = tf.reduce_all(rgba[..., 3] == 255)
        return tf.cond(opaque, lambda: tf.io.encode_png(rgba[..., :3]), lambda: tf.io.encode_png(rgba))

    head = _head(content, 12)
    is_webp = spells(head, b"RIFF") & spells(head[:, 8:], b"WEBP")
    return tf.cond(is_webp[0], png, lambda: tf.identity(content))


def _within(x, max_pixels):
    """The WebP file, or an error if its header declares too many pixels."""
    head = _head(x, 30)
    extended = 1 + little(head[:, 24:27]), 1 + little(head[:, 27:30])
    lossless = 1 + little(head[:, 21:23]) % 2**14, 1 + little(head[:, 21:25]) // 2**14 % 2**14
    lossy = little(head[:, 26:28]) % 2**14, little(head[:, 28:30]) % 2**14
    kinds = spells(head[:, 12:], b"VP8X"), spells(head[:, 12:], b"VP8L")
    width, height = (
        tf.where(kinds[0], a, tf.where(kinds[1], b, c))[0] for a, b, c in zip(extended, lossless, lossy, strict=True)
    )
    shape = tf.strings.join([tf.strings.as_string(height), " x ", tf.strings.as_string(width)])
    rule = f"A WebP file may have max_pixels={max_pixels} pixels at most."
    text = tf.strings.join([rule, " Received: ", shape, " pixels (h x w). Make it smaller, or raise max_pixels."])
    with tf.control_dependencies([tf.raw_ops.Assert(condition=height * width <= max_pixels, data=[text])]):
        return tf.identity(x)


def _head(x, count):
    """The first `count` bytes of the file `x` () string, (1, count) int64."""
    return peek(x[None], tf.zeros([1], tf.int64), count)


def _after_id3(x):
    """The file without an ID3v2 tag at its start: 10 bytes with the size in 4 x 7 bits, perhaps a footer."""
    head = _head(x, 10)
    size = 10 + tf.reduce_sum(head[0, 6:] * [2**21, 2**14, 2**7, 1]) + head[0, 5] // 16 % 2 * 10
    return _from(x, tf.where(spells(head, b"ID3")[0], size, 0))


def _from(x, at):
    return tf.strings.substr(x, tf.minimum(at, length(x)), length(x))


def _mp3_rate(head):
    """Sample rate in Hz from a Layer III frame header (sync, version, layer, ..., rate index); 0 for other data."""
    rates = [11025, 12000, 8000, 0, 0, 0, 0, 0, 22050, 24000, 16000, 0, 44100, 48000, 32000, 0]
    is_frame = (head[0] == 0xFF) & (head[1] // 32 == 7) & (head[1] // 2 % 4 == 1)
    return tf.where(is_frame, tf.gather(rates, head[1] // 8 % 4 * 4 + head[2] // 4 % 4), 0)


def _flac(x, head):
    # The decoder would return silence for a frame with a wrong checksum.
    x = _require(_flac_checksums_hold(x), "A FLAC file must be whole: a checksum is wrong.", x)
    x = _checked(flac_fault, x)
    bits = head[20] % 2 * 16 + head[21] // 16 + 1
    samples = _decoders().flac(x, bits)
    x = _checked(md5_fault, x, samples, bits)
    full = tf.cast(tf.bitwise.left_shift(tf.constant(1, tf.int64), bits - 1), tf.float32)
    return _wav(tf.cast(samples, tf.float32) / full, big(head[18:21]) // 16, x)


def _flac_checksums_hold(x):
    """Whether each frame's CRC-16 holds: its remainder is then 0, and so is that of all frames in a row."""

    def skip(at, active):
        block = peek(x[None], at, 4)
        return at + 4 + big(block[:, 1:]), active & (block[:, 0] < 128) & (at < length(x))

    start = follow(skip, (tf.constant([4], tf.int64), tf.constant([True])))[0][0]
    frames = tf.reverse(tf.io.decode_raw(_from(x, start), tf.uint8), [0])
    bits = tf.bitwise.right_shift(frames[:, None], tf.cast(tf.range(8), tf.uint8))
    bits = tf.pad(tf.reshape(bits, [-1]), [[0, -tf.size(bits) % len(_powers())]])
    # uint8 sums wrap around, but their lowest bit still gives the parity.
    odd = tf.reduce_sum(tf.reshape(bits, [-1, len(_powers())]), 0) % 2
    remainder = tf.reduce_sum(odd[:, None] * _powers(), 0) % 2
    return (tf.size(frames) > 0) & tf.reduce_all(remainder == 0)


@functools.cache
def _powers():
    """x^k modulo x^16 + x^15 + x^2 + 1 as bits, (32767, 16) uint8; the sequence repeats, since x^32767 is 1."""
    powers = [1]
    for _ in range(32766):
        powers.append(powers[-1] << 1 ^ (0x18005 if powers[-1] & 0x8000 else 0))
    return (np.array(powers)[:, None] >> np.arange(16) & 1).astype(np.uint8)


def _vorbis(x, head):
    x = _checked(ogg_fault, x)
    samples = _decoders().vorbis(x)
    # If the last page is missing or damaged, the decoder silently ends at the page before it, and the sound has the
    # length which that page states.
    before, last = tf.unstack(peek(tf.strings.split(x, "OggS")[-2:], tf.zeros([2], tf.int64), 10))
    count = tf.shape(samples, tf.int64)[0]
    whole = (last[1] // 4 % 2 == 1) & ((count == little(last[2:])) | (count != little(before[2:])))
    x = _require(whole, "A Vorbis file must be whole: its last page is missing or damaged.", x)
    return _wav(samples, little(head[40:44]), x)


def _wav(samples, rate, x):
    x = _require((tf.size(samples) > 0) & (rate > 0), "A sound must hold samples and say their rate and number.", x)
    with tf.control_dependencies([x]):
        return tf.audio.encode_wav(tf.clip_by_value(samples, -1.0, 1.0), tf.cast(rate, tf.int32))


def _checked(fault, x, *others):
    """The file, or an error if a Python function of the file and other values returns the description of a fault."""

    def check(content, *values):
        # In eager mode, it is an array.
        return fault(content if isinstance(content, bytes) else content.item(), *values).encode()

    found = tf.ensure_shape(python_function(check, [x, *others], tf.string), ())
    return _require(found == "", found, x)


def _require(holds, rule, x):
    remedy = " bytes. Was it copied whole? Leave it out, or fetch it again."
    text = tf.strings.join([rule, " Received: ", tf.strings.as_string(length(x)), remedy])
    with tf.control_dependencies([tf.raw_ops.Assert(condition=holds, data=[text], summarize=1)]):
        return tf.identity(x)


def _decoders():
    """tensorflow-io where it is installed (Python 3.11 and 3.12), else soundfile; imported when a file needs them."""
    if importlib.util.find_spec("tensorflow_io"):
        from mmkeras.data.files import decoders_tfio as decoders
    else:
        from mmkeras.data.files import decoders_soundfile as decoders
    return decoders
