import io
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import mmkeras as mm
from mmkeras import edge
from mmkeras.data.files.clips import as_clip
from mmkeras.edge.gif import pictures as counted
from mmkeras.preprocess import DecodeImage, DecodeVideo
from mmkeras.preprocess.gif import blocks

FRAMES = np.random.default_rng(0).integers(0, 256, (7, 6, 9, 3), "uint8")


def picture(pixels, kind="PNG", **options):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def zipped(files, method=zipfile.ZIP_STORED, folder=False):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        if folder:
            archive.writestr("frames/", b"")
        for i, file in enumerate(files):
            archive.writestr(f"frames/{i}", file)
    return buffer.getvalue()


def gif(frames, **options):
    buffer, (first, *others) = io.BytesIO(), [Image.fromarray(frame) for frame in frames]
    first.save(buffer, "GIF", save_all=True, append_images=others, **options)
    return buffer.getvalue()


def zip64():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive, archive.open("0.png", "w", force_zip64=True) as member:
        member.write(picture(FRAMES[0]))
    return buffer.getvalue()


def data_of(file):
    """Where the data of the GIF's last picture begin: the length of its first sub-block."""
    at = file.rindex(b",\0\0\0\0") + 9
    return at + 2 + (3 << (file[at] % 8 + 1) if file[at] >= 128 else 0)


def spoiled(file):
    """The file's last picture cannot be decoded, though its blocks are as they were."""
    at = data_of(file) + 1
    return file[:at] + b"\xff" * 30 + file[at + 30 :]


def decode(*files, frames=4, size=(6, 9), optional=True, **options):
    pixels, mask = DecodeVideo(frames, size=size, optional=optional, name="clip_preprocess", **options)(
        tf.constant(files)
    )
    return pixels.numpy(), mask.numpy()


CLIP = zipped([picture(frame) for frame in FRAMES])


def test_frames_are_drawn_evenly_and_keep_their_order():
    pixels, mask = decode(CLIP)
    np.testing.assert_array_equal(pixels[0], FRAMES[[0, 2, 4, 6]])  # floor((2i + 1) 7 / 8)
    assert mask.all()


def test_a_short_clip_is_masked_behind_its_end_and_an_absent_one_altogether():
    pixels, mask = decode(zipped([picture(frame) for frame in FRAMES[:3]], folder=True), b"")
    np.testing.assert_array_equal(pixels[0], [*FRAMES[:3], np.zeros_like(FRAMES[0])])
    assert mask.tolist() == [[True, True, True, False], [False] * 4]
    assert not pixels[1].any()


def test_a_gif_lays_its_frames_over_each_other():
    file = gif(np.repeat(FRAMES[..., :1], 3, axis=-1))
    pixels, mask = decode(file, CLIP, b"", gif(FRAMES[:2]))
    np.testing.assert_array_equal(pixels[0], tf.io.decode_gif(file).numpy()[[0, 2, 4, 6]])
    np.testing.assert_array_equal(pixels[1], FRAMES[[0, 2, 4, 6]])  # the rest of the batch is not affected
    assert mask.sum(1).tolist() == [4, 4, 0, 2]
    assert not pixels[2].any() and not pixels[3, 2:].any()


def test_pictures_of_a_gif_are_counted_by_its_blocks():
    large = np.random.default_rng(1).integers(0, 256, (2, 150, 170), "uint8")  # more than 64 sub-blocks of 255 bytes
    files = [gif(FRAMES), gif(large), gif(FRAMES[:1]) + b"behind; its end,", b"", gif(large)[:-300] + b";"]
    found = blocks(tf.constant(files), tf.constant([file != b"" for file in files]))
    assert found.count.numpy()[:4].tolist() == [7, 2, 1, 0]
    assert found.broken.numpy().tolist() == [False, False, False, False, True]
    tiny = gif(FRAMES[:1])
    at = data_of(tiny)
    small = b"".join(b"\1" + tiny[i : i + 1] for i in range(at + 1, at + 1 + tiny[at]))  # sub-blocks of one byte each
    assert tiny[at + 1 + tiny[at] :] == b"\0;"
    np.testing.assert_array_equal(decode(tiny[:at] + small + b"\0;" + b"behind")[0], decode(tiny)[0])
    files = [tiny, gif(FRAMES), gif(large)]
    assert [len(counted(file)[1]) for file in files] == [1, 7, 2]


