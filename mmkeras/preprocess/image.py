"""JPEG, PNG, GIF and BMP files -> uint8 pixels of one size."""

from collections.abc import Sequence
from typing import Any, Unpack

import keras
import numpy as np
import tensorflow as tf

from mmkeras.formats.scaling import RATIOS, SPARE
from mmkeras.layers.options import LayerOptions
from mmkeras.preprocess import bmp, exif, faults, gif, picture
from mmkeras.preprocess._layer import RawLayer
from mmkeras.preprocess.headers import kept, refuse

# A PNG of one black pixel, used in place of an absent image; resized to any size, it stays black.
_BLANK = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b550000000a4944415478da6360000000020001e527de"
    "fc0000000049454e44ae426082"
)


@keras.saving.register_keras_serializable("mmkeras")
class DecodeImage(RawLayer):
    """Decodes image files to uint8 pixels of one size, in the graph.

    Supported are JPEG (rotated according to its EXIF orientation; bit for bit equal to Pillow), PNG (greyscale,
    palette, RGB, with or without transparency, 1 to 16 bits), the first picture of a GIF, and uncompressed BMP of 8, 24
    or 32 bits, whose alpha is ignored. Transparent pixels of PNG and GIF become white, as does the part of a GIF's
    canvas that its first picture does not cover; the canvas is as large as the larger of the two. Only TensorFlow's own
    ops are used, so that the layer can be exported and served.

    **Checks.** The size in the header, before anything is decoded; for PNG, the checksums; for JPEG, the segments, and
    that no part of the pixel data was overwritten with zeros; for GIF, that the blocks lead to the trailer and that the
    first picture can be decoded. JPEG, GIF and BMP have no checksums, so wrong pixels that can be decoded are not
    detected. `mmkeras.edge` refuses the same files, and some more damaged GIFs.

    A picture that already has the size keeps its exact pixels. Others are resized bilinearly with antialiasing, then
    rounded: to h x w = `size` ("stretch"); to the largest h x w inside it, padded with black ("pad"); or to the
    smallest around it, cropped on both sides ("crop"). The longer side is rounded down, h = floor(W height / W'), and
    the offset of the picture is half the difference, rounded down.

    A JPEG of at least 6 times the height and width that it is resized to is scaled down by 2 while it is decoded, from
    12 times on by 4, from 24 times on by 8, which takes a fraction of the time and memory.

    Args:
        size: (height, width) in pixels.
        channels: 1 for greyscale (ITU-R 601-2 luma, rounded as by Pillow), 3 for RGB.
        resize: "stretch", "pad" or "crop".
        optional: `b""` means absent; it is refused otherwise.
        max_pixels: largest height times width of a file; larger ones are refused.
        name: MODALITY_preprocess; errors begin with the modality.

    Call arguments:
        x: (B,) string, the bytes of one file each.

    Returns:
        (B, H, W, C) uint8 pixels; if `optional`, also (B, 1) bool, False if the picture is absent (its pixels are 0).

    Raises:
        tf.errors.InvalidArgumentError: a file is missing, of another format, too large, or damaged. For damage that
            only the decoder detects, the message is TensorFlow's, with the layer's name in the name of the node.

    Example:

    >>> png = tf.io.encode_png(tf.constant([[[255, 0, 0], [0, 0, 255]]], "uint8"))
    >>> pixels, present = DecodeImage(size=(1, 2), optional=True, name="photo")(tf.stack([png, b""]))
    >>> pixels.numpy().tolist(), present.numpy().tolist()
    ([[[[255, 0, 0], [0, 0, 255]]], [[[0, 0, 0], [0, 0, 0]]]], [[True], [False]])
    """

    tells = True

    def __init__(
        self,
        size: Sequence[int],
        *,
        channels: int = 3,
        resize: str = "stretch",
        optional: bool = False,
        max_pixels: int = 48_000_000,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        if resize not in _PLACES:
            raise ValueError(
                f"resize must be one of {list(_PLACES)}. Received: resize={resize!r} in '{self.modality}'."
            )
        if channels not in (1, 3):
            raise ValueError(
                f"channels must be 1 (grey) or 3 (RGB). Received: channels={channels!r} in '{self.modality}'."
            )
        self.size, self.channels, self.resize, self.optional = tuple(size), channels, resize, optional
        self.max_pixels = max_pixels
        self.supports_jit = False

    def call(self, x):
        pixels, present = self.decode(x)
        return (pixels, present[:, None]) if self.optional else pixels

    def decode(self, x: Any, place: Any = None) -> Any:
        """Pixels (B, H, W, C) uint8, and whether each is there, (B,) bool; `place` is that of `headers.refuse`."""
        looks = picture.look(x, self.optional, self.max_pixels)
        messages, given = picture.messages(self.max_pixels), looks
        x = refuse(x, self.modality, looks.problem, messages, lambda: picture.told_size(given), place)
        looks = kept(looks, x)
        kind, orientation = looks.kind, exif.orientation(x, looks.tiff)
        file = tf.where(tf.equal(kind, picture.ABSENT), _BLANK, x) if self.optional or faults.telling() else x
        # A conditional costs 20 us per image, so decide once per batch. One op reads both JPEG and opaque PNG.
        shape = tf.stack([looks.height, looks.width], 1)
        fits = tf.reduce_all((kind == picture.PNG) & tf.reduce_all(shape == self.size, 1))
        shape = tf.where(orientation[:, None] >= 5, shape[:, ::-1], shape)
        halvings = tf.where(kind == picture.JPEG, self._halvings(shape), 0)
        usual = tf.reduce_all((kind <= picture.PNG) & (orientation == 1) & (halvings == 0))
        everything = file, kind, orientation, shape, (looks.start, looks.end), halvings
        pixels, failed = tf.switch_case(
            tf.where(fits, 0, tf.where(usual, 1, 2)),
            [
                lambda: self._one_by_one(self._fitting, file),
                lambda: self._one_by_one(self._usual, file),
                lambda: self._one_by_one(self._any, everything),
            ],
        )
        if faults.telling():
            refuse(x, self.modality, tf.where(failed, len(messages), 0), messages)
        return pixels, kind != picture.ABSENT

    def _one_by_one(self, function, examples):
        try:
            return faults.each(function, examples, tf.TensorSpec((*self.size, self.channels), tf.uint8))
        except tf.errors.InvalidArgumentError as error:
            # In eager mode only; in a graph, the name of the failing node contains the layer's name.
            message = f"{self.modality}: a picture is damaged, leave it out. Received: {error.message}"
            raise tf.errors.InvalidArgumentError(None, None, message) from error

    def _fitting(self, file):
        return self._finished(_decode_jpeg_or_png(file))

    def _usual(self, file):
        return self._fitted(_decode_jpeg_or_png(file))

    def _any(self, example):
        file, kind, orientation, shape, blocks, halvings = example
        decoders = [
            lambda: _decode_jpeg_or_png(file),
            lambda: _over_white(tf.io.decode_png(file, 4)),
            lambda: self._first_of_gif(file, shape, blocks),
            lambda: bmp.decode(file),
            *(lambda ratio=ratio: _decode_jpeg_or_png(file, ratio) for ratio in RATIOS),
        ]
        way = tf.where(halvings > 0, picture.BMP - picture.PNG + halvings, tf.maximum(kind - picture.PNG, 0))
        pixels = exif.upright(tf.switch_case(way, decoders), orientation)
        ratio = tf.gather(tf.constant([1, *RATIOS], tf.int64), halvings)
        shape = tf.where(ratio > 1, shape, tf.shape(pixels, tf.int64)[:2])
        return self.fit(pixels[None], shape=shape, ratio=ratio)[0]

    def _halvings(self, shape):
        """How often each picture is halved while it is decoded, (B,) int32; shape: (B, 2) int64, upright."""
        scaled, _ = _PLACES[self.resize](tf.maximum(shape, 1), tf.constant(self.size, tf.int64))
        return tf.add_n([tf.cast(tf.reduce_all(shape >= SPARE * ratio * scaled, 1), tf.int32) for ratio in RATIOS])

    def _first_of_gif(self, file, shape, blocks):
        pixels, decoded = gif.decode(file, *blocks, tf.constant(1, tf.int64), *tf.unstack(shape), self.max_pixels)
        text = f"{self.modality}: the GIF is damaged: its picture cannot be decoded. Leave it out, or fetch it again."
        with tf.control_dependencies([tf.raw_ops.Assert(condition=decoded == 1, data=[text], summarize=1)]):
            return tf.identity(pixels[0])

    def _fitted(self, pixels):
        return self.fit(pixels[None])[0]

    def fit(self, pixels: Any, *, shape: Any = None, ratio: Any = 1) -> Any:
        """Decoded RGB pixels (N, h, w, 3) uint8 -> (N, H, W, C) uint8.

        Args:
            pixels: of pictures of the same size.
            shape: (2,) int64, height and width before the decoder divided them by `ratio` and rounded up; None: (h, w).
            ratio: by which the decoder scaled them down.
        """
        fits = tf.reduce_all(tf.equal(tf.shape(pixels)[1:3], self.size))
        shape = tf.shape(pixels, tf.int64)[1:3] if shape is None else shape
        pixels = tf.cond(fits, lambda: pixels, lambda: self._scaled(pixels, shape, ratio))
        return tf.ensure_shape(_grey(pixels) if self.channels == 1 else pixels, (None, *self.size, self.channels))

    def _finished(self, pixels):
        return tf.ensure_shape(_grey(pixels) if self.channels == 1 else pixels, (*self.size, self.channels))

    def _scaled(self, pixels, shape, ratio):
        scaled, corner = _PLACES[self.resize](shape, tf.constant(self.size, tf.int64))
        scale = tf.cast(scaled * ratio, tf.float32) / tf.cast(shape, tf.float32)
        corner = tf.cast(corner, tf.float32)
        # The op behind `tf.image.resize(antialias=True)`; its translation crops or pads without an intermediate image.
        scaled = tf.raw_ops.ScaleAndTranslate(
            images=pixels, size=self.size, scale=scale, translation=corner, kernel_type="triangle"
        )
        return tf.cast(tf.clip_by_value(tf.round(scaled), 0, 255), tf.uint8)

    def compute_output_spec(self, x):
        pixels = keras.KerasTensor((x.shape[0], *self.size, self.channels), "uint8")
        return (pixels, keras.KerasTensor((x.shape[0], 1), "bool")) if self.optional else pixels

    def example(self, rng: np.random.Generator) -> dict[str, list[Any]]:
        pixels = rng.integers(0, 256, (*self.size, 3), "uint8")
        return {self.modality: [tf.io.encode_png(pixels).numpy(), tf.io.encode_jpeg(pixels).numpy()]}

    def describe(self) -> dict[str, Any] | None:
        names = ("channels", "resize", "max_pixels")
        return {"kind": "image", "size": list(self.size)} | {name: getattr(self, name) for name in names}

    def get_config(self):
        own = {"size": self.size, "channels": self.channels, "resize": self.resize, "optional": self.optional}
        return {**super().get_config(), **own, "max_pixels": self.max_pixels}


def _stretch(shape, size):
    return size, tf.zeros_like(size)


def _pad(shape, size):
    """Size of the largest picture of the same aspect ratio inside `size`, and its corner; shape: (2,) or (B, 2)."""
    inside = tf.minimum(size, tf.maximum(1, shape * size[::-1] // shape[..., ::-1]))
    return inside, (size - inside) // 2


def _crop(shape, size):
    """Size of the smallest picture of the same aspect ratio around `size`, and its corner (0 or less)."""
    around = tf.maximum(size, shape * size[::-1] // shape[..., ::-1])
    return around, -((around - size) // 2)


_PLACES = {"stretch": _stretch, "pad": _pad, "crop": _crop}


def _decode_jpeg_or_png(file, ratio=1):
    """RGB pixels; in spite of its name, the op decodes PNG as well. A JPEG is scaled down by the ratio."""
    return tf.io.decode_jpeg(file, 3, ratio=ratio, dct_method="INTEGER_ACCURATE", fancy_upscaling=True)


def _grey(rgb):
    luma = tf.reduce_sum(tf.cast(rgb, tf.int32) * [19595, 38470, 7471], axis=-1, keepdims=True)
    return tf.cast((luma + 32768) // 65536, tf.uint8)


def _over_white(rgba):
    rgba = tf.cast(rgba, tf.uint16)  # the sums below are at most 65,152, which fits into uint16
    color, alpha = rgba[..., :3], rgba[..., 3:]
    return tf.cast((color * alpha + 255 * (255 - alpha) + 127) // 255, tf.uint8)
