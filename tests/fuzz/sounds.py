"""Sounds of every kind that is read, as small whole files, to be damaged by `mutate`."""

import io
import struct

import numpy as np

CODECS = ((1, 8), (1, 16), (1, 24), (1, 32), (3, 32), (3, 64))  # (format tag, bits)


def samples(rng):
    """Name -> bytes of WAV files, which `mmkeras.preprocess` and `mmkeras.edge` read."""
    files = {}
    for tag, bits in CODECS:
        for extensible in (False, True):
            channels, rate = int(rng.choice([1, 1, 2, 6])), int(rng.choice([8000, 16000, 44100, 11025, 96000]))
            name = f"wav-{tag}-{bits}-{channels}ch-{rate}" + "-extensible" * extensible
            files[name] = wav(_encoded(rng, tag, bits, channels), tag, bits, channels, rate, extensible=extensible)
    streamed = wav(_encoded(rng, 1, 16, 1), 1, 16)
    files["wav-streamed"] = streamed[:4] + b"\xff" * 4 + streamed[8:40] + b"\xff" * 4 + streamed[44:]
    files["wav-notes"] = wav(_encoded(rng, 1, 16, 1), 1, 16, before=chunk(b"LIST", b"INFOabc")) + chunk(b"LIST", b"x")
    files["wav-empty"] = wav(b"", 1, 16) + chunk(b"LIST", b"INFOabcdefgh")
    files["wav-loud"] = wav(np.array([1e300, -1e39, 1.0]).tobytes(), 3, 64)
    return files


def compressed(rng):
    """Name -> bytes of FLAC, Ogg Vorbis and MP3 files, which are read by `mmkeras.data` only."""
    import soundfile

    def written(sound, **options):
        file = io.BytesIO()
        soundfile.write(file, sound, 16000, **options)
        return file.getvalue()

    time = np.arange(6000) / 16000
    tones = 0.5 * np.sin(2 * np.pi * rng.uniform(200, 2000, 2) * time[:, None])
    noisy = (tones + rng.normal(0, 0.01, tones.shape)).astype("float32").clip(-1, 1)
    files = {"ogg": written(noisy, format="OGG", subtype="VORBIS"), "mp3": mp3()}
    for bits, subtype in ((8, "PCM_S8"), (16, "PCM_16"), (24, "PCM_24")):
        files[f"flac-{bits}"] = written(noisy, format="FLAC", subtype=subtype)
    return files


def wav(data, tag, bits, channels=1, rate=16_000, before=b"", extensible=False):
    """A WAV file of the bytes `data`."""
    block = channels * bits // 8
    form = struct.pack("<HHIIHH", 0xFFFE if extensible else tag, channels, rate, rate * block, block, bits)
    if extensible:
        form += struct.pack("<HHIH", 22, bits, 0, tag) + b"\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71"
    body = b"WAVE" + chunk(b"fmt ", form) + before + chunk(b"data", data)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def chunk(name, data):
    """A chunk of a RIFF file."""
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def mp3(frames=20):
    """Mono Layer III frames of 112 kbit/s at 44100 Hz with one spectral line each: a tone."""
    huffman = "1" * 20 + "010"  # table 1: pairs of zeros, then (1, 0) and its sign
    granule = f"{len(huffman):012b}{21:09b}{200:08b}{0:04b}0" + "00001" * 3 + "0" * 10
    bits = f"{0xFFFB80C0:032b}" + "0" * 18 + granule * 2 + huffman * 2
    size = 144 * 112000 // 44100
    return int(bits.ljust(8 * size, "0"), 2).to_bytes(size, "big") * frames


def _encoded(rng, tag, bits, channels):
    wave = rng.uniform(-1.2, 1.2, (int(rng.integers(1, 700)), channels))
    if tag == 3:
        return wave.astype(f"<f{bits // 8}").tobytes()
    return rng.bytes(wave.size * bits // 8)
