import dataclasses
from collections.abc import Sequence

from mmkeras.checks import check_name, check_pixels
from mmkeras.specs.base import OneString, Tensor


@dataclasses.dataclass(frozen=True, kw_only=True)
class Image(OneString):
    """An image: raw, the bytes of a JPEG, PNG, GIF (first frame) or BMP file; ready, uint8 pixels (H, W, C).

    Args:
        name: key of this modality everywhere.
        size: (height, width) in pixels.
        channels: 1 for greyscale, 3 for RGB.
        resize: "stretch" ignores the aspect ratio, "pad" keeps the whole picture, "crop" fills the size from the
            centre.
        optional: whether the image may be absent, which `b""` stands for.
        max_pixels: largest number of pixels according to the header; larger files are refused before they are decoded.
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

    def about(self, name: str) -> str:
        return "scaled to {} × {}".format(*self.size)

    @property
    def ready(self) -> dict[str, Tensor]:
        pixels = {self.name: Tensor((*self.size, self.channels), "uint8")}
        return pixels | ({f"{self.name}_mask": Tensor((1,), "bool")} if self.optional else {})
