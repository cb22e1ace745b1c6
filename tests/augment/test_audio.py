import numpy as np
import pytest
import tensorflow as tf

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


def write_wav(path, wave, rate=1000):
    path.write_bytes(tf.audio.encode_wav(np.asarray(wave, "float32")[:, None], rate).numpy())
    return path


def test_speed_resamples_sound_and_mask_alike(ready):
    times = np.arange(500)
    ready["voice"][:2] = np.where(ready["voice_mask"][:2], np.sin(2 * np.pi * 0.02 * times), 0)
    wave, mask = augmented(ready, speed=0.3)
    factor = 200 / mask[1].sum()  # for the short clip, which fits completely
    assert 0.7 <= factor <= 1.3 and abs(factor - 1) > 0.01
    np.testing.assert_allclose(wave[1, :150], np.sin(2 * np.pi * 0.02 * factor * times[:150]), atol=0.1)
    assert not mask[2].any() and not wave[2:].any()
    np.testing.assert_array_equal(augmented(ready, speed=0.3)[0], wave)


def test_rooms_are_convolved_and_stay_as_loud(ready, tmp_path):
    response = np.zeros(40)
    response[0], response[30] = 0.8, 0.4
    room = write_wav(tmp_path / "room.wav", response)
    wave, mask = augmented(ready, rooms=[room])
    echoed = ready["voice"][0] + 0.5 * np.pad(ready["voice"][0], (30, 0))[:500]
    expected = echoed * np.sqrt(np.sum(ready["voice"][0] ** 2) / np.sum(echoed**2))
    np.testing.assert_allclose(wave[0], np.clip(expected, -1, 1), atol=1e-3)
    np.testing.assert_array_equal(mask, ready["voice_mask"])
    np.testing.assert_array_equal(augmented(ready, rooms=tmp_path)[0], wave)


def test_made_up_rooms_decay_in_the_time_that_is_asked_for():
    from mmkeras.augment._acoustics import made_up_rooms

    response = made_up_rooms(tf.zeros((64, 8)), (0.5, 0.5), 1000, (0, 1)).numpy()
    assert response.shape == (64, 500) and (response[:, 0] == 1).all()
    energy = (response[:, 1:] ** 2).sum(1)
    assert energy.min() >= 0.1 - 1e-6 and energy.max() <= 1 + 1e-6 and np.ptp(energy) > 0.5
    level = 10 * np.log10((response[:, 1:] ** 2 / energy[:, None]).mean(0))
    assert level[200:240].mean() - level[50:90].mean() == pytest.approx(-60 * 0.150 / 0.5, abs=1.5)


def test_reverb_changes_the_sound_and_not_its_loudness(ready):
    wave, _ = augmented(ready, reverb=(0.1, 0.3))
    assert np.sum(wave[0] ** 2) == pytest.approx(np.sum(ready["voice"][0] ** 2), rel=0.05)
    assert abs(np.corrcoef(wave[0], ready["voice"][0])[0, 1]) < 0.99
    assert not wave[2:].any()


def test_recorded_noise_has_the_asked_for_ratio(ready, tmp_path):
    hum = write_wav(tmp_path / "hum.wav", 0.3 * np.sin(0.3 * np.arange(120)))
    write_wav(tmp_path / "buzz.wav", 0.3 * np.sin(0.9 * np.arange(2000)), rate=2000)
    wave, _ = augmented(ready, noise=10, noise_files=[hum])
    for i, count in ((0, 500), (1, 200)):
        noise = (wave - ready["voice"])[i, :count]
        ratio = 10 * np.log10(np.mean(ready["voice"][i, :count] ** 2) / np.mean(noise**2))
        assert ratio == pytest.approx(10, abs=0.5)  # a few samples may be clipped
    spectra = [np.abs(np.fft.rfft(augmented(ready, (0, i), noise=0, noise_files=tmp_path)[0][0])) for i in range(8)]
    # Both files are drawn; the one with another rate is resampled.
    assert {spectrum.argmax() // 10 for spectrum in spectra} == {2, 14}


def test_files_and_ranges_are_checked(tmp_path):
    (tmp_path / "text.wav").write_text("hello")
    for arguments, message in [
        (
            {"noise_files": ["x.wav"]},
            r"noise_files of mm.augment.audio need noise=\(low, high\) in dB. Received: noise=No",
        ),
        (
            {"noise": 9, "noise_files": ["no.wav"]},
            "noise_files .* must name WAV files. Received: 'no.wav': No such file",
        ),
        ({"noise": 9, "noise_files": []}, r"noise_files .* must name WAV files. Received: \[\], an empty list. Give"),
        (
            {"rooms": tmp_path},
            "rooms of mm.augment.audio must name WAV files. Received: '.*text.wav': it is no WAV file",
        ),
        ({"rooms": [], "reverb": (0, 1)}, "takes reverb or rooms. Received: both"),
        (
            {"reverb": 0.5},
            r"reverb of mm.augment.audio is None or \(low, high\), seconds within 0 and 10. Received: 0.5",
        ),
        ({"speed": 0.9}, r"speed of mm.augment.audio must be in \[0, 0.5\]. Received: speed=0.9"),
    ]:
        with pytest.raises(ValueError, match=message):
            mm.augment.audio(SPEC, **arguments)
