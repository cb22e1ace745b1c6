import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from mmkeras.data.generate import DIRECTIONS, stories


def test_the_same_arguments_write_the_same_bytes(tmp_path):
    first, second = (stories(tmp_path / name, n=3, seed=3) for name in "ab")
    assert first.read_bytes() == second.read_bytes()
    for clip in first.parent.glob("clips/*.gif"):
        assert clip.read_bytes() == (second.parent / "clips" / clip.name).read_bytes()
    assert stories(tmp_path / "c", n=3, seed=4).read_bytes() != first.read_bytes()


def test_clips_show_what_their_story_tells(tmp_path):
    path, told = stories(tmp_path, n=40, size=32, frames=12), set()
    for row in pd.read_csv(path).itertuples():
        pixels = tf.io.decode_gif((path.parent / row.clip).read_bytes()).numpy().astype(int)
        assert pixels.shape == (12, 32, 32, 3)
        body = np.abs(pixels - pixels[:1, :1, :1]).max(-1) > 75
        body = body if body.mean() < 0.5 else ~body  # the body covers the corner that was used as background
        who, ways = row.story.split(" ", 3)[1:3], row.story.split(" ", 3)[3].removeprefix("moves ").split(" and then ")
        told |= {way.removeprefix("moves ") for way in ways}
        colour = np.median(pixels[body], axis=0)
        assert {"red": colour[0], "green": colour[1], "blue": colour[2], "yellow": colour[:2].min()}[who[0]] > 120
        first, then = (_moved(body[a:b]) for a, b in ((0, 6), (6, 12)))
        for way, moved in zip(ways, (first, then), strict=True):
            expected = np.sign(DIRECTIONS.get(way.removeprefix("moves "), (0, 0)))
            np.testing.assert_array_equal(np.sign(np.round(moved)), expected)
    assert told == {*DIRECTIONS, "stays"}


def _moved(frames, size=32):
    """How far the body moved down and right, as the phases of its places on the circle tell."""
    angle = np.exp(2j * np.pi * np.arange(size) / size)
    rows, columns = (np.array([np.sum(frame.sum(axis) * angle) for frame in frames]) for axis in (1, 0))
    return [np.angle(places[1:] / places[:-1]).sum() * size / (2 * np.pi) for places in (rows, columns)]


def test_too_few_clips_or_frames_are_refused(tmp_path):
    with pytest.raises(ValueError, match="n must be 1 or more, frames 4 or more. Received: n=0, frames=12"):
        stories(tmp_path, n=0)
