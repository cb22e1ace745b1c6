import struct

import keras
import numpy as np
import pytest
import tensorflow as tf

from mmkeras import edge
from mmkeras.preprocess.audio import DecodeAudio
from tests.fuzz import sounds

RNG = np.random.default_rng(0)
WAVE = (0.8 * np.sin(np.arange(200) / 7)).astype("float32")


def wav(data, tag=1, bits=16, *args, **options):
    """A file of interleaved `data` bytes, or of values in [-1, 1] that are written as 16-bit PCM."""
    if isinstance(data, np.ndarray):
        data = np.round(data * 32767).astype("<i2").tobytes()
    return sounds.wav(data, tag, bits, *args, **options)


def notes_behind(data):
    """A file that ends with a chunk of notes, which its size covers."""
    file = wav(data) + sounds.chunk(b"LIST", b"INFOnotes that are no samples")
    return file[:4] + struct.pack("<I", len(file) - 8) + file[8:]


def layer(samples=200, sample_rate=16_000, **options):
    return DecodeAudio(samples, sample_rate=sample_rate, name="voice_preprocess", **options)


def decode(*files, **options):
    wave, mask = layer(**options)(tf.constant(files))
    assert wave.dtype == "float32" and mask.dtype == "bool" and np.abs(wave).max() <= 1
    return wave.numpy(), mask.numpy()


def as_24_bits(values):
    return b"".join(struct.pack("<i", int(v))[:3] for v in np.round(values * (2**23 - 1)))


ENCODED = {
    "8": (np.round(WAVE * 127 + 128).astype("u1").tobytes(), 1, 8, 0.013),
    "16": (np.round(WAVE * 32767).astype("<i2").tobytes(), 1, 16, 1e-4),
    "24": (as_24_bits(WAVE), 1, 24, 1e-6),
    "32": (np.round(WAVE.astype("f8") * (2**31 - 1)).astype("<i4").tobytes(), 1, 32, 1e-6),
    "float32": (WAVE.astype("<f4").tobytes(), 3, 32, 0),
    "float64": (WAVE.astype("<f8").tobytes(), 3, 64, 0),
}


@pytest.mark.parametrize("extensible", [False, True], ids=["plain", "extensible"])
@pytest.mark.parametrize("name", ENCODED)
def test_every_encoding(name, extensible):
    data, tag, bits, tolerance = ENCODED[name]
    wave, mask = decode(wav(data, tag, bits, extensible=extensible))
    np.testing.assert_allclose(wave[0], WAVE, atol=tolerance)
    assert mask.all()


def test_integers_are_divided_by_a_power_of_two():
    extremes = np.array([-32768, -1, 0, 1, 32767], "<i2")
    wave, _ = decode(wav(extremes.tobytes()), samples=5)
    np.testing.assert_array_equal(wave[0], extremes / 2**15)
    wave, _ = decode(wav(bytes([0, 128, 255]), bits=8), samples=3)
    np.testing.assert_array_equal(wave[0], [-1, 0, 127 / 128])
    wave, _ = decode(wav(b"\0\0\x80\xff\xff\xff\xff\xff\x7f\0", bits=24), samples=3)
    np.testing.assert_array_equal(wave[0], np.array([-1, -(2.0**-23), 1 - 2.0**-23], "float32"))


def test_loud_floats_are_clipped():
    wave, _ = decode(wav(np.array([-3, 0.5, 2], "<f4").tobytes(), 3, 32), samples=3)
    assert wave.tolist() == [[-1, 0.5, 1]]


@pytest.mark.parametrize("channels", [2, 6])
def test_channels_are_averaged(channels):
    values = RNG.uniform(-1, 1, (200, channels)).astype("float32")
    wave, _ = decode(wav(values.tobytes(), 3, 32, channels))
    np.testing.assert_allclose(wave[0], values.mean(1), atol=1e-6)


def test_short_clips_are_filled_and_long_ones_cut():
    wave, mask = decode(wav(WAVE), wav(WAVE[:50]), samples=120)
    assert mask.sum(1).tolist() == [120, 50] and not mask[1, 50:].any()
    assert wave[1, 50:].tolist() == [0] * 70
    stereo, stereo_mask = decode(wav(np.repeat(WAVE, 2), channels=2), wav(WAVE[:50]), samples=120)
    np.testing.assert_array_equal(stereo, wave)
    np.testing.assert_array_equal(stereo_mask, mask)


def test_other_chunks_are_skipped_odd_ones_with_their_padding():
    notes = sounds.chunk(b"LIST", b"INFOabc") + sounds.chunk(b"fact", b"1234") + sounds.chunk(b"junk", b"data")
    np.testing.assert_array_equal(decode(wav(WAVE, before=notes))[0], decode(wav(WAVE))[0])
    np.testing.assert_array_equal(decode(wav(WAVE) + sounds.chunk(b"LIST", b"INFO"))[0], decode(wav(WAVE))[0])


@pytest.mark.parametrize(
    ("whole", "size"), [(0, 0), (36, 0), (0xFFFFFFFF, 0), (0xFFFFFFFF, 0xFFFFFFFF), (436, 0xFFFFFFFF)]
)
def test_streamed_files_go_on_to_their_end(whole, size):
    file = wav(WAVE)
    streamed = file[:4] + struct.pack("<I", whole) + file[8:40] + struct.pack("<I", size) + file[44:]
    wave, mask = decode(streamed, wav(WAVE[:20]))
    np.testing.assert_array_equal(edge.Audio("voice", samples=200, sample_rate=16_000)(streamed)["voice"], wave[:1])
    np.testing.assert_array_equal(wave, decode(file, wav(WAVE[:20]))[0])
    assert mask.sum(1).tolist() == [200, 20]


