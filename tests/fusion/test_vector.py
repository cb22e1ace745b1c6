"""The fusions of one vector per modality, and FiLM, against NumPy statements of their equations."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import expit, softmax

from mmkeras import fusion

RNG = np.random.default_rng(0)
SHAPES = [(4, 5), (1, 6), (3, 4)]
TOKENS = [RNG.normal(size=(4, *shape)).astype("float32") for shape in SHAPES]
# All present; the second absent, and two tokens of the first; the first absent; all absent.
MASKS = [np.arange(4) < np.array([[4], [2], [0], [0]]), np.array([[True], [False], [True], [False]]),
         np.arange(3) < np.array([[3], [1], [2], [0]])]  # fmt: skip
THERE = np.stack([mask.any(1) for mask in MASKS], axis=1)
SMALL = {"MLP": {"hidden": (6, 7)}, "Gated": {}, "LowRankBilinear": {"rank": 3}, "Bilinear": {"factors": 3},
         "TensorFusion": {"width": 2}, "FiLM": {}}  # fmt: skip


def fused(name, n=3, dim=8, **arguments):
    """A small fusion whose weights are all random, and what it makes of the first n modalities."""
    layer = getattr(fusion, name)(dim=dim, **(SMALL[name] | arguments))
    layer(TOKENS[:n], MASKS[:n])
    for weight in layer.weights:
        weight.assign(RNG.normal(scale=0.7, size=weight.shape))
    return layer, layer(TOKENS[:n], MASKS[:n]).numpy()


def means(n=3):
    return [np.stack([t[m].mean(0) if m.any() else 0 * t[0] for t, m in zip(*pair, strict=True)])
            for pair in zip(TOKENS[:n], MASKS[:n], strict=True)]  # fmt: skip


def affine(layer, x):
    return x @ layer.kernel.numpy() + layer.bias.numpy()


def test_mlp():
    layer, result = fused("MLP")
    x = np.concatenate([*means(), THERE], axis=1)
    for step in layer.steps:
        x = np.maximum(affine(step, x), 0)
    np.testing.assert_allclose(result, x, atol=1e-4)


def test_gated():
    layer, result = fused("Gated")
    said = [np.tanh(affine(dense, a)) for dense, a in zip(layer.project, means(), strict=True)]
    scores = affine(layer.gate, np.concatenate([*means(), THERE], axis=1)).reshape(4, 8, 3)
    for row in range(3):
        here = THERE[row]
        gates = softmax(scores[row][:, here], axis=-1)
        np.testing.assert_allclose(result[row], (gates * np.stack(said, -1)[row][:, here]).sum(-1), atol=1e-5)
    assert result[3].tolist() == [0] * 8


def test_gated_of_two_is_the_unit_of_the_paper():
    layer, result = fused("Gated", n=2)
    scores = affine(layer.gate, np.concatenate([*means(2), THERE[:, :2]], axis=1)).reshape(4, 8, 2)
    z = expit(scores[0, :, 0] - scores[0, :, 1])
    a, b = (np.tanh(affine(dense, x))[0] for dense, x in zip(layer.project, means(2), strict=True))
    np.testing.assert_allclose(result[0], z * a + (1 - z) * b, atol=1e-5)


def test_gates_of_an_absent_modality_are_zero_however_high_its_score():
    layer, _ = fused("Gated", n=2)
    bias = np.zeros((8, 2), "float32")
    bias[:, 1] = 500.0
    layer.gate.bias.assign(bias.reshape(-1))
    alone = np.tanh(affine(layer.project[0], means(2)[0]))[1]  # the second modality is absent
    np.testing.assert_allclose(layer(TOKENS[:2], MASKS[:2])[1], alone, atol=1e-5)


def test_low_rank_bilinear_is_the_tensor_that_it_never_makes():
    layer, result = fused("LowRankBilinear")
    tensor = 0
    for r in range(3):  # the weights of rank r, as one tensor over the [a; 1] of all modalities, and D
        columns = [np.concatenate([f.kernel.numpy(), f.bias.numpy()[None]]).reshape(-1, 3, 8)[:, r]
                   for f in layer.factors]  # fmt: skip
        tensor = tensor + np.einsum("ad,bd,cd->abcd", *columns)
    ones = np.ones((4, 1))
    z = [np.concatenate([a, ones], axis=1) for a in means()]
    np.testing.assert_allclose(result, np.einsum("ba,bc,bd,acde->be", *z, tensor) + layer.bias.numpy(), atol=1e-3)


def test_low_rank_bilinear_starts_with_absence_as_neutral():
    both, alone = fusion.LowRankBilinear(dim=8), fusion.LowRankBilinear(dim=8)
    result = both(TOKENS[:2], MASKS[:2]).numpy()
    alone(TOKENS[:1], MASKS[:1])
    alone.factors[0].set_weights(both.factors[0].get_weights())
    np.testing.assert_allclose(result[1], alone(TOKENS[:1], MASKS[:1]).numpy()[1], atol=1e-4)


def test_bilinear():
    layer, result = fused("Bilinear")
    product = 1
    for dense, a, there in zip(layer.project, means(), THERE.T, strict=True):
        product = product * np.where(there[:, None], affine(dense, a), 1)
    z = product.reshape(4, 3, 8).sum(1)
    y = z / np.sqrt(np.abs(z) + 1e-3)
    expected = np.sqrt(8) * y / np.linalg.norm(y, axis=1, keepdims=True)
    np.testing.assert_allclose(result[:3], expected[:3], atol=1e-4)
    assert result[3].tolist() == [0] * 8


def test_bilinear_does_not_care_how_loud_a_modality_is():
    layer, _ = fused("Bilinear", n=2)
    for dense in layer.project:
        dense.bias.assign(0 * dense.bias)
    quiet, loud = layer(TOKENS[:2], MASKS[:2])[0], layer([TOKENS[0], 50 * TOKENS[1]], MASKS[:2])[0]
    np.testing.assert_allclose(quiet, loud, atol=0.02)


def test_tensor_fusion():
    layer, result = fused("TensorFusion")
    z = [np.concatenate([np.ones((4, 1)), np.tanh(affine(dense, a)) * there[:, None]], axis=1)
         for dense, a, there in zip(layer.project, means(), THERE.T, strict=True)]  # fmt: skip
    product = np.einsum("bi,bj,bk->bijk", *z).reshape(4, -1)
    assert product.shape == (4, 27)
    np.testing.assert_allclose(result, np.maximum(affine(layer.dense, product), 0), atol=1e-4)


@pytest.mark.parametrize("pool", ["max", "mean"])
def test_film(pool):
    layer, result = fused("FiLM", pool=pool)
    for row in range(4):
        condition = np.zeros(8)
        for i, (tokens, mask) in enumerate(zip(TOKENS, MASKS, strict=True)):
            scale, shift = 0, 0
            if i and THERE[row, :i].any():
                scale, shift = affine(layer.scale[i - 1], condition), affine(layer.shift[i - 1], condition)
            if mask[row].any():
                y = np.maximum((1 + scale) * affine(layer.project[i], tokens[row]) + shift, 0)[mask[row]]
                condition = y.max(0) if pool == "max" else y.mean(0)
        np.testing.assert_allclose(result[row], condition, atol=1e-3)


def test_film_passes_on_what_conditions_an_absent_modality():
    layer, result = fused("FiLM", n=2)
    first = np.maximum(affine(layer.project[0], TOKENS[0][1]), 0)[MASKS[0][1]].max(0)
    np.testing.assert_allclose(result[1], first, atol=1e-5)


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("n", [1, 2, 3])
def test_gradients_are_finite_whoever_is_absent(name, n):
    layer, _ = fused(name, n=n)
    tokens = [tf.constant(0 * modality) for modality in TOKENS[:n]]
    with tf.GradientTape() as tape:
        tape.watch(tokens)
        result = layer(tokens, MASKS[:n])
        loss = tf.reduce_sum(result**2)
    assert result.shape == (4, 8)
    gradients = tape.gradient(loss, [*tokens, *layer.trainable_variables], unconnected_gradients="zero")
    assert all(np.isfinite(gradient).all() for gradient in gradients)


@pytest.mark.parametrize("name", SMALL)
def test_dropout_works_while_training_only(name):
    layer, result = fused(name, dropout=0.9)
    np.testing.assert_array_equal(layer(TOKENS, MASKS), result)
    assert not np.allclose(layer(TOKENS, MASKS, training=True), result)


@pytest.mark.parametrize("name", SMALL)
def test_half_precision_is_finite(name):
    layer = getattr(fusion, name)(dim=8, dtype="float16", **SMALL[name])
    assert np.isfinite(layer([50 * modality for modality in TOKENS], MASKS).numpy()).all()


COSTS = {
    "Concatenate": lambda n, d: n * d**2,
    "MLP": lambda n, d: (n + 1) * d**2,
    "WeightedSum": lambda n, d: n * d**2,
    "Gated": lambda n, d: (n**2 + n) * d**2,
    "Bilinear": lambda n, d: 5 * n * d**2,
    "LowRankBilinear": lambda n, d: 4 * n * d**2,
    "TensorFusion": lambda n, d: n * 16 * d + 17**n * d,
    "FiLM": lambda n, d: (3 * n - 2) * d**2,
    "Attention": lambda n, d: (n + 8 * 2) * d**2,
}


@pytest.mark.parametrize("name", COSTS)
def test_the_costs_in_the_table_of_the_package(name):
    tokens, masks = zip(*[(keras.Input((t, 128)), keras.Input((t,), dtype="bool")) for t in (1, 2, 3)], strict=True)
    layer = getattr(fusion, name)()
    layer(list(tokens), list(masks))
    cost = COSTS[name](3, 128)
    assert cost <= layer.count_params() < 1.02 * cost
    row = next(row for row in fusion.__doc__.splitlines() if row.startswith(f"| `{name}`") and " M |" in row)
    assert f"| {round(cost / 1000)} K, " in row


@pytest.mark.parametrize(("name", "arguments"), [
    ("MLP", {"hidden": (8, 0)}), ("Gated", {"dim": 0}), ("LowRankBilinear", {"rank": 0}),
    ("Bilinear", {"factors": 2.5}), ("TensorFusion", {"width": -1}), ("FiLM", {"dim": None}),
])  # fmt: skip
def test_sizes_are_whole_numbers(name, arguments):
    with pytest.raises(ValueError, match=f"must be a whole number above 0 in fusion.{name}. Received: "):
        getattr(fusion, name)(**arguments)


def test_tensor_fusion_refuses_a_tensor_that_is_too_large():
    with pytest.raises(ValueError, match="may have 32768 elements.*width=16 for n=4.*83521.*width=12 or less"):
        fusion.TensorFusion().build([(None, 1, 4)] * 4, [(None, 1)] * 4)
    with pytest.raises(ValueError, match="n=16 modalities.*Use LowRankBilinear"):
        fusion.TensorFusion(width=1).build([(None, 1, 4)] * 16, [(None, 1)] * 16)


def test_film_knows_its_pools():
    with pytest.raises(ValueError, match=r"pool of fusion.FiLM must be one of \['max', 'mean'\]. Received: 'sum'"):
        fusion.FiLM(pool="sum")


@pytest.mark.parametrize("fuse", [fusion.Bilinear, fusion.LowRankBilinear, fusion.FiLM, fusion.Gated])
def test_nan_under_a_mask_reaches_no_gradient(fuse):
    mask, layer = np.array([[True, False], [False, False]]), fuse(4)
    tokens = [np.where(mask[..., None], 1.0, np.nan).astype("float32")] * 2
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(tokens, [mask] * 2) ** 2)
    assert all(np.isfinite(tf.convert_to_tensor(g)).all() for g in tape.gradient(loss, layer.trainable_variables))


@pytest.mark.parametrize("fuse", [fusion.Bilinear, fusion.LowRankBilinear])
def test_products_of_many_modalities_do_not_overflow_in_half_precision(fuse):
    tokens = [10 * np.random.default_rng(i).random((64, 1, 64)).astype("float32") for i in range(4)]
    fused = fuse(16, dtype="mixed_float16")(tokens, [np.ones((64, 1), bool)] * 4)
    assert np.isfinite(fused).all()
