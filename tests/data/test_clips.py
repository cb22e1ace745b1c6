"""Everything that can be a clip becomes one that `DecodeVideo` takes."""

import io
import sys
import tarfile
import types
import zipfile
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from PIL import Image

import mmkeras as mm
from mmkeras.data.files.clips import as_clip, clip_of_pixels, needs_frames

SPEC = mm.Video("clip", frames=4, size=(6, 9), optional=True)
FRAMES = np.random.default_rng(0).integers(0, 256, (11, 6, 9, 3), "uint8")
TAKEN = FRAMES[[1, 4, 6, 9]]  # floor((2i + 1) 11 / 8)


def picture(pixels, kind="PNG", **options):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


FILES = {f"frame{i}.png": picture(frame) for i, frame in enumerate(FRAMES)}  # frame10 comes after frame9


def animated(kind, **options):
    first, *others = [Image.fromarray(frame) for frame in FRAMES]
    buffer = io.BytesIO()
    first.save(buffer, kind, save_all=True, append_images=others, duration=50, **options)
    return buffer.getvalue()


def zipped(method=zipfile.ZIP_STORED, files=FILES):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def tarred(mode):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, content in [*FILES.items(), ("._frame0.png", b"junk"), ("notes.txt", b"junk")]:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def frames_of(clip):
    pixels, mask = mm.preprocess.DecodeVideo(SPEC.frames, size=SPEC.size, name="clip_preprocess")(tf.constant([clip]))
    return pixels.numpy()[mask.numpy()]


def table(values, root, spec=SPEC, **options):
    return mm.data.from_dataframe(pd.DataFrame({"clip": values}), [spec], root=root, **options)


def ready(raw, spec=SPEC):
    batches = mm.data.eval_batches(raw, mm.preprocessor([spec]), [], batch_size=16)
    return next(batches.as_numpy_iterator())


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "frames").mkdir()
    for name, content in FILES.items():
        (tmp_path / "frames" / name).write_bytes(content)
    (tmp_path / "frames" / "notes.txt").write_text("no frame")
    contents = {"a.gif": animated("GIF"), "a.png": animated("PNG"), "a.webp": animated("WEBP", lossless=True)}
    contents |= {"deflated.zip": zipped(zipfile.ZIP_DEFLATED), "a.tar": tarred("w"), "a.tar.gz": tarred("w:gz")}
    contents |= {"stored.zip": zipped(files={f"{i:02d}.png": content for i, content in enumerate(FILES.values())})}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "all.zip").write_bytes(zipped(files={"inner/" + name: content for name, content in FILES.items()}))
    return tmp_path


def test_every_kind_of_clip_gives_the_same_frames(folder, monkeypatch):
    monkeypatch.setenv("MMKERAS_CACHE", str(folder / "cache"))
    names = ["frames", "a.png", "a.webp", "deflated.zip", "a.tar", "a.tar.gz", "stored.zip", "all.zip/inner"]
    batch = ready(table([*names, None, "a.gif", (folder / "a.webp").read_bytes()], folder))
    for name, pixels in zip(names, batch["clip"], strict=False):
        np.testing.assert_array_equal(pixels, TAKEN, name)
    np.testing.assert_array_equal(batch["clip"][-1], TAKEN)
    assert batch["clip_mask"].sum(1).tolist() == [4] * 8 + [0, 4, 4]
    assert not (folder / "cache" / "deflated.zip").exists()  # a clip is read in place, not extracted


def test_what_the_graph_can_decode_is_not_touched(folder):
    for name in ("a.gif", "stored.zip"):
        content = (folder / name).read_bytes()
        assert as_clip("clip", str(folder / name), 4) == content
        assert not needs_frames(content)
    assert needs_frames((folder / "deflated.zip").read_bytes())
    graph = table(["a.gif"], folder)._examples
    assert "PyFunc" not in str(tf.raw_ops.DatasetToGraphV2(input_dataset=graph._variant_tensor))


