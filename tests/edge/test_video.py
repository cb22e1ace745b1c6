"""Frames that a device prepares are those that `preprocess` prepares."""

import contextlib
import io
import json
import struct
import zipfile

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image as Pillow

import mmkeras as mm
from mmkeras import edge
from mmkeras.export._litert.package.describe import describe

RNG = np.random.default_rng(0)
SMOOTH = [Pillow.fromarray(RNG.integers(0, 256, (5, 7, 4), "uint8")).resize((43, 31)) for _ in range(7)]


def encoded(picture, kind, **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def gif(frames, **options):
    return encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=40, **options)


def zipped(files, method=zipfile.ZIP_STORED, comment=b""):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.comment = comment
        archive.writestr("frames/", b"")
        for i, file in enumerate(files):
            archive.writestr(f"frames/{i}", file)
    return buffer.getvalue()


def zip64():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive, archive.open("0.png", "w", force_zip64=True) as member:
        member.write(b"a")
    return buffer.getvalue()


def clips():
    rgb = [frame.convert("RGB") for frame in SMOOTH]
    holes = [Pillow.fromarray(np.where(RNG.random((31, 43, 1)) < 0.3, 0, np.asarray(frame))) for frame in SMOOTH]
    kinds = ("PNG", "JPEG", "BMP", "GIF", "PNG", "JPEG", "PNG")
    return [
        zipped([encoded(frame, kind) for frame, kind in zip(rgb, kinds, strict=True)], comment=b"a comment"),
        zipped([encoded(frame, "PNG") for frame in SMOOTH[:2]]), zipped([encoded(rgb[0].resize((9, 6)), "PNG")]), b"",
        gif(rgb), gif(rgb[:2]), gif([frame.convert("L") for frame in rgb]), gif(rgb, optimize=True) + b"behind",
        *[gif(holes, disposal=disposal) for disposal in (0, 1, 2, 3)],
    ]  # fmt: skip


@pytest.mark.parametrize(("resize", "channels"), [("stretch", 3), ("pad", 3), ("crop", 1)])
def test_frames_are_the_same_within_one_level(resize, channels):
    model = mm.preprocessor([mm.Video("clip", frames=4, size=(6, 9), channels=channels, resize=resize, optional=True)])
    prepare = edge.Preprocess(json.loads(json.dumps(describe(model, [])))["inputs"])
    files = clips()
    theirs = model({"clip": tf.constant(files)})
    for i, file in enumerate(files):
        own = prepare({"clip": file})
        assert (own["clip"].shape, own["clip"].dtype) == ((1, 4, 6, 9, channels), np.uint8)
        assert np.abs(own["clip"][0].astype(int) - theirs["clip"][i]).max() <= 1, i
        assert np.array_equal(own["clip_mask"][0], theirs["clip_mask"][i])
    assert theirs["clip_mask"].numpy().sum(1).tolist() == [4, 2, 1, 0, 4, 2, 4, 4, 4, 4, 4, 4]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "clip: a video is needed. Received: none"),
        (b"\0\0\0\x20ftypisom", "clip: a GIF, or a ZIP file of stored JPEG or PNG frames, is needed. Received: 12"),
        ("a.gif", "Received: str"),
        (gif(SMOOTH)[:-50], "clip: a whole GIF is needed.*cut off"),
        (gif(SMOOTH)[:3000] + b";", "clip: a whole GIF is needed.*cut off or damaged"),
        (b"GIF89a", "clip: a whole GIF is needed"),
        (b"GIF89a" + bytes(7) + b";", "clip: a whole GIF is needed.*holds no picture"),
        (zipped([encoded(SMOOTH[0], "PNG"), b""]), "clip: a member of the ZIP file is empty .*frames/1"),
        (zip64(), "clip: the ZIP file has members in the ZIP64 format"),
        (b"GIF89a" + b"\x80" * 30 + b";", "clip: a whole GIF is needed"),
        (zipped([b"a" * 99], zipfile.ZIP_DEFLATED), "clip: the frames must be stored.*method 8"),
        (zipped([encoded(SMOOTH[0], "PNG")])[:200], "clip: the ZIP file is cut off"),
        (zipped([]), "clip: the ZIP file holds no frames"),
        (zipped([b"no picture"]), "clip: a whole JPEG, PNG, GIF or BMP file is needed"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(value, message):
    with pytest.raises(ValueError, match=message):
        edge.Video("clip", frames=2, size=(4, 4))(value)


def test_clips_of_too_many_pixels_are_refused():
    rgb = [frame.convert("RGB") for frame in SMOOTH]  # 31 x 43 pixels
    clip = zipped([encoded(frame, "PNG") for frame in rgb])
    prepare = edge.Video("clip", frames=2, size=(4, 4), max_pixels=31 * 43)
    for file in (clip, gif(rgb[:4])):
        prepare(file)
    with pytest.raises(ValueError, match="clip: the frames of a GIF may have 4 .* Received: 7 frames of 31 x 43"):
        prepare(gif(rgb))
    for file in (clip, gif(rgb[:2])):
        with pytest.raises(ValueError, match="clip: a picture may have max_pixels=1332 .*Received: 31 x 43 pixels"):
            edge.Video("clip", frames=2, size=(4, 4), max_pixels=1332)(file)


def test_of_damaged_gifs_a_device_takes_none_that_the_graph_refuses():
    """Pillow refuses some spoiled pixels that the graph's decoder takes; of all others they say the same."""
    whole, random = gif(SMOOTH[:3]), np.random.default_rng(2)
    decode, prepare = (
        mm.preprocess.DecodeVideo(3, size=(4, 4), name="clip_preprocess"),
        edge.Video("clip", frames=3, size=(4, 4)),
    )
    for number in range(24):
        at = int(random.integers(6, len(whole)))
        file = whole[:at] + (b";" if number % 2 else bytes([whole[at] ^ 255]) + whole[at + 1 :])
        with contextlib.suppress(ValueError):
            own = prepare(file)["clip"].astype(int)
            assert np.abs(own - decode(tf.constant([file]))[0]).max() <= 1, at


@pytest.mark.parametrize("error", [IndexError("index out of range"), struct.error("unpack requires 2 bytes")])
def test_whatever_pillow_raises_of_a_gif_becomes_a_value_error(monkeypatch, error):
    file = gif(SMOOTH[:2])

    def fail(*_, **__):
        raise error

    monkeypatch.setattr(Pillow, "open", fail)
    for prepare in (edge.Video("clip", frames=2, size=(4, 4)), edge.Image("clip", size=(4, 4))):
        with pytest.raises(ValueError, match=f"clip: a whole .*{error}"):
            prepare(file)
