"""A file is the old one or the new one, never half of either."""

import pytest

from mmkeras import train
from mmkeras.train.saving import whole


def test_interrupted_writing_leaves_the_previous_file(tmp_path):
    path = tmp_path / "resume.npz"
    path.write_bytes(b"before")
    with pytest.raises(KeyboardInterrupt), whole(path) as file:
        file.write(b"half of")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"before"
    with whole(path) as file:
        file.write(b"after")
    assert path.read_bytes() == b"after" and [p.name for p in tmp_path.iterdir()] == ["resume.npz"]


def test_file_of_something_else_is_named(tmp_path):
    (tmp_path / "resume.npz").write_bytes(b"something else")
    with pytest.raises(ValueError, match=r"resume.npz is not a file of mmkeras.train.*Delete it to start again"):
        train.whole_epochs(tmp_path)
