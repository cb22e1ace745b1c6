import numpy as np
import pytest

import mmkeras as mm

RNG = np.random.default_rng(0)
SPEC = mm.Audio("voice", seconds=0.5, sample_rate=1000, optional=True)


@pytest.fixture
def ready():
    """A full clip, a short one, an absent one and a silent one."""
    mask = np.arange(500) < np.array([[500], [200], [0], [500]])
    wave = np.where(mask, RNG.uniform(-0.5, 0.5, (4, 500)), 0).astype("float32")
    wave[3] = 0
    return {"voice": wave, "voice_mask": mask}


def augmented(ready, seed=(0, 1), **arguments):
    result, labels = mm.augment.audio(SPEC, **arguments)(ready, {"y": 1}, seed)
    assert labels == {"y": 1}
    assert result["voice"].dtype == "float32"
    assert result["voice"].shape == result["voice_mask"].shape == (4, 500)
    assert not result["voice"].numpy()[~result["voice_mask"].numpy()].any()
    return result["voice"].numpy(), result["voice_mask"].numpy()


def test_gain_is_a_factor_of_each_clip_within_the_decibels(ready):
    wave, mask = augmented(ready, gain_db=6.0)
    gains = [wave[i, 100] / ready["voice"][i, 100] for i in range(2)]
    for gain, after, before in zip(gains, wave, ready["voice"], strict=False):
        np.testing.assert_allclose(after, gain * before, rtol=1e-4)
    assert gains[0] != pytest.approx(gains[1], rel=1e-3)
    assert all(10 ** (-6 / 20) <= gain <= 10 ** (6 / 20) for gain in gains)
    np.testing.assert_array_equal(mask, ready["voice_mask"])
    assert not wave[2:].any()


def test_gain_never_clips(ready):
    wave = np.concatenate([augmented(ready, (0, i), gain_db=60.0)[0] for i in range(8)])
    assert np.abs(wave).max() == pytest.approx(1.0)
    whole = wave[np.argmax(np.abs(wave).max(1))]
    assert np.corrcoef(whole, ready["voice"][0])[0, 1] > 0.999 or np.corrcoef(whole, ready["voice"][1])[0, 1] > 0.999


def test_shift_moves_sound_and_mask_and_keeps_half(ready):
    moves = set()
    for i in range(8):
        wave, mask = augmented(ready, (i, 3), shift_seconds=0.4)
        for row, most in ((0, 250), (1, 100)):
            length = int(ready["voice_mask"][row].sum())
            shift = next(s for s in range(-most, most + 1) if np.array_equal(_moved(ready["voice"][row], s), wave[row]))
            np.testing.assert_array_equal(mask[row], _moved(ready["voice_mask"][row], shift))
            assert mask[row].sum() >= length // 2
            moves.add(shift)
        assert not mask[2].any()
    assert min(moves) < 0 < max(moves)


def _moved(row, shift):
    result = np.zeros_like(row)
    result[max(0, shift) : len(row) + min(0, shift)] = row[max(0, -shift) : len(row) - max(0, shift)]
    return result


def test_noise_has_the_ratio_to_the_clips_own_power(ready):
    wave, mask = augmented(ready, noise=20.0)
    np.testing.assert_array_equal(mask, ready["voice_mask"])
    for row in (0, 1):
        real = mask[row]
        noise = wave[row][real] - ready["voice"][row][real]
        ratio = 10 * np.log10(np.mean(ready["voice"][row][real] ** 2) / np.mean(noise**2))
        assert ratio == pytest.approx(20, abs=1)
    assert not wave[2:].any()
    loud, _ = augmented(ready, noise=(-40, -20))
    assert np.abs(loud).max() <= 1


def test_a_seed_says_it_all(ready):
    make = lambda seed: augmented(ready, seed, gain_db=3, shift_seconds=0.1, noise=(10, 30))[0]  # noqa: E731
    np.testing.assert_array_equal(make((1, 2)), make((1, 2)))
    assert not np.array_equal(make((1, 2)), make((1, 3)))


def test_errors():
    with pytest.raises(TypeError, match="mm.augment.audio is for mm.Audio specs. Received: Text"):
        mm.augment.audio(mm.Text("voice"))
    with pytest.raises(ValueError, match=r"shift_seconds of mm.augment.audio must be in \[0, 0.5\]. Received: .*=1"):
        mm.augment.audio(SPEC, shift_seconds=1)
    with pytest.raises(ValueError, match=r"a ratio in dB or \(low, high\). Received: \(3, 1\)"):
        mm.augment.audio(SPEC, noise=(3, 1))
