"""Checks of Ogg Vorbis and FLAC files in plain Python, before and after decoding."""

import hashlib
import zlib

MOST = 2**29  # samples of all channels: 1.7 hours of 44.1 kHz stereo, 2 GiB while it is decoded
_REVERSED = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))
_RATES = (0, 88200, 176400, 192000, 8000, 16000, 22050, 24000, 32000, 44100, 48000, 96000)


def ogg_fault(content):
    """Why an Ogg Vorbis file is damaged or too large; "" if no fault is found.

    Each page has a checksum and a number; the last one is marked.

    Source: RFC 3533, section 6; the Vorbis I specification, 4.2.2.
    """
    at, numbers, packets, flags = 0, {}, 0, 0
    while content[at : at + 4] == b"OggS":
        lacing = content[at + 27 : at + 27 + content[at + 26]] if at + 27 <= len(content) else b""
        page = content[at : at + 27 + len(lacing) + sum(lacing)]
        if len(page) < 27 or len(page) < 27 + page[26] + sum(lacing) or _ogg_checksum(page) != _number(page[22:26]):
            return "A Vorbis file must be whole: the checksum of a page is wrong."
        serial, number = page[14:18], _number(page[18:22])
        if number != numbers.get(serial, -1) + 1:
            return "A Vorbis file must be whole: a page is missing."
        numbers[serial], flags = number, page[5]
        packets += sum(length < 255 for length in lacing)
        at += len(page)
    if not flags & 4:
        return "A Vorbis file must be whole: its last page is missing or damaged."
    head = content[:57].ljust(57, b"\0")
    longest = 2 ** (head[56] // 16) // 2  # samples per long block; short blocks are counted as long ones
    return too_long(packets * longest * head[39])


def _ogg_checksum(page):
    """Ogg's checksum: CRC-32's polynomial, but without bit reversal and from a register of zeros."""
    turned = (page[:22] + bytes(4) + page[26:]).translate(_REVERSED)
    register = zlib.crc32(turned, 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{register:032b}"[::-1], 2)


def _number(data):
    return int.from_bytes(data, "little")


def flac_fault(content):
    """Why a FLAC file's header is wrong or the file too large; "" if no fault is found.

    The header has no checksum, but each frame repeats rate, channels and bits in its own header.

    Source: RFC 9639, sections 8.2 and 9.1.
    """
    head = content[:26].ljust(26, b"\0")
    rate, channels = int.from_bytes(head[18:21], "big") >> 4, (head[20] >> 1 & 7) + 1
    bits = (head[20] & 1) * 16 + (head[21] >> 4) + 1
    frame = content[_first_frame(content) :]
    said = {"Hz": rate, "channels": channels, "bits": bits}
    for name, of_frame in zip(said, (_rate_of_frame(frame), *_channels_and_bits(frame)), strict=True):
        if of_frame not in (0, said[name]):
            return f"A FLAC file must be whole: its header says {said[name]} {name}, its first frame {of_frame} {name}."
    return too_long((int.from_bytes(head[21:26], "big") & 2**36 - 1) * channels)


def _first_frame(content):
    """Offset of the first frame, after the metadata blocks."""
    at, last = 4, False
    while not last and at + 4 <= len(content):
        last = content[at] >= 128
        at += 4 + int.from_bytes(content[at + 1 : at + 4], "big")
    return at


def _rate_of_frame(frame):
    """Sample rate in Hz; 0 if the frame refers to the file's header."""
    if len(frame) < 16:
        return 0
    size, code = frame[2] >> 4, frame[2] & 15
    # Skip the frame number, which is encoded like UTF-8.
    at = 5 + max(0, f"{frame[4]:08b}".index("0") - 1 if frame[4] < 255 else 7)
    at += {6: 1, 7: 2}.get(size, 0)
    if code < len(_RATES):
        return _RATES[code]
    scale, count = {12: (1000, 1), 13: (1, 2), 14: (10, 2), 15: (0, 0)}[code]
    return int.from_bytes(frame[at : at + count], "big") * scale


def _channels_and_bits(frame):
    """Number of channels and bits; 0 if the frame refers to the file's header."""
    if len(frame) < 16:
        return 0, 0
    channels = (frame[3] >> 4) + 1
    return 2 if channels > 8 else channels, (0, 8, 12, 0, 16, 20, 24, 32)[frame[3] >> 1 & 7]


def md5_fault(content, samples, bits):
    """Why the samples of a FLAC file are not those that were encoded; "" if no fault is found.

    Args:
        content: the file.
        samples: (S, channels) int32.
        bits: of a sample.
    """
    expected = content[26:42] if samples.size else bytes(16)
    little = samples.astype("<i4").reshape(-1, 1).view("u1")[:, : (bits + 7) // 8]
    # All zeros means that no MD5 was stored.
    if expected == bytes(16) or hashlib.md5(little.tobytes()).digest() == expected:
        return ""
    return "A FLAC file must be whole: the checksum of all samples (MD5) is wrong."


def too_long(samples):
    """Why a sound with this many samples, over all channels, is not decoded; "" if it is."""
    if samples <= MOST:
        return ""
    return f"A sound that is decoded while reading may have {MOST:,} samples, this one up to {samples:,}: cut it."
