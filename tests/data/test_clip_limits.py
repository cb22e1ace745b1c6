"""Clips whose frames have too many pixels are refused before one is decoded."""

from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from mmkeras.data.files.clips import as_clip

HEIGHT, WIDTH = 48, 64


def still(folder):
    folder.mkdir()
    Image.new("RGB", (WIDTH, HEIGHT)).save(folder / "1.webp")


def animated(path):
    first, second = (Image.new("RGB", (WIDTH, HEIGHT), color) for color in ("red", "blue"))
    first.save(path, save_all=True, append_images=[second])


def movie(path):
    av = pytest.importorskip("av", reason="PyAV is an extra")
    with av.open(str(path), "w") as file:
        stream = file.add_stream("mpeg4", rate=Fraction(10))
        stream.width, stream.height = WIDTH, HEIGHT
        pixels = np.zeros((HEIGHT, WIDTH, 3), "uint8")
        file.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        file.mux(stream.encode())


@pytest.mark.parametrize(("name", "write"), [("a", still), ("a.png", animated), ("a.webp", animated), ("a.mp4", movie)])
def test_too_many_pixels(name, write, tmp_path):
    write(tmp_path / name)
    as_clip("clip", str(tmp_path / name), 4, HEIGHT * WIDTH)
    message = "^clip: a frame may have max_pixels=3071 pixels at most. Received: .* with 48 x 64 pixels"
    with pytest.raises(ValueError, match=message):
        as_clip("clip", str(tmp_path / name), 4, HEIGHT * WIDTH - 1)
