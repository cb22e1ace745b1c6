"""GIFs and ZIP files of frames -> pixels without TensorFlow, as `mmkeras.preprocess` makes them."""

import io
import struct

import numpy as np
from PIL import Image as Pillow

from mmkeras.edge.errors import refusal, shown
from mmkeras.edge.image import Image


class Video:
    """The bytes of one clip -> pixels (1, F, H, W, C) uint8, and which frames are real, (1, F) bool.

    Of N frames, where N <= F, all are taken; else frame floor((2i + 1) N / 2F) for i = 0 ... F - 1.

    Args:
        name: of the modality.
        frames, size, channels, resize, optional: as in `mmkeras.Video`.

    Call arguments:
        value: bytes of a GIF, or of a ZIP file of stored JPEG or PNG frames; None or `b""` where absent.

    Raises:
        ValueError: a required video is absent; or the file is of another kind, or damaged, or a frame of it is.

    >>> file = io.BytesIO()
    >>> first, *others = [Pillow.new("L", (1, 1), 50 * i) for i in range(5)]
    >>> first.save(file, "GIF", save_all=True, append_images=others)
    >>> Video("clip", frames=3, size=(1, 1), channels=1)(file.getvalue())["clip"].ravel().tolist()
    [0, 100, 200]
    """

    def __init__(self, name, frames, size, channels=3, resize="stretch", optional=False):
        self.name, self.frames, self.optional = name, frames, optional
        self.picture = Image(name, size, channels, resize)

    def __call__(self, value):
        pixels = np.zeros((1, self.frames, *self.picture.size, self.picture.channels), "uint8")
        mask = np.zeros((1, self.frames), bool)
        if value is not None and value != b"":
            found = self._taken(value)
            pixels[0, : len(found)], mask[0, : len(found)] = found, True
        elif not self.optional:
            raise refusal(self.name, "a video is needed.", "none", "Give the bytes of a file; it is not optional.")
        return {self.name: pixels, f"{self.name}_mask": mask}

    def _taken(self, value):
        """Pixels of the frames that are taken, (1 ... F, H, W, C)."""
        if isinstance(value, bytes) and value[:4] == b"GIF8":
            return self._of_gif(value)
        if isinstance(value, bytes) and value[:2] == b"PK":
            files = self._members(value)
            return [self.picture(files[i])[self.name][0] for i in chosen(len(files), self.frames)]
        rule = "a GIF, or a ZIP file of stored JPEG or PNG frames, is needed."
        raise refusal(self.name, rule, shown(value), "Give the bytes of the file itself.")

    def _of_gif(self, value):
        try:
            if value[-1:] != b";":
                raise ValueError("it is cut off")
            with Pillow.open(io.BytesIO(value), formats=["GIF"]) as gif:
                taken, frames = set(chosen(gif.n_frames, self.frames)), []
                for i in range(gif.n_frames):
                    gif.seek(i)
                    gif.load()
                    if i in taken:
                        frames.append(self.picture.fit(_over_black(gif)))
                    gif.dispose = (
                        None  # a frame lies over those before it, whatever the file says: as TensorFlow has it
                    )
                return frames
        except (OSError, EOFError, SyntaxError, ValueError, struct.error, Pillow.DecompressionBombError) as error:
            rule = "a whole GIF is needed."
            raise refusal(self.name, rule, f"{shown(value)} ({error})", "Give the bytes of the file itself.") from error

    def _members(self, value):
        """Contents of the members of a ZIP file in their order, from local header to local header."""
        at, files = 0, []
        while value[at : at + 4] == b"PK\3\4" and at + 30 <= len(value):
            flags, method = struct.unpack_from("<HH", value, at + 6)
            size, _, name, extra = struct.unpack_from("<IIHH", value, at + 18)
            if flags & 9 or (size and method):
                rule = "the frames must be stored in the ZIP file, neither compressed nor encrypted."
                raise refusal(self.name, rule, f"method {method}, flags {flags}", "Write it so (zip -0).")
            at += 30 + name + extra + size
            files += [value[at - size : at]] if size else []
        if at > len(value) or value[at : at + 4] not in (b"PK\1\2", b"PK\5\6"):
            raise refusal(self.name, "the ZIP file is cut off or damaged.", f"{len(value)} bytes", "Fetch it again.")
        if not files:
            raise refusal(self.name, "the ZIP file holds no frames.", f"{len(value)} bytes", "An absent one is b''.")
        return files


def chosen(count, frames):
    """Which frames are taken of a clip of so many.

    >>> chosen(5, 3), chosen(2, 3)
    ([0, 2, 4], [0, 1])
    """
    return [(2 * i + 1) * count // (2 * frames) for i in range(frames)] if count > frames else list(range(count))


def _over_black(gif):
    """RGB pixels; what no frame has covered is black."""
    rgba = np.asarray(gif.convert("RGBA"))
    return np.where(rgba[..., 3:] > 0, rgba[..., :3], 0).astype("uint8")
