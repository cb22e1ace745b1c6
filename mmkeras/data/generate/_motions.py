"""Clips of a square that moves: which way, no single frame tells.

>>> import tempfile
>>> path = motions(tempfile.mkdtemp(), n=4)
>>> path.name, len(path.read_text().splitlines())
('examples.csv', 5)
"""

import csv
import io
from os import PathLike
from pathlib import Path

import numpy as np
from PIL import Image

DIRECTIONS = {"left": (0, -1), "right": (0, 1), "up": (-1, 0), "down": (1, 0)}
COLUMNS = ("note", "clip", "direction")
NOTES = ("a square moves", "something goes by", "one square, one way", "watch it move")


def motions(
    folder: str | PathLike[str], *, n: int = 200, seed: int = 0, size: int = 32, frames: int = 8, missing: float = 0.0
) -> Path:
    """Writes `clips/` (animated GIFs) and `examples.csv` into `folder`; the same arguments write the same bytes.

    Columns: `note` (a text that says nothing about the answer), `clip` (path relative to `folder`), `direction` (one of
    `DIRECTIONS`, evenly). The square's place in the middle of the clip is drawn evenly, its colour and speed too, all
    without looking at the direction; played backwards a clip shows the opposite one. So any one frame, and the frames
    in any order, leave left and right, or up and down, equally likely.

    Args:
        folder: made where it is not there.
        n: number of clips.
        seed: of everything that is random.
        size: height and width in pixels.
        frames: how many each clip has.
        missing: share of the examples whose clip is empty in the CSV file.

    Returns:
        The `Path` of `examples.csv`.

    Raises:
        ValueError: `n` or `frames` is too small, or `missing` outside 0 to 1.
    """
    if n < 1 or frames < 2 or not 0 <= missing <= 1:
        raise ValueError(
            "n must be 1 or more, frames 2 or more, missing a share from 0 to 1. Received: "
            f"n={n}, frames={frames}, missing={missing}. Change it in mmkeras.data.generate.motions."
        )
    rng, folder, rows = np.random.default_rng(seed), Path(folder), []
    (folder / "clips").mkdir(parents=True, exist_ok=True)
    ways = np.concatenate([rng.permutation(list(DIRECTIONS)) for _ in range(-(-n // 4))])[:n]
    absent = np.random.default_rng([seed, 1]).random(n) < missing
    for i, way in enumerate(ways):
        path = f"clips/{i:04d}.gif"
        (folder / path).write_bytes(gif(_moving(rng, DIRECTIONS[way], size, frames)))
        rows.append((str(rng.choice(NOTES)), "" if absent[i] else path, way))
    with open(folder / "examples.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([COLUMNS, *rows])
    return folder / "examples.csv"


def _moving(rng, way, size, frames):
    """Pixels (frames, size, size, 3) uint8 of a moving square, which re-enters on the opposite side."""
    side, middle = max(2, size // 5), rng.integers(0, size, 2)
    speed, colour, ground = rng.uniform(0.04, 0.08) * size, rng.integers(130, 256, 3), rng.integers(0, 70, 3)
    pixels = np.tile(ground.astype("uint8"), (frames, size, size, 1))
    for frame, time in zip(pixels, np.arange(frames) - (frames - 1) / 2, strict=True):
        y, x = np.floor(middle + np.array(way) * speed * time + 0.5).astype(int)
        rows, columns = ((start + np.arange(side)) % size for start in (y, x))
        frame[np.ix_(rows, columns)] = colour
    return pixels


def gif(pixels):
    """An animated GIF of pixels (F, H, W, 3) uint8."""
    file, (first, *others) = io.BytesIO(), [Image.fromarray(frame) for frame in pixels]
    first.save(file, "GIF", save_all=True, append_images=others, duration=100, loop=0)
    return file.getvalue()
