"""Clips in which something moves one way and then another, and what happens as a sentence.

>>> import tempfile
>>> path = stories(tempfile.mkdtemp(), n=2)
>>> path.name, len(path.read_text().splitlines())
('examples.csv', 3)
"""

import csv
from pathlib import Path

import numpy as np

from mmkeras.data.generate._motions import DIRECTIONS, gif

COLOURS = {"red": (220, 40, 40), "green": (40, 190, 60), "blue": (60, 80, 230), "yellow": (230, 220, 50)}
BODIES = ("square", "cross")
STAYS = "stays"


def stories(folder: str | Path, *, n: int = 200, seed: int = 0, size: int = 32, frames: int = 12) -> Path:
    """Writes `clips/` (animated GIFs) and `examples.csv` into `folder`; the same arguments write the same bytes.

    Columns: `clip` (path relative to `folder`) and `story`, such as "a red square moves left and then up": who, of
    4 colours and 2 shapes, and what it does in the first and the second half, of 4 ways to move or staying; not twice
    the same, so there are 160 stories. Place and speed are drawn without looking at the story. No single frame tells
    it, and neither do the frames in any order: played backwards a clip tells another one.

    Args:
        folder: made where it is not there.
        n: number of clips.
        seed: of everything that is random.
        size: height and width in pixels.
        frames: how many each clip has.

    Returns:
        The `Path` of `examples.csv`.

    Raises:
        ValueError: `n` is below 1, or `frames` below 4.
    """
    if n < 1 or frames < 4:
        raise ValueError(
            f"n must be 1 or more, frames 4 or more. Received: n={n}, frames={frames}. Change it in "
            "mmkeras.data.generate.stories."
        )
    rng, folder, rows = np.random.default_rng(seed), Path(folder), []
    (folder / "clips").mkdir(parents=True, exist_ok=True)
    for i in range(n):
        colour, body = str(rng.choice(list(COLOURS))), str(rng.choice(BODIES))
        ways = [str(way) for way in rng.choice([*DIRECTIONS, STAYS], 2, replace=False)]
        path = f"clips/{i:04d}.gif"
        (folder / path).write_bytes(gif(_acted(rng, COLOURS[colour], body, ways, size, frames)))
        rows.append((path, f"a {colour} {body} {_told(ways)}"))
    with open(folder / "examples.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([("clip", "story"), *rows])
    return folder / "examples.csv"


def _told(ways):
    """Words for both movements, such as 'moves left and then up' or 'stays and then moves up'."""
    first, then = (way if way == STAYS else f"moves {way}" for way in ways)
    return f"{first} and then {then.removeprefix('moves ') if STAYS not in ways else then}"


def _acted(rng, colour, body, ways, size, frames):
    """Pixels (frames, size, size, 3) uint8 of the moving body, which re-enters on the opposite side."""
    side, place, speed = max(3, size // 5), rng.uniform(0, size, 2), rng.uniform(0.05, 0.09) * size
    pixels = np.tile(rng.integers(0, 60, 3).astype("uint8"), (frames, size, size, 1))
    middle = np.abs(np.arange(side) - (side - 1) / 2) < 1
    shape = middle[:, None] | middle if body == "cross" else np.ones((side, side), bool)
    for number, frame in enumerate(pixels):
        # Alternate the brightness: Pillow merges equal frames, which would give away the clips that pause.
        frame += np.uint8(12 * (number % 2))
        y, x = np.floor(place).astype(int)
        rows, columns = ((start + np.arange(side)) % size for start in (y, x))
        window = np.ix_(rows, columns)
        frame[window] = np.where(shape[..., None], np.array(colour, "uint8"), frame[window])
        place += speed * np.array(DIRECTIONS.get(ways[number >= (frames - 1) / 2], (0, 0)))
    return pixels
