"""Files that tell of too many pixels, and JPEGs of which a part was overwritten."""

import io
import struct

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import mmkeras as mm
from mmkeras.preprocess.image import DecodeImage

RNG = np.random.default_rng(0)
RGB = np.kron(RNG.integers(0, 256, (4, 6, 3), dtype=np.uint8), np.ones((10, 10, 1), np.uint8))  # 40 high


def file_of(pixels, kind="PNG", **options):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


PNG, JPEG, GIF, BMP = (file_of(RGB, kind) for kind in ("PNG", "JPEG", "GIF", "BMP"))
LAYER = DecodeImage((40, 60), name="photo_preprocess")
GRAPH = tf.function(LAYER, input_signature=[tf.TensorSpec([None], tf.string)])


def decode(*files):
    return GRAPH(tf.constant(files)).numpy().astype(int)


def test_zeros_are_pixels_where_their_codes_say_so():
    """An optimised file of one colour is zeros all through; and the place of zeros in EXIF data is as good as any."""
    even = file_of(np.full((400, 600, 3), 200, np.uint8), "JPEG", optimize=True)
    padded = file_of(RGB, "JPEG", exif=b"Exif\0\0II*\0" + bytes(500))
    assert bytes(64) in even and bytes(64) in padded
    np.testing.assert_array_equal(decode(even, padded), [np.full((40, 60, 3), 200), decode(JPEG)[0]])


@pytest.mark.parametrize("options", [{"progressive": True}, {"optimize": True}])
def test_a_third_overwritten_with_zeros_is_refused(options):
    noise = RNG.integers(0, 256, (90, 120, 3), dtype=np.uint8)
    file = file_of(noise, "JPEG", quality=90, **options)
    third = len(file) // 3
    with pytest.raises(tf.errors.InvalidArgumentError, match="overwritten with zeros|damaged"):
        decode(file[:third] + bytes(third) + file[2 * third :])


def large(kind):
    """A file of a few bytes that tells of 20,000 x 30,000 pixels."""
    if kind == "JPEG":
        return JPEG[:163] + struct.pack(">HH", 20_000, 30_000) + JPEG[167:]
    if kind == "PNG":
        return PNG[:16] + struct.pack(">II", 30_000, 20_000) + PNG[24:]
    if kind == "GIF":
        return GIF[:6] + struct.pack("<HH", 30_000, 20_000) + GIF[10:]
    return BMP[:18] + struct.pack("<ii", 30_000, -20_000) + BMP[26:] + bytes(9)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF"])
def test_large_files_are_refused_by_their_header(kind):
    message = r"photo: a picture may have max_pixels=48000000 .*20000 x 30000 pixels \(h x w\) \(example 1"
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        decode(PNG, large(kind))


def test_the_limit_is_that_of_the_spec():
    preprocess = mm.preprocessor([mm.Image("photo", size=(4, 4), max_pixels=2400)])
    assert preprocess.get_layer("photo_preprocess").get_config()["max_pixels"] == 2400
    preprocess({"photo": tf.constant([PNG, JPEG, GIF, BMP])})
    small = mm.preprocessor([mm.Image("photo", size=(4, 4), max_pixels=2399)])
    for file in (PNG, JPEG, GIF, BMP):
        with pytest.raises(Exception, match="max_pixels=2399 .*40 x 60 pixels"):
            small({"photo": tf.constant([file])})
    with pytest.raises(ValueError, match="max_pixels of 'photo' may be 178956970 at most"):
        mm.Image("photo", max_pixels=200_000_000)
