"""JPEGs that are scaled down while they are decoded: to the same pixels in the graph and on a device."""

import io
import zipfile

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image as Pillow

import mmkeras as mm
from mmkeras import edge
from mmkeras.preprocess import DecodeImage

RNG = np.random.default_rng(0)
SIZE = 5, 7


def encoded(height, width, kind="JPEG", mode="RGB", **options):
    colours = Pillow.fromarray(RNG.integers(0, 256, (max(2, height // 9), max(2, width // 9), 3), "uint8"))
    file = io.BytesIO()
    colours.resize((width, height), Pillow.Resampling.BICUBIC).convert(mode).save(file, kind, **options)
    return file.getvalue()


def turned(orientation):
    tags = Pillow.Exif()
    tags[0x0112] = orientation
    return tags


def files():
    """Heights and widths that are no multiples of 8, of each ratio, in every kind of JPEG."""
    sizes = [(29, 200), (31, 43), (67, 85), (123, 171), (121, 400), (401, 377)]
    kinds = [{}, {"mode": "L"}, {"mode": "CMYK"}, {"progressive": True}, {"subsampling": 0, "restart_marker_rows": 1}]
    plain = [encoded(*size, **kind) for size in sizes for kind in kinds]
    return plain + [encoded(97, 203, exif=turned(orientation)) for orientation in range(1, 9)]


@pytest.mark.parametrize("resize", ["stretch", "pad", "crop"])
def test_a_device_reads_them_as_the_graph_does(resize):
    given = files()
    layer = DecodeImage(SIZE, resize=resize, name="photo_preprocess")
    graph = layer(tf.constant(given)).numpy().astype(int)
    device = np.concatenate([edge.Image("photo", size=SIZE, resize=resize)(file)["photo"] for file in given])
    assert np.abs(graph - device).max() <= 1 and (graph != device).mean() < 0.01


@pytest.mark.parametrize("height, width, ratio", [(29, 99, 1), (30, 42, 2), (59, 999, 2), (61, 84, 4), (121, 999, 8)])
def test_the_rule_is_three_times_the_size_of_the_result(height, width, ratio):
    file = encoded(height, width)
    decoded = tf.io.decode_jpeg(file, 3, ratio=ratio, dct_method="INTEGER_ACCURATE")
    scale = np.array(SIZE, "float32") * ratio / (height, width)
    expected = tf.raw_ops.ScaleAndTranslate(
        images=decoded[None], size=SIZE, scale=scale, translation=[0.0, 0.0], kernel_type="triangle"
    )
    photo = edge.Image("photo", size=SIZE)
    assert photo.ratio((height, width)) == ratio
    np.testing.assert_array_equal(DecodeImage(SIZE, name="photo")(tf.constant([file])), tf.round(expected))
    assert np.abs(photo(file)["photo"] - tf.round(expected)).max() <= 1


@pytest.mark.parametrize("resize", ["stretch", "pad", "crop"])
def test_it_hardly_differs_from_what_is_decoded_in_full(resize):
    """A PNG of the same pixels is never scaled while it is decoded."""
    large = encoded(245, 421, quality=100, subsampling=0)
    png = tf.io.encode_png(tf.io.decode_jpeg(large, 3, dct_method="INTEGER_ACCURATE")).numpy()
    pixels = DecodeImage((12, 10), resize=resize, name="photo")(tf.constant([large, png])).numpy().astype(int)
    apart = np.abs(pixels[0] - pixels[1])
    assert 0 < apart.max() <= 8 and apart.mean() < 2


def test_frames_of_a_clip_are_scaled_too():
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        for i, height in enumerate((35, 121, 401)):
            archive.writestr(f"{i}.jpg", encoded(height, 243))
    clip = memory.getvalue()
    spec = mm.Video("clip", frames=3, size=SIZE)
    theirs = mm.preprocessor([spec])({"clip": tf.constant([clip])})["clip"].numpy().astype(int)
    own = edge.Video("clip", frames=3, size=SIZE)(clip)["clip"]
    assert np.abs(own - theirs).max() <= 1


def test_damage_is_found_as_in_small_ones():
    cut = encoded(401, 377)
    cut = cut[:2] + b"\xff\xe1\x00\x06\xff\xd8\xff\xd9" + cut[2:-2000]  # with the end mark of a thumbnail
    with pytest.raises(ValueError, match="photo: a whole JPEG.* cut off or damaged"):
        edge.Image("photo", size=SIZE)(cut)
    with pytest.raises(tf.errors.InvalidArgumentError, match="photo: a picture is damaged"):
        DecodeImage(SIZE, name="photo")(tf.constant([cut]))


def test_a_device_holds_a_small_part_of_a_large_file(monkeypatch):
    """Of 4,800 x 6,400 pixels, 1/64 is decoded."""
    file, sizes, load = encoded(4800, 6400, mode="L"), [], Pillow.Image.convert
    monkeypatch.setattr(Pillow.Image, "convert", lambda self, mode: sizes.append(self.size) or load(self, mode))
    pixels = edge.Image("photo", size=(200, 200))(file)["photo"]
    assert sizes == [(800, 600)] and pixels.shape == (1, 200, 200, 3)
