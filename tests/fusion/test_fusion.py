"""Each fusion against a NumPy statement of its equation; the promises all keep are in tests/conformance."""

import numpy as np
import pytest
from scipy.special import erf, softmax

from mmkeras import fusion

RNG = np.random.default_rng(0)
TOKENS = [RNG.normal(size=(3, 4, 5)).astype("float32"), RNG.normal(size=(3, 1, 6)).astype("float32")]
MASKS = [np.arange(4) < np.array([[4], [2], [0]]), np.array([[True], [False], [False]])]


def mean(tokens, mask):
    return np.stack([t[m].mean(0) if m.any() else 0 * t[0] for t, m in zip(tokens, mask, strict=True)])


def test_concatenate():
    layer = fusion.Concatenate(dim=7)
    fused = layer(TOKENS, MASKS).numpy()
    joint = np.concatenate([mean(*pair) for pair in zip(TOKENS, MASKS, strict=True)], axis=1)
    kernel, bias = (weight.numpy() for weight in layer.dense.weights)
    np.testing.assert_allclose(fused, np.maximum(joint @ kernel + bias, 0), atol=1e-5)
    np.testing.assert_allclose(fusion.Concatenate(dim=None)(TOKENS, MASKS), joint, atol=1e-6)


@pytest.mark.parametrize(("alpha", "shares"), [(0.3, (0.3, 0.7)), ((1, 3), (0.25, 0.75)), (None, (0.5, 0.5))])
def test_weighted_sum(alpha, shares):
    layer = fusion.WeightedSum(dim=7, alpha=alpha)
    fused = layer(TOKENS, MASKS).numpy()
    np.testing.assert_allclose(layer.shares(), shares, rtol=1e-6)
    a, b = [mean(*pair) @ dense.kernel.numpy() + dense.bias.numpy()
            for dense, *pair in zip(layer.project, TOKENS, MASKS, strict=True)]  # fmt: skip
    np.testing.assert_allclose(fused[0], shares[0] * a[0] + shares[1] * b[0], atol=1e-5)
    np.testing.assert_allclose(fused[1], a[1], atol=1e-5)  # the second modality is absent
    assert fused[2].tolist() == [0] * 7  # nothing is there


def test_weighted_sum_learns_its_weights():
    layer = fusion.WeightedSum(dim=2)
    layer(TOKENS, MASKS)
    layer.logits.assign([0.0, 2.0])
    np.testing.assert_allclose(layer.shares(), softmax([0, 2]), rtol=1e-6)


@pytest.mark.parametrize("alpha", [(0.5,), (0.0, 0.0), (-1.0, 2.0), 1.5])
def test_weighted_sum_refuses_weights_that_do_not_fit(alpha):
    with pytest.raises(ValueError, match="one non-negative weight per modality.*for 2 modalities"):
        fusion.WeightedSum(dim=2, alpha=alpha)(TOKENS, MASKS)


def norm(x, layer):
    gamma, beta = (weight.numpy() for weight in layer.weights)
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + layer.epsilon) * gamma + beta


def attend(q, x, mask, layer):
    wq, bq, wk, bk, wv, bv, wo, bo = (weight.numpy() for weight in layer.weights)
    q, k, v = (np.einsum("td,dhe->hte", a, w) + b[:, None] for a, w, b in ((q, wq, bq), (x, wk, bk), (x, wv, bv)))
    score = np.where(mask, q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[-1]), -np.inf)
    return np.einsum("hqe,hed->qd", softmax(score, -1) @ v, wo) + bo


def test_attention():
    layer = fusion.Attention(dim=8, heads=2, queries=2, depth=2)
    fused = layer(TOKENS, MASKS).numpy()
    assert fused.shape == (3, 16)
    for row in range(2):  # the third row has no token
        x = np.concatenate([t[row] @ d.kernel.numpy() + d.bias.numpy() + kind
                            for t, d, kind in zip(TOKENS, layer.project, layer.kind.numpy(), strict=True)])  # fmt: skip
        mask, q = np.concatenate([m[row] for m in MASKS]), layer.query.numpy()
        for step in layer.steps:
            q = q + attend(norm(q, step.norm_read), x, mask, step.read)
            hidden = norm(q, step.norm_think) @ step.widen.kernel.numpy() + step.widen.bias.numpy()
            gelu = hidden * (1 + erf(hidden / np.sqrt(2))) / 2
            q = q + gelu @ step.narrow.kernel.numpy() + step.narrow.bias.numpy()
        np.testing.assert_allclose(fused[row], norm(q, layer.norm).reshape(-1), atol=1e-2)


def test_attention_needs_heads_that_divide_dim():
    with pytest.raises(ValueError, match="heads must divide dim.*dim=8, heads=3"):
        fusion.Attention(dim=8, heads=3)
