"""The fusions that see every token against NumPy statements of their equations."""

import keras
import numpy as np
import pytest

from mmkeras import fusion

ALL = [fusion.Attention, fusion.Bottleneck, fusion.CoAttention, fusion.CrossAttention, fusion.Perceiver,
       fusion.SingleStream]  # fmt: skip


def close(a, b):
    # gelu is exact here and in Keras, but float32 sums are not.
    np.testing.assert_allclose(a, b, atol=1e-4)


def shaken(layer, tokens, masks):
    """The built layer with random weights everywhere: biases and scales start as zeros and ones."""
    layer(tokens, masks)
    rng = np.random.default_rng(1)
    layer.set_weights([weight + 0.3 * rng.normal(size=weight.shape) for weight in layer.get_weights()])
    return layer


@pytest.fixture
def three(modalities):
    return modalities(5, 6, 7)


def test_cross_attention_asks_one_after_the_other(three, plain):
    tokens, masks = three
    layer = shaken(fusion.CrossAttention(dim=8, num_heads=2, num_layers=2), tokens, masks)
    fused = layer(tokens, masks).numpy()
    q, b, c = plain.embed(0, tokens, layer.embed)
    for i, step in enumerate(layer.steps):
        x = (b, c)[i % 2]
        q = plain.block(q, x, np.ones(len(x), bool), step)
    close(fused[0], plain.norm(q, layer.norm).mean(0))
    # There is no other modality to attend to.
    close(fused[1], plain.norm(plain.embed(1, tokens, layer.embed)[0][:2], layer.norm).mean(0))
    close(fused[2], plain.norm(layer.stand_in.table.numpy()[0], layer.norm))  # no modality is present at all


def test_cross_attention_asks_in_place_of_the_first_modality(modalities, plain):
    tokens, masks = modalities(5, 6)
    masks[0] = np.zeros_like(masks[0])
    layer = shaken(fusion.CrossAttention(dim=8, num_heads=2), tokens, masks)
    x = plain.embed(0, tokens, layer.embed)[1]
    q = plain.block(layer.stand_in.table.numpy(), x, masks[1][0], layer.steps[0])
    close(layer(tokens, masks)[0], plain.norm(q, layer.norm)[0])


def test_co_attention_reads_all_the_others_then_its_own(three, plain):
    tokens, masks = three
    layer = shaken(fusion.CoAttention(dim=8, num_heads=2, num_layers=2), tokens, masks)
    fused = layer(tokens, masks).numpy()
    assert fused.shape == (3, 24)
    for row in range(2):
        x, real = plain.embed(row, tokens, layer.embed), [mask[row] for mask in masks]
        for start in (0, 3):
            others = [[j for j in range(3) if j != i] for i in range(3)]
            x = [plain.block(x[i], np.concatenate([x[j] for j in js]), np.concatenate([real[j] for j in js]),
                             layer.ask_others[start + i]) for i, js in enumerate(others)]  # fmt: skip
            x = [plain.block(x[i], None, real[i], layer.ask_own[start + i]) for i in range(3)]
        every = [plain.norm(stream, norm)[m] for stream, norm, m in zip(x, layer.norms, real, strict=True)]
        close(fused[row], np.concatenate([t.mean(0) if len(t) else np.zeros(8) for t in every]))
    assert fused[1, 8:].tolist() == [0] * 16  # absent streams
    assert fused[2].tolist() == [0] * 24


def test_single_stream_answers_with_cls(three, plain):
    tokens, masks = three
    layer = shaken(fusion.SingleStream(dim=8, num_heads=2, num_layers=2), tokens, masks)
    fused = layer(tokens, masks).numpy()
    for row in range(3):
        z = np.concatenate([layer.cls.table.numpy(), *plain.embed(row, tokens, layer.embed)])
        mask = np.concatenate([[True], *(m[row] for m in masks)])
        for block in layer.blocks:
            z = plain.block(z, None, mask, block)
        close(fused[row], plain.norm(z[0], layer.norm))


def test_bottleneck_passes_on_the_mean_of_the_present(three, plain):
    tokens, masks = three
    masks[1][1, 0] = True  # two of three modalities are present in the second row
    layer = shaken(fusion.Bottleneck(dim=8, num_heads=2, num_bottlenecks=2, num_layers=3), tokens, masks)
    fused = layer(tokens, masks).numpy()
    for row, present in ((0, [0, 1, 2]), (1, [0, 1])):
        x, cls, f = plain.embed(row, tokens, layer.embed), layer.cls.table.numpy(), layer.shared.table.numpy()
        z = {i: np.concatenate([cls[i : i + 1], x[i]]) for i in present}
        for start in (0, 3, 6):
            both = {i: plain.block(np.concatenate([f, z[i]]), None, np.concatenate([[True] * 3, masks[i][row]]),
                                   layer.blocks[start + i]) for i in present}  # fmt: skip
            z, f = {i: t[2:] for i, t in both.items()}, np.mean([t[:2] for t in both.values()], axis=0)
        close(fused[row], np.mean([plain.norm(t[0], layer.norm) for t in z.values()], axis=0))
    assert fused[2].tolist() == [0] * 8


