"""Every example is its own class here, so that its label says which examples it is made of, and in which shares."""

import numpy as np
import pytest

import mmkeras as mm

N = 24
RNG = np.random.default_rng(0)
PHOTO = mm.Image("photo", size=(16, 20), optional=True)
VOICE = mm.Audio("voice", seconds=0.1, sample_rate=1000, optional=True)
HEADS = [
    mm.heads.classification("which", list(range(N))),
    mm.heads.classification("tags", ["a", "b", "c"], multi_label=True),
    mm.heads.regression("size", size=2),
]
LABELS = {
    "which": np.arange(N, dtype="int32"),
    "tags": RNG.integers(0, 2, (N, 3)).astype("float32"),
    "size": RNG.normal(size=(N, 2)).astype("float32"),
}
LENGTHS = np.where(np.arange(N) % 5 == 1, 0, RNG.integers(20, 101, N))
MASK = np.arange(100) < LENGTHS[:, None]
READY = {
    "photo": RNG.integers(0, 256, (N, 16, 20, 3)).astype("uint8"),
    "photo_mask": (np.arange(N) % 5 > 0)[:, None],
    "voice": np.where(MASK, RNG.uniform(-1, 1, (N, 100)), 0).astype("float32"),
    "voice_mask": MASK,
}


def mixed(seed=(0, 1), specs=(PHOTO, VOICE), ready=READY, **arguments):
    ready, labels = mm.augment.mix(list(specs), HEADS, **arguments)(ready, LABELS, seed)
    return {name: np.asarray(value) for name, value in ready.items()}, {n: np.asarray(v) for n, v in labels.items()}


def pairs(labels):
    """(own share, partner) of each example, read from its label."""
    np.testing.assert_allclose(labels["which"].sum(1), 1, rtol=1e-6)
    assert (np.count_nonzero(labels["which"], axis=1) <= 2).all()
    own = np.diag(labels["which"])
    return own, np.argmax(labels["which"] * (1 - np.eye(N)), axis=1)


def test_mixup_blends_every_modality_and_every_label_in_one_share():
    ready, labels = mixed(mixup=1.0)
    own, other = pairs(labels)
    assert 0.4 < np.mean(own < 1) < 0.95
    for name in ("photo", "voice"):
        assert ready[name].dtype == READY[name].dtype
        weight = own.reshape([-1] + [1] * (READY[name].ndim - 1))
        expected = weight * READY[name] + (1 - weight) * READY[name][other]
        np.testing.assert_allclose(ready[name], expected, atol=0.51 if name == "photo" else 1e-6)
    for name in ("tags", "size"):
        np.testing.assert_allclose(
            labels[name], own[:, None] * LABELS[name] + (1 - own[:, None]) * LABELS[name][other], atol=1e-6
        )


def test_only_examples_of_the_same_modalities_are_mixed_and_others_stay_whole():
    for seed in range(4):
        ready, labels = mixed((seed, 0), mixup=1.0)
        own, other = pairs(labels)
        np.testing.assert_array_equal(ready["photo_mask"], READY["photo_mask"])
        blended = own < 1
        kinds = np.stack([READY["photo_mask"][:, 0], LENGTHS > 0], 1)
        np.testing.assert_array_equal(kinds[blended], kinds[other[blended]])
        np.testing.assert_array_equal(ready["voice_mask"], np.where(blended[:, None], MASK | MASK[other], MASK))
        for name in ("photo", "voice"):
            np.testing.assert_array_equal(ready[name][~blended], READY[name][~blended])


def test_cutmix_puts_a_rectangle_of_the_partner_and_counts_its_pixels():
    ready, labels = mixed(mixup=0, cutmix=1.0)
    own, other = pairs(labels)
    assert np.mean(own < 1) > 0.4
    for i in range(N):
        ours = (ready["photo"][i] == READY["photo"][i]).all(-1)
        theirs = (ready["photo"][i] == READY["photo"][other[i]]).all(-1)
        assert (ours | theirs).all()
        assert ours.mean() == pytest.approx(own[i], abs=0.01)
        rows, columns = np.where(~ours)
        if len(rows):
            box = ours[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
            assert box.mean() < 0.1  # equal by chance
        blend = own[i] * READY["voice"][i] + (1 - own[i]) * READY["voice"][other[i]]
        np.testing.assert_allclose(ready["voice"][i], blend, atol=1e-6)


def test_both_kinds_take_turns():
    ready, labels = mixed(mixup=1.0, cutmix=1.0)
    own, other = pairs(labels)
    cut = [((a == b) | (a == c)).all() for a, b, c in zip(ready["photo"], READY["photo"], READY["photo"][other])]  # noqa: B905
    assert 0.2 < np.mean(np.array(cut)[own < 1]) < 0.8


def test_share_and_alpha_say_how_many_and_how_much():
    present = READY | {"photo_mask": np.ones((N, 1), bool)}
    ready = {name: present[name] for name in ("photo", "photo_mask")}
    draw = lambda **more: np.concatenate([pairs(mixed((s, 1), [PHOTO], ready, **more)[1])[0] for s in range(20)])  # noqa: E731
    own = draw(mixup=1.0)
    assert own.mean() == pytest.approx(0.5, abs=0.06)  # uniform
    assert np.mean(draw(mixup=1.0, share=0.25) < 1) == pytest.approx(0.24, abs=0.06)
    extreme = draw(mixup=0.05)
    assert np.isfinite(extreme).all()
    assert np.mean((extreme > 0.1) & (extreme < 0.9)) < 0.3


def test_mixed_labels_may_be_mixed_again_and_a_seed_says_it_all():
    one = mixed((0, 1))
    for part, again in zip(one, mixed((0, 1)), strict=True):
        assert all(np.array_equal(part[name], again[name]) for name in part)
    assert not np.array_equal(one[0]["photo"], mixed((0, 2))[0]["photo"])
    _, labels = mm.augment.mix([PHOTO, VOICE], HEADS, mixup=1.0)(*one, (5, 5))
    np.testing.assert_allclose(np.sum(labels["which"], axis=1), 1, rtol=1e-5)


def test_errors():
    text = mm.Text("title")
    with pytest.raises(TypeError, match="mixes pictures and sounds.*Received: .*Text.*unmixed="):
        mm.augment.mix([PHOTO, text], HEADS)
    with pytest.raises(
        ValueError, match=r"CutMix exactly one mm.Image. Received: mixup=0.2, cutmix=1.0, .*\['audio'\]"
    ):
        mm.augment.mix([VOICE], HEADS, cutmix=1.0)
    more = READY | {"title": np.ones((N, 3), "int32"), "title_mask": np.ones((N, 3), bool)}
    with pytest.raises(ValueError, match=r"without \['title'\].*cannot be mixed: name them in unmixed="):
        mixed(ready=more)
    ready, _ = mixed(ready=more, unmixed=["title"])
    np.testing.assert_array_equal(ready["title"], more["title"])
    with pytest.raises(ValueError, match=r"labels: \['size'\]"):
        mm.augment.mix([PHOTO, VOICE], HEADS[:2])(READY, LABELS, (0, 1))
