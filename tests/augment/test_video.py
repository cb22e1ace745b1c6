"""All frames of a clip are changed alike, each clip in its own way, and nothing that is not there."""

import numpy as np
import pytest
import tensorflow as tf

import mmkeras as mm

SPEC = mm.Video("film", frames=4, size=(8, 10), optional=True)
EVERYTHING = {"flip": True, "crop": 0.3, "brightness": 0.2, "contrast": 0.3, "saturation": 0.5}


@pytest.fixture
def ready():
    """Still clips, one whole, one of two frames, one absent; what is masked holds other pixels."""
    rng = np.random.default_rng(0)
    frames = np.repeat(rng.integers(60, 190, (3, 1, 8, 10, 3)), 4, axis=1).astype("uint8")
    mask = np.arange(4) < np.array([[4], [2], [0]])
    frames[1, 2:], frames[2] = 7, 9
    return {"film": frames, "film_mask": mask}


def changed(ready, seed=(3, 1), spec=SPEC, **arguments):
    result, labels = mm.augment.video(spec, **arguments)(ready, {"y": 1}, seed)
    assert labels == {"y": 1} and result["film"].dtype == "uint8"
    np.testing.assert_array_equal(result["film_mask"], ready["film_mask"])
    return result["film"].numpy()


@pytest.mark.parametrize("name", EVERYTHING)
def test_frames_of_a_clip_share_what_is_drawn(ready, name):
    films = [changed(ready, (3, i), **{name: EVERYTHING[name]}) for i in range(6)]
    assert any((film[0] != ready["film"][0]).any() for film in films)
    for film in films:
        np.testing.assert_array_equal(film[0], np.repeat(film[0, :1], 4, axis=0))
        np.testing.assert_array_equal(film[1, 0], film[1, 1])
        np.testing.assert_array_equal(film[1, 2:], ready["film"][1, 2:])
        np.testing.assert_array_equal(film[2], ready["film"][2])


def test_it_is_a_function_of_the_seed_and_of_the_clip(ready):
    ready["film"][1], ready["film_mask"][1] = ready["film"][0], True
    first, again, other = (changed(ready, seed, **EVERYTHING) for seed in ((3, 1), (3, 1), (3, 2)))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any() and (first[0] != first[1]).any()


def test_contrast_keeps_the_mean_of_what_is_there(ready):
    film = changed(ready, contrast=0.3)
    assert film[1, :2].mean() == pytest.approx(ready["film"][1, :2].mean(), abs=0.5)
    assert film[1, :2].std() != pytest.approx(ready["film"][1, :2].std(), rel=0.01)


def test_backwards_turns_the_real_frames_alone(ready):
    ready["film"][:, :, 0, 0, 0] = np.arange(4)
    film = changed(ready, backwards=1.0)
    assert film[:, :, 0, 0, 0].tolist() == [[3, 2, 1, 0], [1, 0, 2, 3], [0, 1, 2, 3]]


def test_grey_clips_and_graphs():
    spec = mm.Video("film", frames=2, size=(4, 4), channels=1)
    ready = {"film": tf.zeros((2, 2, 4, 4, 1), tf.uint8), "film_mask": tf.ones((2, 2), tf.bool)}
    step = tf.function(mm.augment.video(spec, **EVERYTHING))
    assert step(ready, {}, tf.constant([1, 2], tf.int64))[0]["film"].shape == (2, 2, 4, 4, 1)


def test_bad_arguments_are_refused():
    with pytest.raises(TypeError, match=r"mm.augment.video is for mm.Video specs. Received: Image\(name='film'"):
        mm.augment.video(mm.Image("film"))
    with pytest.raises(ValueError, match=r"brightness of mm.augment.video must be in \[0, 1\]. Received: brightness=2"):
        mm.augment.video(SPEC, brightness=2)
