import io
import struct

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

from mmkeras.preprocess.image import DecodeImage

RNG = np.random.default_rng(0)
BLURRED = Image.fromarray(RNG.integers(0, 256, (6, 9, 3), dtype=np.uint8)).resize((60, 40), Image.BICUBIC)  # 40 high
RGB = np.array(BLURRED)


def file_of(picture, kind="PNG", **options):
    picture = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def decode(*files, size=(40, 60), **options):
    return DecodeImage(size, name="photo", **options)(tf.constant(files)).numpy().astype(int)


def pillow(file, mode="RGB"):
    return np.array(Image.open(io.BytesIO(file)).convert(mode)).astype(int)


PNG, JPEG, GIF, BMP = (file_of(RGB, kind) for kind in ("PNG", "JPEG", "GIF", "BMP"))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP"])
def test_every_format_equals_pillow(kind):
    file = file_of(RGB, kind)
    np.testing.assert_array_equal(decode(file)[0], pillow(file))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP"])
def test_grey_files_and_grey_results(kind):
    file = file_of(BLURRED.convert("L"), kind)
    np.testing.assert_array_equal(decode(file)[0], pillow(file))
    np.testing.assert_array_equal(decode(file, channels=1)[0, :, :, 0], pillow(file, "L"))
    color = file_of(RGB, kind)
    np.testing.assert_array_equal(decode(color, channels=1)[0, :, :, 0], pillow(color, "L"))


def test_progressive_and_cmyk_jpeg():
    progressive, cmyk = file_of(RGB, "JPEG", progressive=True), file_of(BLURRED.convert("CMYK"), "JPEG")
    result = decode(progressive, cmyk)
    np.testing.assert_array_equal(result[0], pillow(progressive))
    assert np.abs(result[1] - pillow(cmyk)).max() <= 2


def test_palettes_of_png_and_bmp():
    palette = BLURRED.quantize(16)
    for file in (file_of(palette), file_of(palette, "BMP")):
        np.testing.assert_array_equal(decode(file)[0], pillow(file))


def test_sixteen_bit_png():
    values = np.arange(2400, dtype=np.uint16).reshape(40, 60) * 27
    np.testing.assert_array_equal(decode(file_of(values), channels=1)[0, :, :, 0], values >> 8)


def over_white(rgba):
    alpha = rgba[..., 3:] / 255
    return np.round(rgba[..., :3] * alpha + 255 * (1 - alpha))


def test_transparent_pngs_lie_on_white():
    rgba = np.dstack([RGB, RNG.integers(0, 256, (40, 60), dtype=np.uint8)])
    grey_alpha = Image.fromarray(rgba).convert("LA")
    palette = file_of(BLURRED.quantize(16), transparency=3)
    marked = file_of(RGB, transparency=tuple(int(v) for v in RGB[0, 0]))
    for file in (file_of(rgba), file_of(grey_alpha), palette, marked):
        expected = over_white(pillow(file, "RGBA"))
        assert (expected == 255).any()
        np.testing.assert_array_equal(decode(file)[0], expected)


def test_a_transparent_gif_lies_on_white():
    hole = BLURRED.quantize(16)
    file = file_of(hole, "GIF", transparency=3)
    expected = np.where((np.array(hole) == 3)[..., None], 255, pillow(file_of(hole, "GIF")))
    assert (np.array(hole) == 3).any()
    np.testing.assert_array_equal(decode(file)[0], expected)
    wide = file[:6] + struct.pack("<HH", 70, 45) + file[10:]  # the canvas is larger than the image
    (result,) = decode(wide, size=(45, 70))
    np.testing.assert_array_equal(result[:40, :60], expected)
    assert (result[40:] == 255).all() and (result[:, 60:] == 255).all()


def test_transparency_is_found_behind_other_chunks():
    from PIL import PngImagePlugin

    notes = PngImagePlugin.PngInfo()
    notes.add_text("Comment", "x" * 3000)
    file = file_of(BLURRED.quantize(16), transparency=3, pnginfo=notes, dpi=(72, 72))
    np.testing.assert_array_equal(decode(file)[0], over_white(pillow(file, "RGBA")))


def test_first_frame_of_an_animation():
    file = file_of(RGB, "GIF", save_all=True, append_images=[Image.new("RGB", (60, 40), "red")])
    np.testing.assert_array_equal(decode(file)[0], pillow(file))


def test_alpha_of_a_bmp_is_dropped():
    rows = np.dstack([RGB[::-1, :, ::-1], np.zeros((40, 60), np.uint8)]).tobytes()
    file = struct.pack("<2sIIIIiiHHIIiiII", b"BM", 54 + len(rows), 0, 54, 40, 60, 40, 1, 32, 0, len(rows), 0, 0, 0, 0)
    np.testing.assert_array_equal(decode(file + rows)[0], RGB)


