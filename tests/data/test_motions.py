import itertools

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from mmkeras.data.generate import DIRECTIONS, motions


def frames(path, row):
    return tf.io.decode_gif((path.parent / row.clip).read_bytes()).numpy()


def test_the_same_arguments_write_the_same_bytes(tmp_path):
    first, second = (motions(tmp_path / name, n=5, seed=3) for name in "ab")
    assert first.read_bytes() == second.read_bytes()
    for clip in first.parent.glob("clips/*.gif"):
        assert clip.read_bytes() == (second.parent / "clips" / clip.name).read_bytes()
    assert motions(tmp_path / "c", n=5, seed=4).read_bytes() != first.read_bytes()


def test_the_square_moves_as_the_table_says(tmp_path):
    path = motions(tmp_path, n=40, size=32, frames=8)
    table = pd.read_csv(path)
    assert table.direction.value_counts().to_dict() == dict.fromkeys(DIRECTIONS, 10)
    for row in table.itertuples():
        pixels = frames(path, row)
        assert pixels.shape == (8, 32, 32, 3)
        square = pixels.min(-1) > 100
        assert (square.sum((1, 2)) == 36).all()
        # The step that draws one frame over the next, for an image without borders.
        steps = [sum(np.array_equal(np.roll(a, np.array(DIRECTIONS[row.direction]) * step, (0, 1)), b)
                     for step in (1, 2, 3)) for a, b in itertools.pairwise(square)]  # fmt: skip
        assert steps == [1] * 7


def test_some_clips_are_missing_and_nothing_else_changes(tmp_path):
    whole, part = (pd.read_csv(motions(tmp_path / str(share), n=40, missing=share)) for share in (0.0, 0.5))
    gone = part["clip"].isna()
    assert 8 < gone.sum() < 32
    assert part["direction"].equals(whole["direction"])
    with pytest.raises(ValueError, match="frames 2 or more.*Received: n=4, frames=1"):
        motions(tmp_path, n=4, frames=1)