@pytest.mark.parametrize(("share", "order"), [(True, [0, 1, 1]), (False, [0, 1, 2])])
def test_perceiver_reads_and_thinks(three, plain, share, order):
    tokens, masks = three
    layer = shaken(
        fusion.Perceiver(dim=8, num_heads=2, num_latents=3, num_readings=3, num_layers=2, share=share), tokens, masks
    )
    fused = layer(tokens, masks).numpy()
    assert (len(layer.reads), len(layer.thinks)) == ((2, 2) if share else (3, 6))
    assert fusion.Perceiver.from_config(layer.get_config()).share is share
    for row in range(3):
        x, z = np.concatenate(plain.embed(row, tokens, layer.embed)), layer.latent.table.numpy()
        for i, read in enumerate(order):
            z = plain.block(z, x, np.concatenate([m[row] for m in masks]), layer.reads[read])
            for think in layer.thinks[:2] if share else layer.thinks[2 * i : 2 * i + 2]:
                z = plain.block(z, None, np.array(True), think)
        close(fused[row], plain.norm(z, layer.norm).mean(0))


@pytest.mark.parametrize("covers", ALL, ids=lambda covers: covers.__name__)
def test_an_absent_modality_may_hold_anything(covers, three):
    tokens, masks = three
    layer = covers(dim=8, num_heads=2)
    fused = layer(tokens, masks).numpy()
    broken = [np.where(mask[:, :, None], x, np.nan).astype("float32") for x, mask in zip(tokens, masks, strict=True)]
    np.testing.assert_array_equal(layer(broken, masks), fused)
    assert np.isfinite(fused).all()


@pytest.mark.parametrize("covers", [fusion.CoAttention, fusion.CrossAttention])
def test_an_exchange_needs_two_modalities(covers, modalities):
    with pytest.raises(ValueError, match="needs two modalities or more.*Received: 1 modality.*Use fusion.Attention"):
        covers(dim=8, num_heads=2)(*modalities(5))


@pytest.mark.parametrize("covers", [fusion.Bottleneck, fusion.Perceiver, fusion.SingleStream])
def test_one_modality_is_enough(covers, modalities):
    tokens, masks = modalities(5)
    layer = covers(dim=8, num_heads=2)
    assert layer(tokens, masks).shape == layer.compute_output_spec(tokens, masks).shape == (3, 8)


@pytest.mark.parametrize("covers", ALL, ids=lambda covers: covers.__name__)
def test_heads_must_divide_dim(covers):
    with pytest.raises(ValueError, match=f"heads must divide dim in fusion.{covers.__name__}. .*dim=8, num_heads=3"):
        covers(dim=8, num_heads=3)


@pytest.mark.parametrize("covers", ALL, ids=lambda covers: covers.__name__)
def test_every_weight_learns(covers, three):
    tokens, masks = three
    inputs = [keras.Input(x.shape[1:]) for x in tokens], [keras.Input(m.shape[1:], dtype="bool") for m in masks]
    layer = covers(dim=8, num_heads=2)
    model = keras.Sequential([keras.layers.Dense(1)])
    model = keras.Model(inputs, model(layer(*inputs)))
    model.compile(keras.optimizers.SGD(0.1), "mse", run_eagerly=True)
    # The bias of the keys adds a constant to all scores, which softmax cancels, so it is not trained.
    before = [weight.numpy() for weight in layer.trainable_variables]
    masks[0][1:] = [[False] * 4, [True] * 4]  # rows with and without the first modality
    model.fit((tokens, masks), np.array([1.0, -1.0, 0.5]), epochs=2, verbose=0)
    still = [weight.path for weight, old in zip(layer.trainable_variables, before, strict=True)
             if np.array_equal(weight, old) and "key/bias" not in weight.path]  # fmt: skip
    assert still == []


@pytest.mark.parametrize(("name", "arguments"), [
    ("Attention", {"num_queries": 0}), ("SingleStream", {"num_layers": 0}), ("Perceiver", {"num_readings": 0}),
    ("Bottleneck", {"num_bottlenecks": 0}), ("CoAttention", {"num_layers": 0}), ("CrossAttention", {"num_layers": -1}),
])  # fmt: skip
def test_sizes_below_one_would_ignore_the_input(name, arguments):
    with pytest.raises(ValueError, match=f"{next(iter(arguments))} must be a whole number above 0 in fusion.{name}"):
        getattr(fusion, name)(dim=8, num_heads=2, **arguments)
