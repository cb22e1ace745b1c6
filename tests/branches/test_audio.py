"""Audio branches against NumPy, SciPy and each other; the promises all branches keep are in tests/conformance."""

import keras
import numpy as np
import pytest
from scipy.fft import dct

import mmkeras as mm
from mmkeras import layers
from mmkeras.branches import audio

RNG = np.random.default_rng(0)
CLIP = mm.Audio("voice", seconds=0.25, sample_rate=8000)  # 2000 samples, 23 frames
SMALL = {
    "conv2d": (audio.conv2d, {"filters": (4, 4), "mel_bands": 16}),
    "crnn": (audio.crnn, {"filters": (4, 4), "pool_sizes": ((1, 4), (2, 2)), "units": 3, "mel_bands": 16}),
    "transformer": (audio.transformer, {"dim": 8, "num_heads": 2, "num_layers": 1, "patch": (8, 8), "stride": (5, 4),
                                        "mel_bands": 16}),
    "conv_tasnet": (audio.conv_tasnet, {"dim": 4, "filters": 6, "hidden_dim": 5, "num_layers": 2,
                                        "frames_per_token": 4}),
}  # fmt: skip
SHAPES = {"conv2d": (5, 4), "crnn": (11, 6), "transformer": (12, 8), "conv_tasnet": (12, 4)}


def clips(spec=CLIP, heard=(2000, 900, 0)):
    rng = np.random.default_rng(1)
    wave, mask = np.zeros((2, len(heard), spec.samples), "float32")
    for row, length in enumerate(heard):
        wave[row, :length], mask[row, :length] = rng.normal(size=length) / 4, 1
    return {"voice": wave, "voice_mask": mask.astype(bool)}


def randomised(model):
    """Every weight at random, so that none of them can be forgotten; scales and variances stay positive."""
    rng = np.random.default_rng(2)

    def draw(shape):
        return rng.uniform(0.2, 0.9, shape) * (rng.choice([1, 1, -1], shape) if len(shape) > 1 else 1)

    model.set_weights([draw(weight.shape) for weight in model.get_weights()])
    return model


@pytest.mark.parametrize("name", SMALL)
def test_shapes_and_masks(name):
    function, arguments = SMALL[name]
    tokens, mask = function(CLIP, **arguments)(clips())
    assert tokens.shape == (3, *SHAPES[name])
    real = mask.numpy().sum(1)
    assert real[0] == SHAPES[name][0] > real[1] > 0 == real[2]
    one, there = function(CLIP, **arguments, pool="mean")(clips())
    assert one.shape == (3, 1, SHAPES[name][1])
    assert there.numpy().tolist() == [[True], [True], [False]]
    assert one.numpy()[2].tolist() == [[0] * SHAPES[name][1]]


@pytest.mark.parametrize("name", SMALL)
def test_what_lies_behind_the_end_never_matters(name):
    function, arguments = SMALL[name]
    branch, feed = randomised(function(CLIP, **arguments)), clips()
    tokens, mask = branch(feed)
    feed["voice"] = np.where(feed["voice_mask"], feed["voice"], 0.9).astype("float32")
    np.testing.assert_array_equal(tokens, branch(feed)[0])
    feed["voice"] = feed["voice"] * np.linspace(0.2, 1, 2000, dtype="float32")
    changed = np.abs(branch(feed)[0] - tokens).max(-1) * mask.numpy()
    assert (changed.max(1) > 0).tolist() == [True, True, False]  # the samples that are not masked do change the tokens


def test_tasnet_gives_a_clip_the_same_tokens_in_a_longer_spec():
    longer = mm.Audio("voice", seconds=0.5, sample_rate=8000)
    short, long = (audio.conv_tasnet(spec, **SMALL["conv_tasnet"][1], pool="mean") for spec in (CLIP, longer))
    long.set_weights(randomised(short).get_weights())
    np.testing.assert_allclose(short(clips(heard=(1500,)))[0], long(clips(longer, (1500,)))[0], rtol=1e-4)


def prelu(x, layer):
    return np.where(x > 0, x, layer.alpha.numpy().item() * x)


def norm(x, real, layer):
    heard = x[:real]
    y = (heard - heard.mean()) / np.sqrt(heard.var() + 1e-5) * layer.gamma.numpy() + layer.beta.numpy()
    return np.pad(y, ((0, len(x) - real), (0, 0)))


def linear(x, layer):
    return x @ layer.kernel.numpy() + layer.bias.numpy()


def depthwise(x, layer, dilation):
    kernel, padded = layer.kernel.numpy()[:, :, 0], np.pad(x, ((dilation, dilation), (0, 0)))
    return sum(kernel[k] * padded[k * dilation : k * dilation + len(x)] for k in range(3)) + layer.bias.numpy()


