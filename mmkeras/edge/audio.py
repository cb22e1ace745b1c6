"""WAV files -> waveforms in NumPy, decoded and resampled as in `mmkeras.preprocess`."""

import math
import struct

import numpy as np

from mmkeras.edge.arrays import as_bytes, is_absent, samples
from mmkeras.edge.errors import refusal, shown
from mmkeras.edge.modality import Modality

_UNKNOWN = 0xFFFFFFFF  # written by programs that do not know the size yet
_CHUNKS = 256  # maximum number of chunks before the data
_LOUDEST = 1e30  # limit for float samples, whose full scale is 1.0
_AT_ONCE = 2**20  # products of samples and filter weights held in memory at once
_EXTENSIBLE = 0xFFFE
_HIGHEST_RATE = 768_000
_REMEDY = "Give the bytes of the file itself, or samples as a numpy array."
_CROSSINGS, _BETA = 10, 5.0  # half length of the resampling filter in zero crossings; shape of its Kaiser window
_NUMBERS = {(1, 8): "u1", (1, 16): "<i2", (1, 24): "u1", (1, 32): "<i4", (3, 32): "<f4", (3, 64): "<f8"}


class Audio(Modality):
    """A WAV file -> mono waveform (1, S) float32 in [-1, 1] and its mask (1, S) bool.

    Args:
        name: name of the modality.
        samples: S, length of the result.
        sample_rate: sample rate of the result, in Hz.
        optional: as in `mmkeras.Audio`.

    Call arguments:
        value: bytes of a WAV file (PCM of 8 to 32 bits, float of 32 or 64); or mono samples, an array (N,) of int16, or
            of float32 in [-1, 1], at `sample_rate`; None or `b""` if absent.

    Raises:
        ValueError: a required sound is absent; the file is of another format, damaged, or without samples; or the
            samples are of another kind.

    Example:

    >>> data = struct.pack("<3h", 0, 16384, -32768)
    >>> form = struct.pack("<IHHIIHH", 16, 1, 1, 8000, 16000, 2, 16)
    >>> file = b"RIFF" + struct.pack("<I", 42) + b"WAVEfmt " + form + b"data" + struct.pack("<I", 6) + data
    >>> Audio("voice", samples=4, sample_rate=8000)(file)["voice"].tolist()
    [[0.0, 0.5, -1.0, 0.0]]
    >>> Audio("voice", samples=4, sample_rate=8000)(np.array([0, 16384, -32768], "int16"))["voice"].tolist()
    [[0.0, 0.5, -1.0, 0.0]]
    """

    meaning = "waveform, {samples} samples at {sample_rate} Hz"
    allowed = 1e-4  # allowed difference from `preprocess`, due to resampling

    def __init__(self, name: str, *, samples: int, sample_rate: int, optional: bool = False) -> None:
        self.name, self.samples, self.sample_rate, self.optional = name, samples, sample_rate, optional

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return self._masked((self.samples,), (self.samples,))

    def __call__(self, value):
        if is_absent(value):
            if not self.optional:
                raise refusal(self.name, "a sound is needed.", "none", "Give the bytes of a file; it is not optional.")
            wave = np.zeros(0, "float32")
        elif isinstance(value, np.ndarray):
            wave = np.clip(samples(self.name, value), -1, 1)[: self.samples]
            if not len(wave):
                raise refusal(self.name, "the array holds no samples.", "shape (0,)", "An absent one is None.")
        else:
            wave = self._decoded(as_bytes(value))
        filled = np.zeros((1, self.samples), "float32")
        filled[0, : len(wave)] = wave
        return {self.name: filled, f"{self.name}_mask": np.arange(self.samples)[None] < len(wave)}

    def _decoded(self, value):
        if not isinstance(value, bytes) or value[:4] != b"RIFF" or value[8:12] != b"WAVE":
            raise refusal(self.name, "a WAV file is needed.", shown(value), _REMEDY)
        kind, channels, rate, start, size = self._chunks(value)
        width = channels * kind[1] // 8
        widest = max(rate, self.sample_rate)
        needed = self.samples * rate // self.sample_rate + _CROSSINGS * widest // self.sample_rate + 2
        frames = min(size // width, needed)
        if not frames:
            raise refusal(self.name, "the WAV file holds no samples.", f"{size} bytes of data", "An absent one is b''.")
        wave = self._numbers(value[start : start + frames * width], kind).reshape(frames, channels)
        wave = resample(wave.mean(1, dtype="float32"), rate, self.sample_rate, self.samples)
        return np.clip(wave, -1, 1)

    def _chunks(self, value):
        """(format tag, bits), number of channels, sample rate in Hz, start of the data, and their length in bytes."""
        at, kind, channels, rate = 12, None, 0, 0
        for _ in range(_CHUNKS):
            name, size = struct.unpack_from("<4sI", value, at) if at + 8 <= len(value) else (b"", 0)
            if name == b"data":
                break
            if name == b"fmt " and at + 24 <= len(value):
                tag, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", value, at + 8)
                extended = tag == _EXTENSIBLE and at + 34 <= len(value)
                kind = (struct.unpack_from("<H", value, at + 32)[0] if extended else tag, bits)
            at += 8 + size + size % 2
        if name != b"data" or not kind:
            rule = f"a WAV file needs a 'fmt ' chunk and a 'data' chunk behind it, among its first {_CHUNKS} chunks."
            raise refusal(self.name, rule, f"{len(value)} bytes", "It is damaged.")
        self._check_header(kind, channels, rate)
        there, streamed = len(value) - at - 8, _is_streamed(value, at + 8, size)
        if size > there and not streamed:
            raise refusal(self.name, "the WAV file is cut off.", f"{there} of {size} bytes of data", "Fetch it again.")
        return kind, channels, rate, at + 8, there if streamed else size

    def _check_header(self, kind, channels, rate):
        received = f"format tag {kind[0]}, bits {kind[1]}, channels {channels}, Hz {rate}"
        if kind not in _NUMBERS:
            rule = "only PCM (tag 1) of 8, 16, 24 or 32 bits and float (tag 3) of 32 or 64 bits are read."
            raise refusal(self.name, rule, received, "Convert it to 16-bit PCM.")
        if not channels or not 0 < rate <= _HIGHEST_RATE:
            rule = f"a WAV file must have 1 or more channels and a rate of 1 to {_HIGHEST_RATE} Hz."
            raise refusal(self.name, rule, received, "Its header is damaged: write it again.")

    def _numbers(self, data, kind):
        """Values in [-1, 1], float32."""
        values = np.frombuffer(data, _NUMBERS[kind])
        if kind == (1, 8):
            return (values.astype("float32") - 128) / 128
        if kind == (1, 24):
            low, middle, high = values.reshape(-1, 3).astype("int32").T
            value = low + 256 * middle + 65536 * high
            return np.where(high >= 128, value - 2**24, value).astype("float32") / 2.0**23
        if kind[0] == 1:
            return values.astype("float32") / 2.0 ** (kind[1] - 1)
        with np.errstate(over="ignore"):
            values = values.astype("float32")
        wrong = values[~(np.abs(values) <= _LOUDEST)]
        if wrong.size:
            rule = f"a float WAV file must hold numbers from -{_LOUDEST:g} to {_LOUDEST:g}."
            raise refusal(self.name, rule, wrong[0], "Write it again.")
        return values


def _is_streamed(value, start, size):
    """Whether the header was written before the size was known: the data then extend to the end of the file.

    A size of 0 may also mean an empty chunk: then other chunks, such as notes, follow it.
    """
    (rest,) = struct.unpack_from("<I", value, 4)
    return size == _UNKNOWN or (size == 0 and (rest == _UNKNOWN or rest + 8 <= start))


def resample(wave, rate, target, samples):
    """The first `samples` samples of `wave` (N,) at `target` Hz: the polyphase filter of `preprocess.resample`.

    With up / down = target / rate in lowest terms and R = max(up, down): y[m] = sum over k of x[k] g(m down - k up),
    g(j) = up h(j) / sum of h, h(j) = sinc(j / R) I0(5 sqrt(1 - (j / 10R)^2)) for |j| <= 10 R.

    Example:

    >>> resample(np.ones(400, "float32"), 8000, 16000, samples=600)[200:203].round(2).tolist()
    [1.0, 1.0, 1.0]
    """
    if rate == target:
        return wave[:samples]
    common = math.gcd(rate, target)
    up, down = target // common, rate // common
    widest, count = max(up, down), min(samples, -(-len(wave) * up // down))
    reach = _CROSSINGS * widest // up
    taps = np.arange(2 * reach + 2)
    padded = np.pad(wave, (reach, reach + 2 + down))
    # The filter's mean weight hardly depends on its resolution, so compute it on a coarse grid.
    coarse = min(widest, 64)
    total = _filter(np.arange(-_CROSSINGS * coarse, _CROSSINGS * coarse + 1), coarse).sum() * widest / coarse
    result = np.empty(count, "float32")
    for phase in range(min(up, count)):  # the filter weights repeat after `up` outputs
        weights = up / total * _filter(phase * down % up + (reach - taps) * up, widest)
        for start in range(phase, count, up * max(1, _AT_ONCE // len(taps))):
            outputs = np.arange(start, count, up)[: max(1, _AT_ONCE // len(taps))]
            first = outputs * down // up
            result[outputs] = padded[first[:, None] + taps] @ weights.astype("float32")
    return result


def _filter(j, widest):
    u = j / widest
    inside = 1 - (u / _CROSSINGS) ** 2
    return np.where(inside >= 0, np.sinc(u) * np.i0(_BETA * np.sqrt(np.maximum(inside, 0))), 0)