def test_pictures_within_a_folder_keep_their_bytes(folder):
    for name in ("frame2.png", "frame10.png"):  # at least half of the remaining frames are still PNG
        (folder / "frames" / name).unlink()
    (folder / "frames" / "frame0.png").write_bytes(picture(FRAMES[0], "WEBP", lossless=True))
    with zipfile.ZipFile(io.BytesIO(as_clip("clip", str(folder / "frames"), 99))) as clip:
        contents = [clip.read(name) for name in clip.namelist()]
    assert contents[1:] == [FILES[f"frame{i}.png"] for i in (1, 3, 4, 5, 6, 7, 8, 9)]
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(contents[0])).convert("RGB")), FRAMES[0])


def test_faults_name_row_and_file(folder):
    (folder / "empty").mkdir()
    (folder / "cut.webp").write_bytes((folder / "a.webp").read_bytes()[:60])
    (folder / "cut.gif").write_bytes((folder / "a.gif").read_bytes()[:-50])
    (folder / "none.gif").write_bytes(b"")
    with pytest.raises(ValueError, match=r"row 1, 'clip', .*lost.gif: there is no such file"):
        table(["a.gif", "lost.gif"], folder)
    raw = table(["a.gif", "empty", "cut.webp", "cut.gif", "frames", "none.gif"], folder, on_error="skip")
    batches = mm.data.eval_batches(raw, mm.preprocessor([SPEC]), [], batch_size=8)
    assert [len(batch["clip"]) for batch in batches.as_numpy_iterator()] == [2]
    empty, webp, gif, none = batches.skipped
    assert empty.row == 1 and "must hold its frames as pictures" in empty.cause
    assert webp.row == 2 and "a clip must be whole" in webp.cause
    assert gif.row == 3 and "the GIF is cut off" in gif.cause
    assert none.row == 5 and "the file is empty" in none.cause


def test_movies_need_pyav_and_say_so(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    (folder / "a.mp4").write_bytes(b"\0\0\0\x20ftypisom")
    with pytest.raises(ImportError, match=r"clip: movies are decoded by PyAV.*a.mp4.*pip install 'mmkeras\[video\]'"):
        table(["a.mp4"], folder)
    with pytest.raises(ImportError, match="12 bytes beginning with"):
        table([b"\0\0\0\x20ftypisom"], folder)


class FakeMovie:
    """What `clips` uses of PyAV: eleven packets, a hidden and an empty one behind them, and as many frames as said."""

    def __init__(self, frames=11):
        self.frames = frames
        context = types.SimpleNamespace(width=9, height=6)
        self.streams = types.SimpleNamespace(video=[types.SimpleNamespace(codec_context=context)])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def demux(self, video):
        return [FakePacket(first) for first in [b"\x11"] * 11 + [b"\1", b""]]

    def decode(self, video):
        smooth = [np.full((6, 9, 3), 20 * i, "uint8") for i in range(self.frames)]
        return [types.SimpleNamespace(to_image=lambda p=p: Image.fromarray(p), rotation=90) for p in smooth]


class FakePacket(bytes):
    """Of VP8, whose fifth bit says whether the frame is shown."""

    size = property(len)
    stream = types.SimpleNamespace(codec_context=types.SimpleNamespace(name="vp8"))


def test_a_movie_of_which_frames_are_lost_is_not_taken_for_a_shorter_one(monkeypatch):
    error = type("FFmpegError", (Exception,), {})
    monkeypatch.setattr("importlib.util.find_spec", lambda name: True)
    for frames in (5, 0):
        fake = types.SimpleNamespace(open=lambda file, frames=frames: FakeMovie(frames), FFmpegError=error)
        monkeypatch.setitem(sys.modules, "av", fake)
        with pytest.raises(ValueError, match="clip: a clip must be whole. Received: .*not all of its 11 frames"):
            as_clip("clip", b"\0\0\0\x20ftypisom", 4)


def test_frames_of_a_movie_are_drawn_evenly_and_turned_upright(monkeypatch):
    monkeypatch.setitem(sys.modules, "av", types.SimpleNamespace(open=lambda file: FakeMovie()))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: True)
    with zipfile.ZipFile(io.BytesIO(as_clip("clip", b"\0\0\0\x20ftypisom", 4))) as clip:
        pictures = [Image.open(io.BytesIO(clip.read(name))) for name in clip.namelist()]
    assert [(p.format, p.size) for p in pictures] == [("JPEG", (6, 9))] * 4
    assert [round(float(np.mean(p)) / 20) for p in pictures] == [1, 4, 6, 9]


