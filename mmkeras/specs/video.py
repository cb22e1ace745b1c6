import dataclasses
from collections.abc import Sequence

from mmkeras.checks import check_name, check_pixels, check_whole
from mmkeras.specs.base import OneString, Tensor


@dataclasses.dataclass(frozen=True, kw_only=True)
class Video(OneString):
    """A clip: raw the bytes of a GIF, or of a ZIP of its frames as stored JPEG or PNG; ready pixels (F, H, W, C) uint8.

    `mm.data` makes such a ZIP of MP4, AVI, APNG, WebP and folders; `mm.preprocess.DecodeVideo` says which frames count.

    Args:
        name: key of this modality everywhere.
        frames: F, drawn evenly from longer clips; of shorter ones every frame is taken, and the rest is masked.
        size, channels, resize, max_pixels: of each frame, as in `Image`; all of a GIF may have 4 max_pixels together.
        optional: `b""` means absent.
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

    @property
    def ready(self) -> dict[str, Tensor]:
        frames = Tensor((self.frames, *self.size, self.channels), "uint8")
        return {self.name: frames, f"{self.name}_mask": Tensor((self.frames,), "bool")}
