import functools
import importlib.util
import io

import numpy as np
import pytest
import soundfile
import tensorflow as tf
from PIL import Image

from mmkeras.data.files import decoders_soundfile, sound_checks, transcode
from mmkeras.data.files.transcode import needs_transcoding, to_png, to_wav

RATE = 32000
TIME = np.arange(RATE // 2) / RATE
TONES = np.stack([0.5 * np.sin(2 * np.pi * 440 * TIME), 0.3 * np.sin(2 * np.pi * 1000 * TIME)], 1).astype("float32")
BROKEN = tf.errors.InvalidArgumentError


@pytest.fixture(params=["installed", "soundfile"], autouse=True)
def decoders(request, monkeypatch):
    """Both ways of decoding: tensorflow-io, where it is installed, and soundfile."""
    if request.param == "soundfile":
        if not importlib.util.find_spec("tensorflow_io"):
            pytest.skip("soundfile is what is installed")
        monkeypatch.setattr(transcode, "_decoders", lambda: decoders_soundfile)


def written(sound, rate=RATE, **options):
    file = io.BytesIO()
    soundfile.write(file, sound, rate, **options)
    return file.getvalue()


@functools.cache
def flac(subtype="PCM_16", channels=2):
    sound = np.round(TONES[:, :channels].astype("float64") * 32767).astype("int16")
    return sound, written(sound, format="FLAC", subtype=subtype)


@functools.cache
def vorbis():
    return written(TONES, format="OGG", subtype="VORBIS")


def mp3(rate=44100, line=40, frames=20):
    """Mono Layer III frames of 112 kbit/s (MPEG-1) or 64 (2, 2.5) with one spectral line each: a tone."""
    low = rate < 32000
    huffman = "1" * (line // 2) + "010"  # table 1: pairs of zeros, then (1, 0) and its sign
    granule = f"{len(huffman):012b}{line // 2 + 1:09b}{200:08b}{0:0{9 if low else 4}b}0" + "00001" * 3
    granule += "0" * (9 if low else 10)
    side = "0" * 9 + granule if low else "0" * 18 + granule * 2
    header = {44100: 0xFFFB80C0, 22050: 0xFFF380C0, 11025: 0xFFE380C0}[rate]
    bits = f"{header:032b}" + side + huffman * (1 if low else 2)
    size = 72 * 64000 // rate if low else 144 * 112000 // rate
    return int(bits.ljust(8 * size, "0"), 2).to_bytes(size, "big") * frames


def read(wav):
    sound, rate = tf.audio.decode_wav(wav)
    return sound.numpy(), int(rate)


def flipped(file, at):
    return file[:at] + bytes([file[at] ^ 0x10]) + file[at + 1 :]


def webp(pixels, **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "WEBP", lossless=True, exact=True, **options)
    return file.getvalue()


@pytest.mark.parametrize("channels", [1, 2])
def test_flac_of_16_bits_is_exact(channels):
    sound, file = flac(channels=channels)
    got, rate = read(to_wav(file))
    assert rate == RATE
    np.testing.assert_array_equal(got * 2**15, sound)


@pytest.mark.parametrize(("subtype", "step"), [("PCM_S8", 2**-7), ("PCM_24", 2**-15)])
def test_flac_of_other_widths_keeps_its_scale(subtype, step):
    got, rate = read(to_wav(flac(subtype)[1]))
    assert (rate, got.shape) == (RATE, TONES.shape)
    np.testing.assert_allclose(got, TONES, atol=1.1 * step)


def test_flac_checksums_reach_beyond_one_turn():
    noise = np.random.default_rng(0).integers(-(2**15), 2**15, (20000, 1)).astype("int16")
    file = written(noise, 8000, format="FLAC")
    np.testing.assert_array_equal(read(to_wav(file))[0] * 2**15, noise)
    for at in (200, len(file) // 2, len(file) - 1):
        with pytest.raises(BROKEN, match=f"checksum is wrong. Received: {len(file)} bytes"):
            to_wav(flipped(file, at))


def test_flac_cut_off_raises():
    _, file = flac()
    # Without the appended end frame, decoding a file cut between two frames would not terminate.
    frame = file.rindex(b"\xff\xf8")
    for size in (4, 20, 86, frame, frame + 1, len(file) - 1):
        with pytest.raises(BROKEN):
            to_wav(file[:size])


def test_flac_of_unknown_length_raises():
    _, file = flac()
    with pytest.raises(BROKEN, match="must hold samples"):
        to_wav(file[:22] + bytes(4) + file[26:])


def test_vorbis():
    got, rate = read(to_wav(vorbis()))
    assert (rate, got.shape) == (RATE, TONES.shape)
    assert np.sqrt(np.mean((got - TONES) ** 2)) < 0.02


DAMAGES = {
    "cut": lambda file: file[:-1],
    "last page": lambda file: flipped(file, len(file) - 5),
    "a page": lambda file: flipped(file, len(file) * 3 // 4),
    "headers only": lambda file: b"OggS".join(file.split(b"OggS")[:3]),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_vorbis_damaged_raises(damage):
    with pytest.raises(BROKEN):
        to_wav(DAMAGES[damage](vorbis()))


def test_every_byte_of_a_vorbis_file_is_under_a_checksum():
    file = vorbis()
    for at in range(5, len(file), 97):
        with pytest.raises(BROKEN, match="A Vorbis file must be whole"):
            # No longer recognised as Vorbis, so `preprocess` refuses it.
            if to_wav(flipped(file, at)) == flipped(file, at):
                raise BROKEN(None, None, "A Vorbis file must be whole")


def test_a_vorbis_page_is_missing():
    file = written(np.tile(TONES, (8, 1)), format="OGG", subtype="VORBIS")
    pages = file.split(b"OggS")
    with pytest.raises(BROKEN, match="a page is missing"):
        to_wav(b"OggS".join(pages[:3] + pages[4:]))


def test_a_flac_header_with_another_rate_or_length_raises():
    _, file = flac()
    with pytest.raises(BROKEN, match="its header says 32016 Hz, its first frame 32000 Hz"):
        to_wav(file[:19] + bytes([file[19] + 1]) + file[20:])
    with pytest.raises(BROKEN, match="its header says 1 channels, its first frame 2 channels"):
        to_wav(file[:20] + bytes([file[20] ^ 2]) + file[21:])
    with pytest.raises(BROKEN, match="its header says 15 bits, its first frame 16 bits"):
        to_wav(file[:21] + bytes([file[21] ^ 16]) + file[22:])
    with pytest.raises(BROKEN, match="MD5"):
        to_wav(flipped(file, 30))


def test_a_sound_that_would_become_too_large_raises(monkeypatch):
    monkeypatch.setattr(sound_checks, "MOST", 20_000)
    for file in (flac()[1], vorbis()):
        with pytest.raises(BROKEN, match=r"may have 20,000 samples, this one up to [34]\d,\d{3}: cut it"):
            to_wav(file)


@pytest.mark.parametrize(("rate", "samples"), [(44100, 1152), (22050, 576), (11025, 576)])
def test_mp3(rate, samples):
    got, got_rate = read(to_wav(mp3(rate)))
    # Without an encoder tag, the encoder delay is not removed.
    assert (got_rate, got.shape) == (rate, (20 * samples, 1))
    spectrum = np.abs(np.fft.rfft(got[:, 0] * np.hanning(len(got))))
    line = spectrum.argmax() * rate / len(got) / (rate / 1152)
    assert abs(line - 40.5) < 1
    assert 0.01 < np.abs(got).max() < 1


def test_tag_before_the_sound_is_skipped():
    tag = b"ID3\x04\x00\x00\x00\x00\x02\x01" + b"\xff\xfb\x90" * 85 + b"\x00\x00"  # 257 bytes
    for file in (mp3(), flac()[1]):
        assert to_wav(tag + file) == to_wav(file)


@pytest.mark.parametrize("file", [mp3()[:3], mp3()[:200], mp3()[:4] + b"nothing of the kind" * 99])
def test_mp3_without_frames_raises(file):
    with pytest.raises(BROKEN):
        to_wav(file)


@pytest.mark.parametrize("transparent", [False, True])
def test_webp_is_exact(transparent):
    pixels = np.random.default_rng(0).integers(0, 256, (9, 13, 4 if transparent else 3), dtype=np.uint8)
    png = to_png(webp(pixels))
    np.testing.assert_array_equal(tf.io.decode_png(png), pixels)


@pytest.mark.parametrize("options", [{"lossless": True}, {"quality": 80}, {"exif": b"Exif\0\0II*\0"}])
def test_webp_of_too_many_pixels_is_not_decoded(options):
    buffer = io.BytesIO()
    Image.new("RGB", (20, 7)).save(buffer, "WEBP", **options)
    file = buffer.getvalue()
    to_png(file, max_pixels=140)
    with pytest.raises(tf.errors.InvalidArgumentError, match="max_pixels=139 .* Received: 7 x 20 pixels"):
        to_png(file, max_pixels=139)


def test_webp_cut_off_or_animated_raises():
    pixels = np.random.default_rng(0).integers(0, 256, (9, 13, 3), dtype=np.uint8)
    moving = webp(pixels, save_all=True, append_images=[Image.fromarray(255 - pixels)], duration=9)
    for file in (webp(pixels)[:-9], moving):
        with pytest.raises(BROKEN, match="WebP"):
            to_png(file)


OTHERS = [b"", b"I", b"fLa", b"RIFF", bytes(range(256)), b"ID3\x04\x00\x00\x7f\x7f\x7f\x7f", b"\xff\xd8\xff\xe0JFIF",
          b"OggS" + bytes(24) + b"OpusHead" + bytes(40)]  # fmt: skip


@pytest.mark.parametrize("file", [*OTHERS, tf.audio.encode_wav(TONES, RATE).numpy()])
def test_others_pass_unchanged(file):
    assert to_wav(tf.constant(file)) == file
    assert to_png(tf.constant(file)) == file


def test_in_tf_data_and_its_error_says_what_came():
    files = [flac()[1], b"", vorbis(), mp3()]
    got = list(tf.data.Dataset.from_tensor_slices(files).batch(4).map(lambda batch: tf.map_fn(to_wav, batch)).unbatch())
    assert [file.numpy() for file in got] == [to_wav(file).numpy() for file in files]
    broken = tf.data.Dataset.from_tensors(files[0][:-1]).map(to_wav)
    with pytest.raises(BROKEN, match=f"FLAC file must be whole.*Received: {len(files[0]) - 1} bytes"):
        next(iter(broken))


def test_needs_transcoding():
    yes = [
        "x.flac",
        "a/B.MP3",
        "x.ogg",
        "x.oga",
        "x.WebP",
        flac()[1],
        vorbis(),
        mp3(),
        webp(np.zeros((2, 2, 3), "uint8")),
    ]
    assert all(map(needs_transcoding, yes))
    wav = tf.audio.encode_wav(TONES, RATE).numpy()
    assert not any(map(needs_transcoding, ["x.wav", "flac", "x.mp3.wav", b"", b"\xff", b"\xff\xd8\xff", wav]))
