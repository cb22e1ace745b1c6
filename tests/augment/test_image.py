import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import mmkeras as mm

RNG = np.random.default_rng(0)
SPEC = mm.Image("photo", size=(12, 16), optional=True)
PIXELS = RNG.integers(0, 256, (40, 12, 16, 3)).astype("uint8")
READY = {"photo": PIXELS, "photo_mask": (np.arange(40) % 4 > 0)[:, None]}
KINDS = {
    "flip": {"flip": "both"},
    "crop": {"crop": 0.3},
    "geometry": {"zoom": 0.2, "shift": 0.2, "rotate": 20},
    "colour": {"brightness": 0.2, "contrast": 0.2},
    "rand_augment": {"rand_augment": 2},
    "cutout": {"cutout": 0.5},
}


def mapped(augment, seeds):
    """The augmentation as it runs in the pipeline."""
    data = tf.data.Dataset.from_tensor_slices(np.array(seeds)).map(lambda seed: augment(READY, {}, seed)[0])
    return [ready["photo"].numpy() for ready in data]


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_change_by_the_seed_alone(kind):
    augment = mm.augment.image(SPEC, **KINDS[kind])
    one, two, again = mapped(augment, [(1, 0), (1, 1), (1, 0)])
    np.testing.assert_array_equal(one, again)
    np.testing.assert_array_equal(one, mapped(mm.augment.image(SPEC, **KINDS[kind]), [(1, 0)])[0])
    assert not np.array_equal(one, two)
    assert one.dtype == "uint8"
    assert one.shape == PIXELS.shape
    absent = ~READY["photo_mask"][:, 0]
    np.testing.assert_array_equal(one[absent], PIXELS[absent])
    changed = (one != PIXELS).any(axis=(1, 2, 3))[~absent]
    assert changed.mean() > 0.5


def test_each_picture_is_flipped_by_itself():
    (flipped,) = mapped(mm.augment.image(SPEC, flip=True), [(0, 3)])
    turned = [np.array_equal(a, b[:, ::-1]) for a, b in zip(flipped, PIXELS, strict=True)]
    same = [np.array_equal(a, b) for a, b in zip(flipped, PIXELS, strict=True)]
    assert all(a != b for a, b in zip(turned, same, strict=True))
    assert 5 < sum(turned) < 25


def test_pictures_of_one_batch_are_changed_differently():
    ready = {"photo": np.repeat(PIXELS[:1], 12, axis=0), "photo_mask": np.ones((12, 1), bool)}
    for kind in KINDS:
        photo = mm.augment.image(SPEC, **KINDS[kind])(ready, {}, (0, 1))[0]["photo"].numpy()
        assert len({picture.tobytes() for picture in photo}) >= (3 if kind == "flip" else 6), kind


def test_operations_that_no_picture_drew():
    ready = {name: value[:2] for name, value in READY.items()}
    augment = mm.augment.image(SPEC, rand_augment=1)
    seeds = tf.data.Dataset.range(40).map(lambda i: augment(ready, {}, tf.stack([i, i]))[0]["photo"])
    assert len({photo.tobytes() for photo in seeds.as_numpy_iterator()}) > 10


def test_a_crop_keeps_its_share_of_the_area():
    ramp = np.broadcast_to(np.linspace(0, 255, 16), (200, 12, 16))[..., None].repeat(3, -1).astype("uint8")
    ready = {"photo": ramp, "photo_mask": np.ones((200, 1), bool)}
    photo = mm.augment.image(SPEC, crop=0.25)(ready, {}, (0, 1))[0]["photo"].numpy().astype(int)
    width = (photo[:, 0, -1, 0] - photo[:, 0, 0, 0]) / 255
    assert (width <= 1).all()
    assert width.min() >= np.sqrt(0.25 * 3 / 4) - 0.02
    assert width.min() < 0.6


def test_grey_pictures_and_models_of_half_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        spec = mm.Image("photo", size=(12, 16), channels=1)
        augment = mm.augment.image(spec, flip=True, rand_augment=2, rotate=10.0, cutout=0.2)
        photo = augment({"photo": PIXELS[..., :1]}, {}, (0, 1))[0]["photo"]
        assert (photo.dtype, photo.shape) == ("uint8", (40, 12, 16, 1))
        flipped = mm.augment.image(spec, flip=True)({"photo": PIXELS[..., :1]}, {}, (0, 1))[0]["photo"].numpy()
        assert all(np.array_equal(a, b) or np.array_equal(a[:, ::-1], b)
                   for a, b in zip(flipped, PIXELS[..., :1], strict=True))  # fmt: skip
    finally:
        keras.config.set_dtype_policy("float32")


def test_errors():
    with pytest.raises(TypeError, match="mm.augment.image is for mm.Image specs"):
        mm.augment.image(mm.Text("photo"))
    with pytest.raises(ValueError, match="flip of mm.augment.image is False or one of.*Received: 'left'"):
        mm.augment.image(SPEC, flip="left")
    with pytest.raises(ValueError, match=r"zoom of mm.augment.image must be in \[0, 1\]. Received: zoom=20"):
        mm.augment.image(SPEC, zoom=20)


def test_op_determinism_allows_it():
    code = """
import tensorflow as tf
tf.config.experimental.enable_op_determinism()
import mmkeras as mm
augment = mm.augment.image(mm.Image("p", size=8), flip=True, rotate=5.0, brightness=0.1, rand_augment=1, cutout=0.2)
print(augment({"p": tf.zeros([2, 8, 8, 3], tf.uint8)}, {}, (0, 1))[0]["p"].shape)
"""
    assert subprocess.check_output([sys.executable, "-c", code], text=True).endswith("(2, 8, 8, 3)\n")
