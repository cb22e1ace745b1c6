import numpy as np
import pytest

import mmkeras as mm
from mmkeras import layers

RNG = np.random.default_rng(0)
SPECTRUM = RNG.normal(size=(40, 60, 16)).astype("float32")
MASK = np.arange(60) < np.array([60, 30] * 19 + [1, 0])[:, None]


def hidden(**arguments):
    spectrum, mask = layers.SpecAugment(seed=3, **arguments)(SPECTRUM, MASK, training=True)
    spectrum = np.asarray(spectrum)
    np.testing.assert_array_equal(mask, MASK)
    changed = spectrum != SPECTRUM
    assert not changed[~MASK].any()
    for row, values, before, real in zip(changed, spectrum, SPECTRUM, MASK, strict=True):
        if row.any():
            np.testing.assert_allclose(values[row], before[real].mean(), atol=1e-5)
    return changed


def test_bands_are_hidden_over_the_whole_clip():
    changed = hidden(bands=1, band_width=5, time_masks=0)
    widths = set()
    for row, real in zip(changed, MASK, strict=True):
        if real.any():
            assert (row[real] == row[0]).all()
            places = np.where(row[0])[0]
            assert len(places) == (places[-1] - places[0] + 1 if len(places) else 0)
            widths.add(len(places))
    assert widths == set(range(6))


def test_frames_are_hidden_among_the_real_frames():
    changed = hidden(bands=0, time_masks=1, time_mask_width=12, most=0.2)
    longest = {60: 0, 30: 0, 1: 0, 0: 0}
    for row, real in zip(changed, MASK, strict=True):
        places = np.where(row.all(1))[0]
        assert (row.any(1) == row.all(1)).all()
        assert len(places) == (places[-1] - places[0] + 1 if len(places) else 0)
        longest[real.sum()] = max(longest[real.sum()], len(places))
    assert longest[60] in (11, 12)
    assert longest[30] in (5, 6)
    assert longest[1] == 0


def test_several_stripes_and_no_two_clips_alike():
    changed = hidden(bands=2, time_masks=2)
    assert len({row.tobytes() for row in changed[:38]}) > 30


def test_nothing_is_hidden_outside_of_training():
    layer = layers.SpecAugment()
    np.testing.assert_array_equal(layer(SPECTRUM, MASK)[0], SPECTRUM)
    np.testing.assert_array_equal(layer(SPECTRUM, MASK, training=False)[0], SPECTRUM)


def test_a_branch_takes_it():
    spec = mm.Audio("voice", seconds=0.5, sample_rate=8000)
    branch = mm.branches.audio.conv2d(spec, filters=(4,), mel_bands=16, spec_augment=layers.SpecAugment(seed=1))
    feed = {"voice": RNG.uniform(-1, 1, (2, 4000)).astype("float32"), "voice_mask": np.ones((2, 4000), bool)}
    tokens = [np.asarray(branch(feed, training=False)[0]) for _ in range(2)]
    np.testing.assert_array_equal(*tokens)
    plain = mm.branches.audio.conv2d(spec, filters=(4,), mel_bands=16)
    plain.set_weights([weight.numpy() for weight in branch.weights if "seed" not in weight.path])
    np.testing.assert_array_equal(plain(feed, training=False)[0], tokens[0])
    assert not np.array_equal(branch(feed, training=True)[0], plain(feed, training=True)[0])


def test_a_seed_repeats():
    one, two = (layers.SpecAugment(seed=5)(SPECTRUM, MASK, training=True)[0] for _ in range(2))
    np.testing.assert_array_equal(one, two)
    layer = layers.SpecAugment(seed=5)
    first, second = (np.asarray(layer(SPECTRUM, MASK, training=True)[0]) for _ in range(2))
    assert not np.array_equal(first, second)
    assert pytest.approx(first.mean(), abs=0.1) == SPECTRUM.mean()