def with_exif(orientation, order, before=b""):
    entries = [(0x010F, 2, 4, b"abc\0"), (0x0112, 3, 1, struct.pack(order + "HH", orientation, 0))]
    tiff = (
        (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8) + struct.pack(order + "H", len(entries))
    )
    tiff += b"".join(struct.pack(order + "HHI", *entry[:3]) + entry[3] for entry in entries) + bytes(4)
    segment = b"Exif\0\0" + tiff
    return JPEG[:2] + before + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + JPEG[2:]


@pytest.mark.parametrize("order", ["<", ">"])
def test_exif_orientations_equal_pillows(order):
    files = [with_exif(orientation, order) for orientation in range(1, 9)]
    for high, files_of_shape in (((40, 60), files[:4]), ((60, 40), files[4:])):
        expected = [np.array(ImageOps.exif_transpose(Image.open(io.BytesIO(file)))) for file in files_of_shape]
        np.testing.assert_array_equal(decode(*files_of_shape, size=high), expected)


def test_exif_behind_other_segments_and_of_nonsense():
    note = b"\xff\xe0\x00\x10JFIF\0\1\1\0\0\1\0\1\0\0\xff\xfe\x00\x05abc\xff"  # JFIF, a comment, a fill byte
    turned, nonsense = with_exif(3, ">", note), with_exif(77, "<")
    cut = JPEG[:2] + b"\xff\xe1\x00\x0aExif\0\0II" + JPEG[2:]
    upright = pillow(JPEG)
    np.testing.assert_array_equal(decode(turned, nonsense, cut), [upright[::-1, ::-1], upright, upright])


@pytest.mark.parametrize("size", [(20, 20), (33, 70), (90, 100)])
def test_stretch_equals_pillow_and_tensorflow(size):
    (result,) = decode(PNG, size=size)
    expected = np.array(BLURRED.resize(size[::-1], Image.BILINEAR)).astype(int)
    assert np.abs(result - expected).max() <= 2
    theirs = tf.round(tf.image.resize(RGB, size, antialias=True)).numpy()
    np.testing.assert_array_equal(result, theirs)


