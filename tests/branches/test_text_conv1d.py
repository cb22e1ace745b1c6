"""Parallel convolutions over words against the equations of Kim, arXiv 1408.5882."""

import numpy as np
import pytest

import mmkeras as mm
from mmkeras.branches import text

SPEC = mm.Text("review", max_tokens=7, vocabulary_size=12)
IDS = np.array([[2, 3, 4, 5, 6, 7, 8], [9, 10, 0, 0, 0, 0, 0], [0] * 7], "int32")
MASK = IDS > 0


def features(branch, ids):
    """c_i = f(w x_{i:i+h-1} + b) for the words of one text, windows centred and filled up with zeros."""
    vectors = branch.get_layer("embedding").embeddings.numpy()[ids]
    found = []
    for i in range(2):
        kernel, bias = (weight.numpy() for weight in branch.get_layer(f"conv_{i}").weights)
        width = len(kernel)
        before = (width - 1) // 2
        padded = np.pad(vectors, ((before, width - 1 - before), (0, 0)))
        windows = np.stack([padded[j : j + width] for j in range(len(ids))])
        found.append(np.maximum(np.einsum("thd,hdf->tf", windows, kernel) + bias, 0))
    return np.concatenate(found, axis=-1)


@pytest.mark.parametrize("pool", ["max", "mean", None])
def test_it_is_the_paper_s_equation_on_the_real_words_alone(pool):
    branch = text.conv1d(SPEC, filters=3, widths=(2, 3), embed_dim=4, pool=pool)
    rng = np.random.default_rng(0)
    branch.set_weights([rng.normal(size=weight.shape) for weight in branch.weights])
    tokens, mask = (tensor.numpy() for tensor in branch({"review": IDS, "review_mask": MASK}))
    for row, n in ((0, 7), (1, 2)):
        wanted = features(branch, IDS[row, :n])
        wanted = wanted if pool is None else getattr(wanted, pool)(axis=0, keepdims=True)
        np.testing.assert_allclose(tokens[row][: len(wanted)], wanted, atol=1e-5)
        assert mask[row].sum() == len(wanted)
    assert not mask[2].any() and np.isfinite(tokens).all()


def test_widths_are_checked():
    with pytest.raises(ValueError, match=r"widths of 'review' must name a convolution. Received: \(\)"):
        text.conv1d(SPEC, widths=())
    with pytest.raises(ValueError, match=r"widths\[1\] of 'review' must be a whole number.*widths\[1\]=2.5"):
        text.conv1d(SPEC, widths=(3, 2.5))