def test_tasnet_against_numpy():
    branch = randomised(audio.conv_tasnet(CLIP, **SMALL["conv_tasnet"][1], num_repeats=2))
    feed, at = clips(), branch.get_layer
    answer, mask = branch(feed)
    frames = np.stack([feed["voice"][1, i : i + 80] for i in range(0, 2000 - 79, 40)])
    real = int(feed["voice_mask"][1, ::40][: len(frames)].sum())
    x = np.maximum(frames @ at("encoder").kernel.numpy()[:, 0], 0)
    x, s = linear(norm(x, real, at("norm")), at("bottleneck")), 0
    for i, dilation in enumerate((1, 2, 1, 2)):
        h = norm(prelu(linear(x, at(f"block_{i}_in")), at(f"block_{i}_prelu_in")), real, at(f"block_{i}_norm_in"))
        h = depthwise(h, at(f"block_{i}_conv"), dilation)
        h = norm(prelu(h, at(f"block_{i}_prelu")), real, at(f"block_{i}_norm"))
        s = s + linear(h, at(f"block_{i}_skip"))
        x = x + linear(h, at(f"block_{i}_residual")) if i < 3 else None
    y = linear(prelu(s, at("skips_prelu")), at("features"))[:real]
    assert real == 23  # frames of the 900 samples: five tokens of four frames, and one of three
    tokens = np.stack([y[i : i + 4].mean(0) for i in range(0, real, 4)]) + at("position").table.numpy()[:6]
    assert mask[1].numpy().tolist() == [True] * 6 + [False] * 6
    np.testing.assert_allclose(answer[1, :6], tokens, rtol=1e-3, atol=1e-3)


def test_crnn_ends_at_the_last_real_moment():
    arguments = SMALL["crnn"][1] | {"bidirectional": False, "num_layers": 2}
    whole, last = (audio.crnn(CLIP, **arguments, pool=pool) for pool in (None, "last"))
    last.set_weights(whole.get_weights())
    tokens, mask = whole(clips())
    ends = mask.numpy().sum(1)[:2] - 1
    np.testing.assert_allclose(last(clips())[0][:2, 0], tokens.numpy()[[0, 1], ends], atol=1e-6)


def test_transformer_cuts_patches_moment_by_moment():
    branch = audio.transformer(CLIP, **SMALL["transformer"][1])
    pixels = RNG.normal(size=(1, 23, 16, 1)).astype("float32")
    conv = branch.get_layer("patches")
    kernel = conv.kernel.numpy()[:, :, 0]
    tokens = keras.Model(conv.input, branch.get_layer("position").input)(pixels).numpy()[0]
    places = [(time, pitch) for time in (0, 5, 10, 15) for pitch in (0, 4, 8)]
    for token, (time, pitch) in zip(tokens, places, strict=True):
        patch = pixels[0, time : time + 8, pitch : pitch + 8, 0]
        np.testing.assert_allclose(token, np.tensordot(patch, kernel, 2) + conv.bias.numpy(), atol=1e-4)
    frames = np.arange(0, 2000 - 199, 80) < 900  # frames of the second clip
    assert branch(clips())[1][1].numpy().tolist() == np.repeat(frames[[0, 5, 10, 15]], 3).tolist()


def test_mfcc_against_scipy():
    spectrum = RNG.normal(-5, 4, (2, 3, 40)).astype("float32")
    np.testing.assert_allclose(layers.MFCC(13)(spectrum), dct(spectrum, norm="ortho")[..., :13], atol=1e-4)
    assert audio.conv2d(CLIP, filters=(4,), mfcc=12).get_layer("conv_0").input.shape[1:3] == (23, 12)


def test_global_layer_norm_against_numpy():
    x = RNG.normal(3, 2, (2, 5, 4)).astype("float32")
    layer = layers.GlobalLayerNorm()
    layer.build(x.shape)
    layer.set_weights(RNG.normal(size=(2, 4)))
    y = layer(x, np.arange(5) < np.array([[3], [0]])).numpy()
    np.testing.assert_allclose(y[0], norm(x[0], 3, layer), atol=1e-5)
    assert not y[1].any()


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        (audio.conv2d, {"mfcc": 65}, "can keep from 1 coefficient to one per band, 64. Received: 65"),
        (audio.conv2d, {"pool": "last"}, "pool of the branch of 'voice' must be one of .*'last'"),
        (audio.crnn, {"filters": (4,)}, "one \\(time, pitch\\) per filter. Received: 3 of them, 1 filters"),
        (audio.crnn, {"mfcc": 13}, "take 4 frames and 32 bands together. Received: 23 frames of 13 bands"),
        (audio.transformer, {"patch": (24, 16)}, "fit into the spectrogram, 23 frames of 64 bands.*patch=\\(24, 16\\)"),
        (audio.transformer, {"dim": 9}, "heads must divide dim in the branch of 'voice'.*dim=9, num_heads=4"),
        (audio.conv_tasnet, {"frames_per_token": 50}, "one token, 2040 samples. Received: 2000 samples"),
    ],
)
def test_what_does_not_fit_is_said(function, arguments, message):
    with pytest.raises(ValueError, match=message):
        function(CLIP, **arguments)
