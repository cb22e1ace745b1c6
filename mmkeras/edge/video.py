"""GIFs and ZIP files of frames -> pixels, as in `mmkeras.preprocess`."""

import zlib
from collections.abc import Sequence

import numpy as np

from mmkeras.edge import gif as blocks
from mmkeras.edge.arrays import as_bytes, is_absent
from mmkeras.edge.errors import refusal, shown
from mmkeras.edge.image import DAMAGED, Image, TooLarge
from mmkeras.edge.modality import Modality
from mmkeras.formats.sampling import chosen
from mmkeras.formats.zipped import ZipFault, members

MOST_OF_GIF = 4  # times `max_pixels`: all frames of a GIF are decoded at once, those of a ZIP file one by one


class Video(Modality):
    """A video file -> pixels (1, F, H, W, C) uint8 and the mask of its frames (1, F) bool.

    If N <= F, all N frames are used; otherwise frame floor((2i + 1) N / 2F) for i = 0 ... F - 1.

    Args:
        name: name of the modality.
        frames, size, channels, resize, optional, max_pixels: as in `mmkeras.Video`.

    Call arguments:
        value: bytes of a GIF, or of a ZIP file of stored JPEG or PNG frames in temporal order; None or `b""` if absent.

    Raises:
        ValueError: a required video is absent; or the file or a frame is of another format or damaged.

    Example:

    >>> import io
    >>> from PIL import Image as Pillow
    >>> file = io.BytesIO()
    >>> first, *others = [Pillow.new("L", (1, 1), 50 * i) for i in range(5)]
    >>> first.save(file, "GIF", save_all=True, append_images=others)
    >>> Video("clip", frames=3, size=(1, 1), channels=1)(file.getvalue())["clip"].ravel().tolist()
    [0, 100, 200]
    """

    meaning = "pixels 0..255 of {frames} frames, height, width and channels: {size}, {channels}; scaled by '{resize}'"
    allowed = 1.0  # the same as for images

    def __init__(
        self,
        name: str,
        *,
        frames: int,
        size: Sequence[int],
        channels: int = 3,
        resize: str = "stretch",
        optional: bool = False,
        max_pixels: int = 48_000_000,
    ) -> None:
        self.name, self.frames, self.optional = name, frames, optional
        self.picture = Image(name, size=size, channels=channels, resize=resize, max_pixels=max_pixels)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return self._masked((self.frames, *self.picture.size, self.picture.channels), (self.frames,))

    def __call__(self, value):
        pixels = np.zeros((1, self.frames, *self.picture.size, self.picture.channels), "uint8")
        mask = np.zeros((1, self.frames), bool)
        if not is_absent(value):
            found = self._taken(as_bytes(value))
            pixels[0, : len(found)], mask[0, : len(found)] = found, True
        elif not self.optional:
            raise refusal(self.name, "a video is needed.", "none", "Give the bytes of a file; it is not optional.")
        return {self.name: pixels, f"{self.name}_mask": mask}

    def _taken(self, value):
        """Pixels of the frames that are used, (1 ... F, H, W, C)."""
        if isinstance(value, bytes) and value[:6] in (b"GIF87a", b"GIF89a"):
            return self._of_gif(value)
        if isinstance(value, bytes) and value[:2] == b"PK":
            files = self._members(value)
            taken = [files[i] for i in chosen(len(files), self.frames)]
            if any(zlib.crc32(file) != checksum for _, file, checksum in taken):
                rule = "a frame in the ZIP file is damaged: its checksum is wrong."
                raise refusal(self.name, rule, f"{len(value)} bytes", "Fetch it again.")
            return [self.picture(file)[self.name][0] for _, file, _ in taken]
        rule = "a GIF, or a ZIP file of stored JPEG or PNG frames, is needed."
        raise refusal(self.name, rule, shown(value), "Give the bytes of the file itself.")

    def _of_gif(self, value):
        try:
            canvas, found = blocks.pictures(value)
            height, width = blocks.canvas_of(canvas, found)
            self._check_size(height, width, len(found))
            taken, pixels, frames = set(chosen(len(found), self.frames)), np.full((height, width, 3), 255, "uint8"), []
            # Frames are always drawn over the previous ones, whatever disposal the file asks for.
            for i, picture in enumerate(found):
                pixels = blocks.laid(picture, pixels)
                frames += [self.picture.fit(pixels)] if i in taken else []
            return frames
        except TooLarge as error:
            raise error.args[0] from None
        except DAMAGED as error:
            rule = "a whole GIF is needed."
            raise refusal(self.name, rule, f"{shown(value)} ({error})", "Give the bytes of the file itself.") from error

    def _check_size(self, height, width, count):
        self.picture.check_size(height, width)
        if height * width * count > MOST_OF_GIF * self.picture.max_pixels:
            rule = f"the frames of a GIF may have {MOST_OF_GIF} * max_pixels={self.picture.max_pixels} pixels together."
            received = f"{count} frames of {height} x {width} pixels (h x w)"
            raise TooLarge(refusal(self.name, rule, received, "Make it smaller or shorter."))

    def _members(self, value):
        try:
            return members(value)
        except ZipFault as error:
            raise refusal(self.name, *error.args) from error