@pytest.mark.parametrize("rate", [16_000, 8_000])
def test_absent_sounds_are_zero_under_the_mask(rate):
    wave, mask = decode(b"", wav(WAVE, rate=rate), b"", optional=True)
    assert not wave[::2].any() and not mask[::2].any()
    assert mask[1].all()


def test_another_rate_changes_length_and_mask():
    _, mask = decode(wav(WAVE[:100], rate=8_000), wav(WAVE, rate=44_100), samples=300)
    assert mask.sum(1).tolist() == [200, 73]


FILES = [wav(WAVE), wav(WAVE, rate=22_050), wav(ENCODED["24"][0], 1, 24), b"", wav(WAVE, channels=2)]


def test_eager_mapped_batched_and_single_are_equal_to_the_bit():
    decoder, data = layer(optional=True), tf.data.Dataset.from_tensor_slices([*FILES, FILES[0], b""])
    batch = len(FILES)  # the first batch is mixed, the second needs no conditional
    eager = [decoder(files) for files in data.batch(batch)]
    mapped, single = list(data.batch(batch).map(decoder)), list(data.batch(1).map(decoder))
    for i in (0, 1):
        expected = np.concatenate([pair[i] for pair in eager])
        np.testing.assert_array_equal(expected, np.concatenate([pair[i] for pair in mapped]))
        np.testing.assert_array_equal(expected, np.concatenate([pair[i] for pair in single]))


REQUIRED_GRAPH = tf.function(layer(), input_signature=[tf.TensorSpec([None], tf.string)])

BAD = {
    "nothing": (b"", "voice: a WAV file is needed; nothing came.*0 bytes.*optional=True"),
    "text": (b"hello", "voice: a WAV file is needed.*5 bytes beginning with .*hello.*swapped"),
    "jpeg": (b"\xff\xd8\xff\xe0\0\x10JFIF", "10 bytes beginning with.*JFIF.*swapped"),
    "webp": (b"RIFF\x24\0\0\0WEBPVP8 ", "a WAV file is needed"),
    "no data": (wav(WAVE)[:36], "lacks its .*fmt .* or its .*data.* chunk"),
    "A-law": (wav(b"abcd", tag=6, bits=8), "only PCM.*A-law.*format tag 6, bits 8, channels 1.*Convert it to 16-bit"),
    "MP3": (wav(b"abcd", tag=85, bits=0), "only PCM.*format tag 85"),
    "12 bits": (wav(b"abcd", bits=12), "only PCM.*bits 12"),
    "no channels": (wav(b"abcd", channels=0), "1 or more channels"),
    "rate": (wav(b"abcd", rate=0), "a rate of 1 to"),
    "cut": (wav(WAVE)[:-10], "voice: the WAV file is cut off.*bytes of data 400"),
    "no samples": (wav(b""), "no samples: it is broken, not absent"),
    "notes behind no samples": (notes_behind(b""), "no samples: it is broken, not absent"),
    "data before fmt": (wav(b"")[:12] + sounds.chunk(b"data", b"1234") + wav(b"")[12:], "in another order"),
    "257 chunks": (wav(WAVE, before=sounds.chunk(b"note", b"") * 256), "among its first 256 chunks"),
}


@pytest.mark.parametrize("name", BAD)
def test_wrong_files_are_refused_by_name(name):
    file, message = BAD[name]
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        layer(optional=file != b"")(tf.constant([wav(WAVE), file]))
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        REQUIRED_GRAPH(tf.constant([wav(WAVE), file]))
    with pytest.raises(ValueError, match="voice: "):
        edge.Audio("voice", samples=200, sample_rate=16_000)(file)


@pytest.mark.parametrize(("values", "bits", "shown"), [([0, np.nan], 32, "nan"), ([1e39, 0], 64, "inf"),
                                                       ([-3e38, -3e38], 32, "-3")])  # fmt: skip
def test_floats_that_are_no_numbers_or_become_none_are_refused(values, bits, shown):
    file = wav(np.array(values, f"<f{bits // 8}").tobytes(), 3, bits, rate=8000)
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"voice: a float WAV file must hold numbers.*{shown}"):
        decode(file)
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"voice: a float WAV file must hold numbers.*{shown}"):
        REQUIRED_GRAPH(tf.constant([file]))  # TensorFlow rewrites its comparisons
    with pytest.raises(ValueError, match=f"voice: a float WAV file must hold numbers.*{shown}"):
        edge.Audio("voice", samples=200, sample_rate=16_000)(file)


def test_the_loudest_floats_are_clipped_and_leave_no_nan():
    file = wav(np.array([1e30, -1e30] * 50, "<f8").tobytes(), 3, 64, channels=2, rate=44_100)
    for wave in (decode(file)[0], edge.Audio("voice", samples=200, sample_rate=16_000)(file)["voice"]):
        assert np.isfinite(wave).all()


def test_keras_file_round_trip(tmp_path):
    voice = keras.Input((), dtype="string", name="voice")
    wave, mask = layer(samples=90, sample_rate=8_000, optional=True)(voice)
    assert wave.shape == mask.shape == (None, 90) and (wave.dtype, mask.dtype) == ("float32", "bool")
    model = keras.Model(voice, [wave, mask])
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    assert loaded.layers[-1].get_config() == model.layers[-1].get_config()
    for ours, theirs in zip(model(tf.constant(FILES)), loaded(tf.constant(FILES)), strict=True):
        np.testing.assert_array_equal(ours, theirs)
