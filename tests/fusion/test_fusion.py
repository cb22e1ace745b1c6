"""Each fusion against a NumPy statement of its equation; the promises all keep are in tests/conformance."""

import numpy as np
import pytest
from scipy.special import softmax

from mmkeras import fusion

RNG = np.random.default_rng(0)
TOKENS = [RNG.normal(size=(3, 4, 5)).astype("float32"), RNG.normal(size=(3, 1, 6)).astype("float32")]
MASKS = [np.arange(4) < np.array([[4], [2], [0]]), np.array([[True], [False], [False]])]


def test_concatenate(plain):
    layer = fusion.Concatenate(dim=7)
    fused = layer(TOKENS, MASKS).numpy()
    joint = np.concatenate([plain.mean(*pair) for pair in zip(TOKENS, MASKS, strict=True)], axis=1)
    kernel, bias = (weight.numpy() for weight in layer.dense.weights)
    np.testing.assert_allclose(fused, np.maximum(joint @ kernel + bias, 0), atol=1e-5)
    np.testing.assert_allclose(fusion.Concatenate(dim=None)(TOKENS, MASKS), joint, atol=1e-6)


@pytest.mark.parametrize(("alpha", "shares"), [(0.3, (0.3, 0.7)), ((1, 3), (0.25, 0.75)), (None, (0.5, 0.5))])
def test_weighted_sum(plain, alpha, shares):
    layer = fusion.WeightedSum(dim=7, alpha=alpha)
    fused = layer(TOKENS, MASKS).numpy()
    np.testing.assert_allclose(layer.shares(), shares, rtol=1e-6)
    a, b = [plain.mean(*pair) @ dense.kernel.numpy() + dense.bias.numpy()
            for dense, *pair in zip(layer.project, TOKENS, MASKS, strict=True)]  # fmt: skip
    np.testing.assert_allclose(fused[0], shares[0] * a[0] + shares[1] * b[0], atol=1e-5)
    np.testing.assert_allclose(fused[1], a[1], atol=1e-5)  # the second modality is absent
    assert fused[2].tolist() == [0] * 7  # everything is absent


def test_weighted_sum_learns_its_weights():
    layer = fusion.WeightedSum(dim=2)
    layer(TOKENS, MASKS)
    layer.logits.assign([0.0, 2.0])
    np.testing.assert_allclose(layer.shares(), softmax([0, 2]), rtol=1e-6)


@pytest.mark.parametrize("alpha", [(0.5,), (0.0, 0.0), (-1.0, 2.0), 1.5])
def test_weighted_sum_refuses_weights_that_do_not_fit(alpha):
    with pytest.raises(ValueError, match="one non-negative weight per modality.*for 2 modalities"):
        fusion.WeightedSum(dim=2, alpha=alpha)(TOKENS, MASKS)


def test_attention(plain):
    layer = fusion.Attention(dim=8, num_heads=2, num_queries=2, num_layers=2)
    fused = layer(TOKENS, MASKS).numpy()
    assert fused.shape == (3, 16)
    for row in range(2):  # the third row has no token
        x = np.concatenate(plain.embed(row, TOKENS, layer.embed))
        mask, q = np.concatenate([m[row] for m in MASKS]), layer.query.table.numpy()
        for step in layer.steps:
            q = plain.block(q, x, mask, step)
        np.testing.assert_allclose(fused[row], plain.norm(q, layer.norm).reshape(-1), atol=1e-4)


def test_attention_needs_heads_that_divide_dim():
    with pytest.raises(ValueError, match="heads must divide dim.*dim=8, num_heads=3"):
        fusion.Attention(dim=8, num_heads=3)
