"""The vector branch; the promises all branches keep are in tests/conformance."""

import numpy as np
import pytest

import mmkeras as mm
from mmkeras.branches import vector

SPEC = mm.Vector("face", size=400, optional=True)
X = np.random.default_rng(0).normal(1.0, 2.0, (2, 400)).astype("float32")
THERE = np.array([[True], [False]])


@pytest.mark.parametrize("normalise", [True, False])
def test_linear(normalise):
    branch = vector.linear(SPEC, dim=6, normalise=normalise)
    weights = [np.random.default_rng(1).normal(size=w.shape) for w in branch.get_weights()]
    branch.set_weights(weights)
    tokens, mask = branch({"face": X, "face_mask": THERE})
    *scale, kernel, bias = weights
    wanted = X.astype("float64")
    if normalise:
        wanted = (wanted - wanted.mean(1, keepdims=True)) / wanted.std(1, keepdims=True) * scale[0] + scale[1]
    np.testing.assert_allclose(tokens[:, 0], wanted @ kernel + bias, rtol=1e-3, atol=1e-3)
    assert mask.numpy().tolist() == THERE.tolist()


def test_length_does_not_matter_unless_it_is_kept():
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    for normalise, same in ((True, True), (False, False)):
        branch = vector.linear(SPEC, dim=6, normalise=normalise)
        short, long = (branch({"face": scale * unit, "face_mask": THERE})[0] for scale in (1, 1000))
        assert np.allclose(short, long, rtol=1e-2, atol=1e-3) == same
    assert 0.3 < np.std(vector.linear(SPEC, dim=64)({"face": unit, "face_mask": THERE})[0]) < 3


def test_dropout_is_for_training():
    branch = vector.linear(SPEC, dim=6, dropout=0.5)
    feed = {"face": X, "face_mask": THERE}
    assert not np.allclose(branch(feed, training=True)[0], branch(feed)[0])
    np.testing.assert_array_equal(branch(feed)[0], branch(feed, training=False)[0])


def test_other_specs_are_refused():
    with pytest.raises(TypeError, match="This branch is for mm.Vector specs.*Use mmkeras.branches.table"):
        vector.linear(mm.Table("row", numeric=["a"]))
