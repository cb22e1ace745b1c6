"""Image files -> pixels: decoded by Pillow, resized as in `mmkeras.preprocess`."""

import io
import struct
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image as Pillow

from mmkeras.edge import bmp, gif, jpeg, png
from mmkeras.edge.arrays import as_bytes, is_absent, pixels
from mmkeras.edge.errors import refusal, shown
from mmkeras.edge.modality import Modality
from mmkeras.formats.scaling import RATIOS, SPARE

# What Pillow raises for damaged files; it does not document its exceptions.
DAMAGED = (OSError, EOFError, SyntaxError, TypeError, ValueError, IndexError, KeyError, OverflowError, struct.error,
           zlib.error, Pillow.DecompressionBombError)  # fmt: skip

_MOST_AT_ONCE = 2**20  # values of a picture that are float32 at a time, about


class Image(Modality):
    """An image file -> pixels (1, H, W, C) uint8 and, if optional, its mask (1, 1) bool.

    Large JPEGs are scaled down while they are decoded, by the rule of `mmkeras.preprocess.DecodeImage`.

    Args:
        name: name of the modality.
        size, channels, resize, optional, max_pixels: as in `mmkeras.Image`.

    Call arguments:
        value: bytes of a JPEG, PNG, GIF or BMP file; or upright RGB pixels, an array (h, w, 3) of uint8, of any size;
            None or `b""` if absent.

    Raises:
        ValueError: a required picture is absent; the file is of another format, damaged, or has too many pixels; or the
            pixels are of another kind.

    Example:

    >>> file = io.BytesIO()
    >>> Pillow.new("RGB", (3, 3), "red").save(file, "PNG")
    >>> Image("photo", size=(1, 2))(file.getvalue())["photo"].tolist()
    [[[[255, 0, 0], [255, 0, 0]]]]
    """

    meaning = "pixels 0..255, height, width and channels: {size}, {channels}; scaled by '{resize}'"
    allowed = 1.0  # JPEG decoders may round pixels differently

    def __init__(
        self,
        name: str,
        *,
        size: Sequence[int],
        channels: int = 3,
        resize: str = "stretch",
        optional: bool = False,
        max_pixels: int = 48_000_000,
    ) -> None:
        self.name, self.size, self.channels, self.resize, self.optional = name, tuple(size), channels, resize, optional
        self.max_pixels = max_pixels

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return self._masked((*self.size, self.channels), (1,))

    def __call__(self, value):
        absent = is_absent(value)
        if absent and not self.optional:
            raise refusal(self.name, "a picture is needed.", "none", "Give the bytes of a file; it is not optional.")
        pixels, scaling = (np.zeros((*self.size, 3), "uint8"), {}) if absent else self._decoded(value)
        ready = {self.name: self.fit(pixels, **scaling)[None]}
        return ready | ({f"{self.name}_mask": np.array([[not absent]])} if self.optional else {})

    def fit(self, pixels: Any, *, shape: Sequence[int] | None = None, ratio: int = 1) -> Any:
        """Decoded RGB pixels (h, w, 3) uint8 -> (H, W, C) uint8.

        Args:
            pixels: to resize.
            shape: height and width before the decoder divided them by `ratio` and rounded up; None: (h, w).
            ratio: by which the decoder scaled the picture down.
        """
        if pixels.shape[:2] != self.size:
            pixels = self._scaled(pixels, pixels.shape[:2] if shape is None else shape, ratio)
        return _grey(pixels) if self.channels == 1 else pixels

    def _decoded(self, value):
        """RGB pixels (h, w, 3) uint8, upright, with transparency blended over white; and options of `fit`."""
        rule = "a whole JPEG, PNG, GIF or BMP file is needed."
        if isinstance(value, np.ndarray):
            return self._of_array(value)
        value = as_bytes(value)
        read = next((read for start, read in _READERS if isinstance(value, bytes) and value.startswith(start)), None)
        if read is None:
            remedy = "Give the bytes of the file itself, or RGB pixels as a numpy array."
            raise refusal(self.name, rule, shown(value), remedy)
        try:
            return read(value, self)
        except TooLarge as error:
            raise error.args[0] from None
        except DAMAGED as error:
            raise refusal(self.name, rule, f"{shown(value)} ({error})", "Give the bytes of the file itself.") from error

    def _of_array(self, value):
        value = pixels(self.name, value)
        try:
            self.check_size(*value.shape[:2])
        except TooLarge as error:
            raise error.args[0] from None
        return value, {}

    def check_size(self, height: int, width: int) -> None:
        """Checks the number of pixels before anything is decoded."""
        if height * width == 0:
            raise ValueError("the file is damaged: its header leads to no picture")
        if height * width > self.max_pixels:
            rule = f"a picture may have max_pixels={self.max_pixels} pixels at most."
            raise TooLarge(refusal(self.name, rule, f"{height} x {width} pixels (h x w)", "Make it smaller."))

    def ratio(self, shape: Sequence[int]) -> int:
        """By how much a JPEG of this height and width (upright) is scaled down while it is decoded."""
        scaled, _ = _place(self.resize, np.array(shape), np.array(self.size))
        return max((ratio for ratio in RATIOS if (shape >= SPARE * ratio * scaled).all()), default=1)

    def _scaled(self, pixels, shape, ratio):
        scaled, corner = _place(self.resize, np.array(shape), np.array(self.size))
        lengths = np.array(shape) / ratio
        axes = zip(pixels.shape[:2], lengths, self.size, scaled, corner, strict=True)
        down, right = (_weights(*numbers) for numbers in axes)
        rows = _weighted(down, pixels.reshape(len(pixels), -1)).reshape(self.size[0], -1, 3)
        scaled = np.einsum("xw,hwc->hxc", right, rows, optimize=True)
        return np.clip(np.rint(scaled), 0, 255).astype("uint8")