def test_a_real_movie(tmp_path):
    av = pytest.importorskip("av", reason="PyAV is an extra")
    with av.open(str(tmp_path / "a.mp4"), "w") as file:
        stream = file.add_stream("mpeg4", rate=Fraction(10))
        stream.width, stream.height = 64, 48
        for i in range(11):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 20 * i, "uint8"), format="rgb24")
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    batch = ready(table(["a.mp4"], tmp_path))
    assert np.abs(batch["clip"].mean((2, 3, 4))[0] - [20, 80, 120, 180]).max() < 6


def test_decoded_pixels_of_other_data_sets():
    pixels = {"clip": [FRAMES, FRAMES]}
    raw = mm.data.from_dataset(tf.data.Dataset.from_tensor_slices(pixels), [SPEC])
    pixels, mask = (value.numpy() for value in mm.preprocessor([SPEC])(next(iter(raw.batch(2)))).values())
    np.testing.assert_array_equal(pixels, [TAKEN, TAKEN])
    assert mask.all()
    assert clip_of_pixels(FRAMES[:0]) == b""
    files = tf.data.Dataset.from_tensor_slices({"clip": [animated("PNG"), b""]})
    raw = list(mm.data.from_dataset(files, [SPEC]).as_numpy_iterator())
    assert raw[0]["clip"][:2] == b"PK" and raw[1]["clip"] == b""
    with pytest.raises(ValueError, match=r"needs frames \(N, H, W, C\) of uint8"):
        mm.data.from_dataset(tf.data.Dataset.from_tensor_slices({"clip": FRAMES}), [SPEC])


def test_tfrecords_hold_what_the_graph_decodes(folder):
    pattern = str(folder / "train-*.tfrecord")
    mm.data.write_tfrecord(table(["frames", "a.gif"], folder), [SPEC], [], pattern, verbose=False)
    batch = ready(mm.data.from_tfrecord(pattern, [SPEC]))
    np.testing.assert_array_equal(batch["clip"][0], TAKEN)


def test_a_changed_frame_is_noticed(folder):
    from mmkeras.data.batches.fingerprint import fingerprint

    preprocess = mm.preprocessor([SPEC])
    before = fingerprint(table(["frames"], folder), preprocess, [])
    (folder / "frames" / "frame0.png").write_bytes(picture(FRAMES[0], compress_level=0))
    assert fingerprint(table(["frames"], folder), preprocess, []) != before


def test_a_stored_zip_is_brought_into_the_order_of_its_names():
    by_glob = {name: FILES[name] for name in sorted(FILES)}  # 10 before 2
    clip = as_clip("clip", zipped(files=by_glob), 4)
    np.testing.assert_array_equal(frames_of(clip), TAKEN)
    unnamed = zipped(files={name[5:-4]: content for name, content in by_glob.items()})
    np.testing.assert_array_equal(frames_of(as_clip("clip", unnamed, 4)), TAKEN)


def test_of_a_stored_zip_only_the_pictures_count():
    few = {f"{i}.png": FILES[f"frame{i}.png"] for i in range(3)}
    others = {"notes.txt": b"no frame", "__MACOSX/._0.png": b"\0\5\x16\7", "empty.txt": b"", "folder.png/": b""}
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        np.testing.assert_array_equal(frames_of(as_clip("clip", zipped(method, few | others), 4)), FRAMES[:3])
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in few.items():
            with archive.open(name, "w", force_zip64=True) as member:
                member.write(content)
    np.testing.assert_array_equal(frames_of(as_clip("clip", buffer.getvalue(), 4)), FRAMES[:3])