@pytest.mark.parametrize("size", [(32, 30), (15, 60), (64, 64)])
def test_pad_keeps_the_whole_picture(size):
    (result,) = decode(PNG, size=size, resize="pad")
    inside = (size[0], 60 * size[0] // 40) if 60 * size[0] <= 40 * size[1] else (40 * size[1] // 60, size[1])
    corner = (size[0] - inside[0]) // 2, (size[1] - inside[1]) // 2
    small = tf.image.resize(RGB, inside, antialias=True)
    expected = tf.image.pad_to_bounding_box(small, *corner, *size)
    assert np.abs(result - expected.numpy()).max() <= 1
    assert (result.sum(-1) == 0).any()


@pytest.mark.parametrize("size", [(32, 30), (15, 60), (64, 64)])
def test_crop_fills_from_the_centre(size):
    (result,) = decode(PNG, size=size, resize="crop")
    scale = max(size[0] / 40, size[1] / 60)
    around = [int(40 * scale + 1e-9), int(60 * scale + 1e-9)]
    large = np.array(BLURRED.resize(around[::-1], Image.BILINEAR)).astype(int)
    top, left = (around[0] - size[0]) // 2, (around[1] - size[1]) // 2
    assert np.abs(result - large[top : top + size[0], left : left + size[1]]).max() <= 2


def test_extreme_shapes_survive_every_mode():
    thin = file_of(np.full((1, 3000, 3), 200, np.uint8))
    for mode in ("stretch", "pad", "crop"):
        result = decode(thin, size=(8, 8), resize=mode)
        assert result.max() == 200 and result.shape == (1, 8, 8, 3)


@pytest.mark.parametrize("mode", ["stretch", "pad", "crop"])
def test_absent_pictures_are_zero_and_not_present(mode):
    layer = DecodeImage((20, 30), resize=mode, optional=True, name="photo")
    for files in ([b"", PNG, b""], [b"", GIF, b""]):
        pixels, present = layer(tf.constant(files))
        assert present.numpy().tolist() == [[False], [True], [False]]
        assert pixels.numpy()[::2].sum() == 0 and pixels.numpy()[1].max() > 0


REQUIRED = DecodeImage((40, 60), name="photo_preprocess")
REQUIRED_GRAPH = tf.function(REQUIRED, input_signature=[tf.TensorSpec([None], tf.string)])

LARGE = file_of(BLURRED.resize((400, 250)), "JPEG")  # scaled down while it is decoded
MIXED = [PNG, JPEG, GIF, BMP, LARGE, with_exif(6, "<"), file_of(np.dstack([RGB, RGB[:, :, :1]])), file_of(RGB[:9, :9])]


def test_eager_mapped_batched_and_single_are_equal_to_the_bit():
    data = tf.data.Dataset.from_tensor_slices([*MIXED, PNG, JPEG, PNG, PNG])
    batch = len(MIXED)  # the first batch is mixed, the second needs no conditional
    singles = np.concatenate(list(data.batch(1).map(REQUIRED).as_numpy_iterator()))
    mapped = np.concatenate(list(data.batch(batch).map(REQUIRED).as_numpy_iterator()))
    eager = np.concatenate([REQUIRED(files).numpy() for files in data.batch(batch)])
    np.testing.assert_array_equal(eager, mapped)
    np.testing.assert_array_equal(eager, singles)


TRANSPARENT = file_of(BLURRED.quantize(16), transparency=3)
BAD = {
    "nothing": (b"", "nothing came.*0 bytes.*optional=True"),
    "text": (b"hello there, you", "photo: a JPEG, PNG, GIF or BMP.*text.*16 bytes beginning with .*hello.*base64"),
    "short text": (b"hi", "looks like text"),
    "wav": (b"RIFF\x24\0\0\0WAVEfmt ", "WAV sound.*swapped"),
    "webp": (b"RIFF\x24\0\0\0WEBPVP8 ", "WebP.*name the file .webp: mmkeras.data reads it"),
    "noise": (b"\xfe\x01\x02\xff\xff123456789", "BMP file is needed[.] Received: 14 bytes"),
    "cut jpeg": (JPEG[:-200], "photo: the file is cut off"),
    "cut png": (PNG[:-200], "photo: the file is cut off"),
    "bmp": (BMP[:28] + struct.pack("<H", 4) + BMP[30:], "kind of BMP"),
    "bmp with other masks": (BMP[:28] + struct.pack("<HI", 32, 3) + BMP[34:], "kind of BMP"),
    "cut bmp": (BMP[:-200], "photo: the file is cut off"),
    "cut gif": (GIF[:-200], "photo: the file is cut off"),
    "jpeg of 12 bits": (JPEG[:162] + b"\x0c" + JPEG[163:], "photo: this kind of JPEG is not read"),
    "jpeg without a frame": (JPEG[:158] + b"\xff\xda" + JPEG[160:], "photo: the file is damaged: its header"),
    "png of no height": (PNG[:20] + bytes(4) + PNG[24:], "photo: the file is damaged: its header leads to no picture"),
    "zeros in a jpeg": (JPEG[:700] + bytes(100) + JPEG[800:], "photo: the JPEG is damaged: a part .* with zeros"),
    "transparency of a png": (TRANSPARENT.replace(b"tRNS\xff", b"tRNS\xfe"), "photo: the PNG is damaged: its transp"),
    "spoiled gif": (GIF[:-300] + b"\xff" * 290 + GIF[-10:], "photo"),
}


@pytest.mark.parametrize("name", BAD)
def test_wrong_files_are_refused_by_name(name):
    file, message = BAD[name]
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        REQUIRED(tf.constant([PNG, file]))
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        REQUIRED_GRAPH(tf.constant([PNG, file]))


def test_damage_inside_names_the_modality_eager_and_mapped():
    damaged = PNG[:60] + bytes(40) + PNG[100:]
    with pytest.raises(tf.errors.InvalidArgumentError, match="photo: a picture is damaged"):
        REQUIRED(tf.constant([damaged]))
    with pytest.raises(tf.errors.InvalidArgumentError, match="photo"):
        REQUIRED_GRAPH(tf.constant([damaged]))


def test_a_cut_jpeg_with_a_thumbnail_is_still_refused():
    cut = JPEG[:2] + b"\xff\xe1\x00\x06\xff\xd8\xff\xd9" + JPEG[2:-200]
    with pytest.raises(tf.errors.InvalidArgumentError, match="photo: a picture is damaged"):
        decode(cut)


def test_bytes_after_the_end_are_no_damage():
    np.testing.assert_array_equal(decode(JPEG + b"trailer", PNG + b"trailer"), decode(JPEG, PNG))


@pytest.mark.parametrize("options", [{"resize": "squeeze"}, {"channels": 4}])
def test_wrong_arguments(options):
    with pytest.raises(ValueError, match=r"Received: .*'photo'"):
        DecodeImage((4, 4), name="photo", **options)


def test_keras_file_round_trip(tmp_path):
    photo = keras.Input((), dtype="string", name="photo")
    pixels, present = DecodeImage((20, 30), channels=1, resize="pad", optional=True, name="photo_preprocess")(photo)
    assert pixels.shape == (None, 20, 30, 1) and pixels.dtype == "uint8" and present.dtype == "bool"
    model = keras.Model(photo, [pixels, present])
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    assert loaded.get_layer("photo_preprocess").get_config() == model.get_layer("photo_preprocess").get_config()
    files = tf.constant([PNG, b""])
    for ours, theirs in zip(model(files), loaded(files), strict=True):
        np.testing.assert_array_equal(ours, theirs)