@pytest.mark.parametrize("resize", ["stretch", "pad", "crop"])
def test_frames_are_scaled_as_pictures_are(resize):
    files = [picture(FRAMES[0]), picture(FRAMES[1], "JPEG"), picture(np.kron(FRAMES[2], np.ones((2, 3, 1), "uint8")))]
    options = {"size": (5, 4), "channels": 1, "resize": resize}
    pictures = DecodeImage(name="photo", **options)(tf.constant(files)).numpy()
    np.testing.assert_array_equal(decode(zipped(files), frames=3, **options)[0][0], pictures)
    still = gif(FRAMES[:1])
    np.testing.assert_array_equal(
        decode(still, frames=1, **options)[0][0], DecodeImage(name="photo", **options)(tf.constant([still])).numpy()
    )


def test_config_and_dynamic_batch():
    model = mm.preprocessor([mm.Video("clip", frames=4, size=(6, 9), optional=True)])
    clone = keras.Model.from_config(model.get_config())
    graph = tf.function(lambda x: clone({"clip": x}), input_signature=[tf.TensorSpec([None], tf.string)])
    for files in ([CLIP], [b"", gif(FRAMES), CLIP], [b"", b""]):
        pixels, mask = decode(*files)
        np.testing.assert_array_equal(graph(tf.constant(files))["clip"], pixels)
        np.testing.assert_array_equal(graph(tf.constant(files))["clip_mask"], mask)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([CLIP, b""], r"clip: a GIF, or a ZIP .*nothing came. Received: 0 bytes \(example 1 of the batch\).*optional"),
        ([b"\0\0\0\x20ftypisom"], "this is a video of another kind. Received: 12 bytes .*mmkeras.data makes"),
        ([b"RIFF....AVI LIST"], "a video of another kind"),
        ([picture(FRAMES[0])], "this is a picture.*swapped"),
        ([b"clips/1.gif"], "this looks like text"),
        ([b"\x80" * 20], "stored JPEG or PNG frames, is needed. Received: 20 bytes"),
        ([gif(FRAMES)[:-20]], "the GIF is cut off"),
        ([zipped([picture(FRAMES[0])], zipfile.ZIP_DEFLATED)], "must be stored in the ZIP file.*zip -0"),
        ([CLIP, CLIP[: len(CLIP) // 2]], r"the ZIP file is cut off or damaged. Received: .*\(example 1 of the batch\)"),
        ([zipped([])], "holds no frames"),
        (
            [CLIP, zipped([picture(FRAMES[0]), b"not a picture at all"])],
            r"clip: a JPEG, PNG, GIF or BMP file is needed; this looks like text. Received: 20 bytes beginning with"
            r".*not a picture at.* \(number 1 of the frames taken, example 1 of the batch\)",
        ),
        ([zipped([picture(FRAMES[0])[:-30]])], "clip: the file is cut off"),
        ([b"GIF89a" + b"\x80" * 40 + b";"], "clip: the GIF is cut off or damaged"),
        ([gif(FRAMES)[: int(len(gif(FRAMES)) * 0.6)] + b";"], "clip: the GIF is cut off or damaged"),
        ([b"GIF89a" + bytes(7) + b";"], "clip: the GIF is cut off or damaged"),
        ([CLIP, spoiled(gif(FRAMES))], r"clip: a GIF is damaged.*, 6 of 7 frames \(example 1"),
        ([CLIP, spoiled(gif(FRAMES[:1]))], "clip: a GIF is damaged"),
        ([zipped([picture(FRAMES[0]), b""])], r"clip: a member of the ZIP file is empty \(0 bytes\)"),
        ([zip64()], "clip: the ZIP file has members in the ZIP64 format.*zip -fz-"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(files, message):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        decode(*files, optional=False)


def altered(file, frame):
    """The clip with another pixel in one of its frames, which is stored without compression and without a check."""
    at = file.index(frame) + len(frame) - 2
    return file[:at] + bytes([file[at] ^ 16]) + file[at + 1 :]


def test_checksums_of_the_frames_that_are_taken_are_checked():
    frames = [picture(frame, "BMP") for frame in FRAMES]
    file = zipped(frames)
    rule = "clip: a frame in the ZIP file is damaged: its checksum is wrong"
    device = edge.Video("clip", frames=4, size=(6, 9))
    for i in (0, 2, 4, 6):
        with pytest.raises(tf.errors.InvalidArgumentError, match=rf"{rule}.*\(example 1 of the batch\)"):
            decode(b"", altered(file, frames[i]))
        with pytest.raises(ValueError, match=rule):
            device(altered(file, frames[i]))
        with pytest.raises(ValueError, match=f"clip: the checksum of a frame must be right.*with frames/{i}"):
            as_clip("clip", altered(file, frames[i]), 4)
    unseen = altered(file, frames[1])
    for pixels in (decode(unseen)[0], device(unseen)["clip"], decode(as_clip("clip", unseen, 4))[0]):
        np.testing.assert_array_equal(pixels[0], FRAMES[[0, 2, 4, 6]])


def test_a_damaged_directory_at_the_end_of_a_zip_file_does_not_count():
    for file in (CLIP[:-9], CLIP[:-22] + bytes(22), CLIP.replace(b"PK\1\2", b"PK\5\6")):
        assert as_clip("clip", file, 4) == file
        for pixels in (decode(file)[0], edge.Video("clip", frames=4, size=(6, 9))(file)["clip"]):
            np.testing.assert_array_equal(pixels[0], FRAMES[[0, 2, 4, 6]])


def test_clips_of_too_many_pixels_are_refused():
    options = {"optional": False, "max_pixels": 54}
    decode(CLIP, gif(FRAMES[:4]), **options)  # 4 frames of 6 x 9 pixels
    many = r"clip: a frame may have max_pixels=54 .* GIF 216 together.*, 7 frames of 6 x 9 pixels .*example 1"
    with pytest.raises(tf.errors.InvalidArgumentError, match=many):
        decode(CLIP, gif(FRAMES), **options)
    for file in (CLIP, gif(FRAMES[:1])):
        with pytest.raises(tf.errors.InvalidArgumentError, match="clip: a .* may have max_pixels=53 .*6 x 9 pixels"):
            decode(file, optional=False, max_pixels=53)


def test_what_a_gif_leaves_open_is_white():
    hole = Image.fromarray(np.arange(54, dtype=np.uint8).reshape(6, 9) % 4, "P")
    hole.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255])
    buffer = io.BytesIO()
    hole.save(buffer, "GIF", transparency=0)
    (frame, *_), _ = decode(buffer.getvalue())[0][0], None
    assert (frame.reshape(-1, 3)[::4] == 255).all() and (frame.reshape(-1, 3)[1] == [255, 0, 0]).all()


def test_wrong_arguments():
    with pytest.raises(ValueError, match="frames must be at least 1. Received: frames=0 in 'clip'"):
        DecodeVideo(0, size=(4, 4), name="clip_preprocess")
    with pytest.raises(ValueError, match="frames of 'clip' must be positive"):
        mm.Video("clip", frames=0)
    for frames in (2.5, "4", True):
        with pytest.raises(ValueError, match=f"frames of 'clip' must be a whole number. Received: frames={frames!r}"):
            mm.Video("clip", frames=frames)
    with pytest.raises(ValueError, match="height of 'clip' must be a whole number. Received: height=4.5"):
        mm.Video("clip", size=(4.5, 3))
    with pytest.raises(ValueError, match="height of 'clip' must be a whole number"):
        mm.Video("clip", size="43")
