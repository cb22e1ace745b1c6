import keras
import numpy as np
import pytest

import mmkeras as mm
from mmkeras.branches import video

SPEC = mm.Video("clip", frames=5, size=(8, 12))
RNG = np.random.default_rng(0)


def feed(real):
    mask = np.arange(5) < np.array(real)[:, None]
    return {"clip": RNG.integers(0, 256, (len(real), 5, 8, 12, 3), "uint8"), "clip_mask": mask}


def hidden(x):
    there = x["clip_mask"][..., None, None, None]
    return x | {"clip": np.where(there, x["clip"], 255 - x["clip"])}


MAKERS = {
    "gru": lambda **more: video.frames(SPEC, filters=(4, 4), units=6, **more),
    "attention": lambda **more: video.frames(SPEC, filters=(4, 4), units=6, num_heads=2, over_time="attention", **more),
    "conv2plus1d": lambda **more: video.conv2plus1d(SPEC, filters=(4, 6), **more),
}


@pytest.mark.parametrize("maker", MAKERS)
def test_masked_frames_never_matter_not_even_to_the_statistics_of_training(maker):
    model, x = MAKERS[maker](), feed([5, 3, 0])
    for training in (False, True):
        keras.utils.set_random_seed(0)
        tokens, mask = model(x, training=training)
        keras.utils.set_random_seed(0)
        np.testing.assert_allclose(model(hidden(x), training=training)[0], tokens, atol=1e-5)
    np.testing.assert_array_equal(mask, x["clip_mask"])
    assert np.isfinite(tokens).all() and tokens.shape == (3, 5, 6)


@pytest.mark.parametrize("maker", ["gru", "conv2plus1d"])
def test_a_clip_is_the_same_whatever_stands_behind_it(maker):
    """Frames behind the end count as nothing: not even as black ones."""
    model, x = MAKERS[maker](), feed([3])
    short = MAKERS_OF_THREE[maker]()
    # (5, 6) is the shape of the position embedding.
    short.set_weights([w[:3] if w.shape == (5, 6) else w for w in model.get_weights()])
    alone = short({"clip": x["clip"][:, :3], "clip_mask": x["clip_mask"][:, :3]})[0]
    np.testing.assert_allclose(model(x)[0][:, :3], alone, atol=1e-5)


THREE = mm.Video("clip", frames=3, size=(8, 12))
MAKERS_OF_THREE = {
    "gru": lambda: video.frames(THREE, filters=(4, 4), units=6),
    "conv2plus1d": lambda: video.conv2plus1d(THREE, filters=(4, 6)),
}


@pytest.mark.parametrize("maker", MAKERS)
def test_mean_over_the_real_frames(maker):
    x = feed([5, 2, 0])
    whole, pooled = MAKERS[maker](), MAKERS[maker](pool="mean")
    if maker == "conv2plus1d":  # `whole` has a position embedding in addition
        pooled.set_weights([w for w in whole.get_weights() if w.shape != (5, 6)])
        whole.get_layer("position").table.assign(np.zeros((5, 6)))
    else:
        pooled.set_weights(whole.get_weights())
    tokens, there = np.asarray(whole(x)[0]), x["clip_mask"][..., None]
    mean = np.where(there, tokens, 0).sum(1) / np.maximum(there.sum(1), 1)
    token, mask = pooled(x)
    np.testing.assert_allclose(token[:, 0], mean, atol=1e-5)
    assert np.asarray(mask).tolist() == [[True], [True], [False]]


def test_one_block_is_the_convolution_in_space_then_in_time():
    """Against Conv3Ds of 1 x d x d and t x 1 x 1, arXiv 1711.11248, fig. 1 (b); M by section 3.5."""
    model, x = video.conv2plus1d(SPEC, filters=(6,)), feed([5, 5])
    space, time = (model.get_layer(name).kernel.numpy() for name in ("space_0", "time_0"))
    middle = 3 * 9 * 3 * 6 // (9 * 3 + 3 * 6)
    assert space.shape == (3, 3, 3, middle) and time.shape == (3, 1, middle, 6)
    y = x["clip"] / 127.5 - 1
    unit = 1 / np.sqrt(1 + 1e-3)  # what a batch norm with initial statistics multiplies by
    for kernel in (space[None], time[:, :, None]):
        y = np.maximum(np.asarray(keras.ops.conv(y.astype("float32"), kernel, padding="same")) * unit, 0)
    y = y.reshape(2, 5, 4, 2, 6, 2, 6).max((3, 5)).mean((2, 3)) + model.get_layer("position").table.numpy()
    np.testing.assert_allclose(model(x)[0], y, atol=1e-5)


def test_as_many_weights_as_a_convolution_in_three_dimensions():
    for before, after in ((64, 64), (64, 128), (3, 32)):
        middle = video._middle_width(before, after, 3, 3)
        factorised, whole = 9 * before * middle + 3 * middle * after, 27 * before * after
        assert 0.9 * whole < factorised <= whole


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: video.frames(SPEC, over_time="lstm"), r"over_time of .*'clip' must be one of.*Received: 'lstm'"),
        (lambda: video.frames(SPEC, pool="last"), "pool of the branch of 'clip' must be one of"),
        (lambda: video.conv2plus1d(SPEC, filters=(4,) * 4), r"Each of the 4 blocks halves the frames of 'clip'.*8, 12"),
    ],
)
def test_wrong_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()
    with pytest.raises(TypeError, match="for mm.Video specs"):
        video.frames(mm.Image("photo"))