class TooLarge(Exception):
    """Wraps the error to be raised."""


def _jpeg(value, image):
    height, width, orientation, adobe = jpeg.walk(value)
    image.check_size(height, width)
    jpeg.check(value)
    turn = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}.get(orientation)  # EXIF orientation -> `PIL.Image.Transpose`
    shape = (width, height) if orientation >= 5 else (height, width)
    ratio = image.ratio(shape)
    with Pillow.open(io.BytesIO(value), formats=["JPEG"]) as picture:
        if ratio > 1:
            picture.draft(None, (width // ratio, height // ratio))
        picture = picture if turn is None else picture.transpose(Pillow.Transpose(turn))
        if picture.mode == "CMYK":
            return _of_cmyk(np.asarray(picture), adobe), {"shape": shape, "ratio": ratio}
        pixels = np.asarray(picture if picture.mode == "RGB" else picture.convert("RGB"))
        return pixels, {"shape": shape, "ratio": ratio}


def _of_cmyk(pixels, adobe):
    """RGB as TensorFlow computes it: Adobe stores inverted CMYK, which Pillow does not report."""
    light = (pixels if not adobe else 255 - pixels).astype("uint16")
    return (light[..., :3] * light[..., 3:] // 255).astype("uint8")


def _png(value, image):
    image.check_size(*png.size(value))
    return png.decode(value), {}


def _gif(value, image):
    """The first picture; of the others, only their presence is checked."""
    canvas, found = gif.pictures(value)
    height, width = gif.canvas_of(canvas, found[:1])
    image.check_size(height, width)
    return gif.laid(found[0], np.full((height, width, 3), 255, "uint8")), {}


def _bmp(value, image):
    image.check_size(*bmp.size(value))
    return bmp.decode(value), {}


_READERS = [(b"\xff\xd8\xff", _jpeg), (b"\x89PNG\r\n\x1a\n", _png), (b"GIF87a", _gif), (b"GIF89a", _gif),
            (b"BM", _bmp)]  # fmt: skip


def _grey(rgb):
    return (((rgb.astype("int32") * [19595, 38470, 7471]).sum(-1, keepdims=True) + 32768) // 65536).astype("uint8")


def _place(resize, shape, size):
    """Height and width of the resized picture, and the position of its corner in the result."""
    if resize == "stretch":
        return size, np.zeros(2, int)
    same_aspect = shape * size[::-1] // shape[::-1]
    scaled = np.minimum(size, np.maximum(1, same_aspect)) if resize == "pad" else np.maximum(size, same_aspect)
    return scaled, (size - scaled) // 2 if resize == "pad" else -((scaled - size) // 2)


def _weights(count, length, after, scaled, corner):
    """Matrix (after, count) float32 of the triangle filter, widened by `length / scaled` when shrinking.

    The last of the `count` pixels may lie beyond the length in part.
    """
    step = length / scaled
    width = max(step, 1.0)
    centre = (np.arange(after) + 0.5 - corner) * step
    weights = np.maximum(0, 1 - np.abs(np.arange(count) + 0.5 - centre[:, None]) / width)
    weights /= np.maximum(weights.sum(1, keepdims=True), 1e-30)
    return np.where((centre >= 0) & (centre <= count), weights.T, 0).T.astype("float32")


def _weighted(weights, pixels):
    """weights (after, n) times pixels (n, m) uint8, of which only a part is converted to float32 at a time."""
    blocks = np.array_split(weights, min(len(weights), 1 + pixels.size // _MOST_AT_ONCE))
    return np.concatenate([_block(rows, pixels) for rows in blocks])


def _block(rows, pixels):
    used = np.flatnonzero(rows.any(0))
    part = slice(used[0], used[-1] + 1) if used.size else slice(0)
    return rows[:, part] @ pixels[part].astype("float32")
