import dataclasses
from collections.abc import Sequence

from mmkeras.checks import check_name, check_pixels
from mmkeras.specs.base import OneString, Tensor


@dataclasses.dataclass(frozen=True, kw_only=True)
class Image(OneString):
    """A still image: raw the bytes of a JPEG, PNG, GIF (first frame) or BMP file, ready uint8 pixels (H, W, C).

    Args:
        name: key of this modality everywhere.
        size: (height, width) in pixels.
        channels: 1 grey, 3 RGB.
        resize: "stretch" to the size, "pad" to keep the whole picture, "crop" to fill the size from the centre.
        optional: `b""` means absent.
        max_pixels: most pixels of the file, by its header; a larger one is refused before it is decoded.
    """

    kind = "image"

    size: int | Sequence[int] = (224, 224)
    channels: int = 3
    resize: str = "stretch"
    optional: bool = False
    max_pixels: int = 48_000_000

    def __post_init__(self):
        check_name(self.name)
        object.__setattr__(self, "size", check_pixels(self))

    @property
    def ready(self) -> dict[str, Tensor]:
        pixels = {self.name: Tensor((*self.size, self.channels), "uint8")}
        return pixels | ({f"{self.name}_mask": Tensor((1,), "bool")} if self.optional else {})