def test_names_are_sorted_by_their_words_and_then_their_numbers(tmp_path):
    order = ["1.png", "01.png", "2.png", "10.png", "a_1.png", "bb_2.png", "intro_1.png", "z_1.png"]
    for files in (sorted(order), order, order[::-1]):
        clip = zipped(zipfile.ZIP_DEFLATED, {name: FILES[f"frame{order.index(name)}.png"] for name in files})
        with zipfile.ZipFile(io.BytesIO(as_clip("clip", clip, 8))) as archive:
            contents = [archive.read(name) for name in archive.namelist()]
        assert contents == [FILES[f"frame{i}.png"] for i in (1, 0, 2, 3, 4, 5, 6, 7)]  # 01 before 1


def test_faults_of_folders_and_archives_name_the_modality_the_file_and_the_member(folder):
    (folder / "frames" / "frame2.png").write_bytes(b"")
    deflated, last = bytearray((folder / "deflated.zip").read_bytes()), max(FILES)
    deflated[deflated.index(b"frame9.png") + 20] ^= 255
    (folder / "deflated.zip").write_bytes(deflated)
    (folder / "words").mkdir()
    (folder / "words" / "1.png").write_bytes(b"no picture")
    (folder / "a.tar.xz").write_bytes(b"\xfd7zXZ" + b"\0" * 50)
    (folder / "empty.zip").write_bytes(zipped(files={"0.png": FILES[last], "1.png": b""}))
    head, directory = zipped(zipfile.ZIP_DEFLATED).split(b"PK\1\2", 1)
    (folder / "renamed.zip").write_bytes(head + b"PK\1\2" + directory.replace(b"frame3.png", b"frame3\0png"))
    (folder / "fewer.zip").write_bytes(head + b"PK\1\2" + directory[:29] + b"\x10" + directory[30:])
    tar, last_header = tarred("w"), tarred("w").index(b"frame9.png")
    (folder / "header.tar").write_bytes(tar[:last_header] + b"F" + tar[last_header + 1 :])
    (folder / "cut.tar").write_bytes(tar[:last_header])
    expected = {
        "frames": "a frame must not be empty. Received: .*frames with frame2.png of 0 bytes",
        "deflated.zip": "a clip must be whole. Received: .*deflated.zip: frame9.png: ",
        "renamed.zip": "a clip must be whole. Received: .*renamed.zip: File name in directory 'frame3",
        "fewer.zip": "a clip must be whole. Received: .*fewer.zip: its directory lists 1 members instead of 11",
        "header.tar": "a clip must be whole. Received: .*header.tar: its members end at byte .* without an "
        "end-of-archive marker",
        "cut.tar": "a clip must be whole. Received: .*cut.tar: its members end at byte .* without an end-of-archive "
        "marker",
        "words": "a clip must be whole. Received: .*words: 1.png: cannot identify",
        "a.tar.xz": "a clip must be whole. Received: .*a.tar.xz: ",
        "empty.zip": "a frame must not be empty. Received: .*empty.zip with 1.png of 0 bytes",
    }
    for name, message in expected.items():
        with pytest.raises(ValueError, match=f"^clip: {message}"):
            as_clip("clip", str(folder / name), 99)
    batches = mm.data.eval_batches(table([*expected, "a.gif"], folder, on_error="skip"), mm.preprocessor([SPEC]), [],
                                   batch_size=16)  # fmt: skip
    assert [len(batch["clip"]) for batch in batches.as_numpy_iterator()] == [1]
    assert [(fault.modality, fault.file) for fault in batches.skipped] == [
        ("clip", str(folder / name)) for name in expected
    ]


def test_every_clip_of_a_stream_is_looked_at():
    files = [animated("GIF")] * 101 + [zipped(zipfile.ZIP_DEFLATED)]  # the first hundred need no conversion
    raw = mm.data.from_dataset(tf.data.Dataset.from_tensor_slices({"clip": files}), [SPEC])
    *_, last = raw.as_numpy_iterator()
    np.testing.assert_array_equal(frames_of(last["clip"]), TAKEN)
