import dataclasses
from collections.abc import Sequence

from mmkeras.checks import check_name, check_pixels, check_whole
from mmkeras.specs.base import OneString, Tensor


@dataclasses.dataclass(frozen=True, kw_only=True)
class Video(OneString):
    """A video: raw, a GIF or a ZIP of stored JPEG or PNG frames; ready, uint8 pixels (F, H, W, C) and their mask (F,).

    `mm.data` converts MP4, AVI, APNG, WebP and folders to such a ZIP; see `mm.preprocess.DecodeVideo` for the frames
    that are used.

    Args:
        name: key of this modality everywhere.
        frames: F, number of frames, taken at even distances from longer videos; the rest of shorter ones is masked.
        size, channels, resize, max_pixels: of each frame, as in `Image`; the frames of a GIF may have 4 max_pixels
            together.
        optional: whether the video may be absent, which `b""` stands for.
    """

    kind = "video"

    frames: int = 16
    size: int | Sequence[int] = (112, 112)
    channels: int = 3
    resize: str = "stretch"
    optional: bool = False
    max_pixels: int = 48_000_000

    def __post_init__(self):
        check_name(self.name)
        check_whole(self.name, frames=self.frames)
        object.__setattr__(self, "size", check_pixels(self))

    def about(self, name: str) -> str:
        return f"{self.frames} frames, " + "{} × {}".format(*self.size)

    @property
    def ready(self) -> dict[str, Tensor]:
        frames = Tensor((self.frames, *self.size, self.channels), "uint8")
        return {self.name: frames, f"{self.name}_mask": Tensor((self.frames,), "bool")}
