"""Picture files -> pixels without TensorFlow: Pillow decodes, the resampling is that of `mmkeras.preprocess`."""

import contextlib
import io
import struct

import numpy as np
from PIL import Image as Pillow

from mmkeras.edge.errors import refusal, shown

_KINDS = ("JPEG", "PNG", "GIF", "BMP")
_ORIENTATION = 0x0112
# What Pillow raises for damaged files; it does not say so.
DAMAGED = (OSError, EOFError, SyntaxError, TypeError, ValueError, IndexError, KeyError, OverflowError, struct.error,
           Pillow.DecompressionBombError)  # fmt: skip


class Image:
    """The bytes of one file -> pixels (1, H, W, C) uint8, and where optional whether it is there, (1, 1) bool.

    Args:
        name: of the modality.
        size, channels, resize, optional: as in `mmkeras.Image`.

    Call arguments:
        value: bytes of a JPEG, PNG, GIF or BMP file; None or `b""` where absent.

    Raises:
        ValueError: a required picture is absent; or the file is of another kind, or damaged.

    >>> file = io.BytesIO()
    >>> Pillow.new("RGB", (3, 3), "red").save(file, "PNG")
    >>> Image("photo", size=(1, 2))(file.getvalue())["photo"].tolist()
    [[[[255, 0, 0], [255, 0, 0]]]]
    """

    def __init__(self, name, size, channels=3, resize="stretch", optional=False):
        self.name, self.size, self.channels, self.resize, self.optional = name, tuple(size), channels, resize, optional

    def __call__(self, value):
        absent = value is None or value == b""
        if absent and not self.optional:
            raise refusal(self.name, "a picture is needed.", "none", "Give the bytes of a file; it is not optional.")
        ready = {self.name: self.fit(np.zeros((*self.size, 3), "uint8") if absent else self._decoded(value))[None]}
        return ready | ({f"{self.name}_mask": np.array([[not absent]])} if self.optional else {})

    def fit(self, pixels):
        """Decoded RGB pixels (h, w, 3) uint8 -> (H, W, C) uint8."""
        pixels = self._scaled(pixels)
        return _grey(pixels) if self.channels == 1 else pixels

    def _decoded(self, value):
        """RGB pixels (h, w, 3) uint8, upright, transparency over white."""
        try:
            with Pillow.open(io.BytesIO(value), formats=_KINDS) as picture:
                return _opaque(_upright(picture))
        except DAMAGED as error:
            rule = "a whole JPEG, PNG, GIF or BMP file is needed."
            raise refusal(self.name, rule, f"{shown(value)} ({error})", "Give the bytes of the file itself.") from error

    def _scaled(self, pixels):
        if pixels.shape[:2] == self.size:
            return pixels
        scaled, corner = _place(self.resize, np.array(pixels.shape[:2]), np.array(self.size))
        down, right = (_weights(*numbers) for numbers in zip(pixels.shape[:2], self.size, scaled, corner, strict=True))
        rows = (down @ pixels.reshape(len(pixels), -1).astype("float32")).reshape(self.size[0], -1, 3)
        scaled = np.einsum("xw,hwc->hxc", right, rows, optimize=True)
        return np.clip(np.rint(scaled), 0, 255).astype("uint8")


def _upright(picture):
    """Turned by the orientation in the EXIF data of a JPEG; those of other files do not count."""
    exif = Pillow.Exif()
    if picture.format == "JPEG":
        with contextlib.suppress(SyntaxError):  # what cannot be read turns nothing
            exif.load(picture.info.get("exif", b""))
    turn = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}.get(exif.get(_ORIENTATION))  # PIL.Image.Transpose
    return picture if turn is None else picture.transpose(Pillow.Transpose(turn))


def _opaque(picture):
    if picture.format != "PNG" or not picture.has_transparency_data:
        return np.asarray(_eight_bits(picture).convert("RGB"))
    rgba = np.asarray(picture.convert("RGBA")).astype("int32")
    color, alpha = rgba[..., :3], rgba[..., 3:]
    return ((color * alpha + 255 * (255 - alpha) + 127) // 255).astype("uint8")


def _eight_bits(picture):
    """Pillow clips 16-bit grey where it should take the high byte."""
    return Pillow.fromarray((np.asarray(picture) >> 8).astype("uint8")) if picture.mode[0] == "I" else picture


def _grey(rgb):
    return (((rgb.astype("int32") * [19595, 38470, 7471]).sum(-1, keepdims=True) + 32768) // 65536).astype("uint8")


def _place(resize, shape, size):
    """Height and width of the scaled picture, and where its corner is in the result."""
    if resize == "stretch":
        return size, np.zeros(2, int)
    same_aspect = shape * size[::-1] // shape[::-1]
    scaled = np.minimum(size, np.maximum(1, same_aspect)) if resize == "pad" else np.maximum(size, same_aspect)
    return scaled, (size - scaled) // 2 if resize == "pad" else -((scaled - size) // 2)


def _weights(before, after, scaled, corner):
    """Matrix (after, before) float32 of the triangle filter, as wide as `before / scaled` where that shrinks."""
    step = before / scaled
    width = max(step, 1.0)
    centre = (np.arange(after) + 0.5 - corner) * step
    weights = np.maximum(0, 1 - np.abs(np.arange(before) + 0.5 - centre[:, None]) / width)
    weights /= np.maximum(weights.sum(1, keepdims=True), 1e-30)
    return np.where((centre >= 0) & (centre <= before), weights.T, 0).T.astype("float32")
