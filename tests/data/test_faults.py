"""Files that turn out to be broken: named, or counted; never a black picture."""

import dataclasses
import io
import re
import shutil
import zipfile

import numpy as np
import pandas as pd
import pytest
import soundfile
import tensorflow as tf
from PIL import Image

import mmkeras as mm
from mmkeras.data.faults import cause_of
from mmkeras.preprocess import DecodeImage


@pytest.fixture(scope="module")
def broken(scenes, tmp_path_factory):
    """The scenes with a text under a JPEG's name, half a PNG and an empty WAV file."""
    folder = tmp_path_factory.mktemp("broken") / "scenes"
    shutil.copytree(scenes.parent, folder)
    (folder / "images/0001.jpg").write_text("hello")
    png = (folder / "images/0002.png").read_bytes()
    (folder / "images/0002.png").write_bytes(png[: len(png) // 2])
    (folder / "sounds/0009.wav").write_bytes(b"")
    return folder / "examples.csv"


@pytest.fixture(scope="module")
def bad_rows(broken):
    frame = mm.data.from_csv(broken, [mm.Text("question")]).frame
    bad = frame.photo.isin(["images/0001.jpg", "images/0002.png"]) | (frame.voice == "sounds/0009.wav")
    return sorted(frame.index[bad])


@pytest.mark.parametrize("cache", [None, "memory"])
def test_raise_names_file_row_modality_and_cause(broken, specs, heads, preprocess, cache):
    raw = mm.data.from_csv(broken, specs, heads)
    with pytest.raises(
        (ValueError, tf.errors.OpError), match=r"(?s)row \d+, 'photo', .*000[12]\.(jpg|png): \w+.*on_error"
    ):
        list(mm.data.eval_batches(raw, preprocess, heads, cache=cache, verbose=False))


@pytest.mark.parametrize("cache", [None, "memory"])
def test_skip_counts_and_lists(broken, specs, heads, preprocess, bad_rows, cache):
    raw = mm.data.from_csv(broken, specs, heads, on_error="skip")
    batches = mm.data.eval_batches(raw, preprocess, heads, cache=cache, verbose=False)
    for _ in range(2):  # the second epoch meets the same files again
        labels = np.concatenate([y["loudness"][:, 0] for _, y in batches])
        good = [i for i in range(120) if i not in bad_rows]
        np.testing.assert_array_equal(labels, raw.table["loudness"][good, 0])
    assert sorted(fault.row for fault in batches.skipped) == bad_rows
    assert {fault.modality for fault in batches.skipped} == {"photo", "voice"}
    fault = next(fault for fault in batches.skipped if fault.file.endswith("0001.jpg"))
    assert "hello" in fault.cause
    assert "\x1b" not in fault.cause and "Traceback" not in fault.cause


def test_training_goes_on_without_the_skipped(broken, specs, heads, preprocess, model):
    raw = mm.data.from_csv(broken, specs, heads, on_error="skip")
    batches = mm.data.train_batches(raw, preprocess, heads, batch_size=30)
    model.compile("adam", **mm.heads.compile_for(heads))
    model.fit(batches, epochs=1, verbose=0)
    assert batches.skipped


@pytest.mark.parametrize("method", ["fit", "validate", "evaluate", "predict", "report"])
def test_model_names_what_is_broken_in_the_midst_of_an_epoch(broken, raw, specs, heads, preprocess, model, method):
    bad = mm.data.from_csv(broken, specs, heads)
    model.compile("adam", **mm.heads.compile_for(heads))
    with pytest.raises(ValueError) as caught:
        if method == "fit":
            model.fit(mm.data.train_batches(bad, preprocess, heads, batch_size=40), verbose=0)
        elif method == "predict":
            model.predict(mm.data.eval_batches(bad, preprocess), verbose=0)
        else:
            batches = mm.data.eval_batches(bad, preprocess, heads)
            good = mm.data.train_batches(raw, preprocess, heads, batch_size=40)
            {"validate": lambda: model.fit(good, validation_data=batches, steps_per_epoch=1, verbose=0),
             "evaluate": lambda: model.evaluate(batches, verbose=0),
             "report": lambda: mm.evaluate.predict(model, batches)}[method]()  # fmt: skip
    first = str(caught.value).splitlines()[0]
    assert re.match(
        r"\d example\(s\) cannot be used: row \d+, '(photo|voice)', .*000[129]\.(jpg|png|wav): \w+", first
    ), first
    assert "Traceback" not in str(caught.value)


def test_a_stream_names_the_position(preprocess, raw, heads):
    def spoil(i, example):
        return example | {"photo": tf.where(i == 7, b"hello", example["photo"])}

    stream = raw.enumerate().map(spoil)
    with pytest.raises(ValueError, match=r"row 7, 'photo'"):
        mm.data.eval_batches(stream, preprocess, heads, cache="memory", verbose=False)


def _error(action):
    with pytest.raises(tf.errors.OpError) as caught:
        action()
    return caught.value


@pytest.mark.parametrize(
    ("file", "cause"),
    [
        (b"hello", 'photo: .*Received: 5 bytes beginning with "hello" \\(example 0.*the file\'s bytes: not its path.*'),
        (b"", "photo: .*then b'' means absent\\."),
        (
            b"\xff\xd8\xff" + bytes(20) + b"\xff\xd9",
            r"photo: the file is damaged: its header leads to no picture\. .*",
        ),
    ],
)
def test_causes_read_as_they_were_written(file, cause):
    decode = DecodeImage((4, 4), name="photo_preprocess")
    files = tf.data.Dataset.from_tensors([file])
    for action in (lambda: decode(tf.constant([file])), lambda: list(files.map(decode))):
        found = cause_of(_error(action))
        assert re.fullmatch(cause, found), found


def test_causes_of_eager_assertions():
    data = ['photo: the file\'s "ä"', "it's", 3]
    assert cause_of(_error(lambda: tf.debugging.Assert(tf.constant(False), data))) == " ".join(map(str, data))


def test_faults_of_rows_with_the_same_name_are_all_told(preprocess, specs, scenes):
    raw = mm.data.from_csv(scenes, specs)
    frame = raw.frame.iloc[:3].assign(photo=[b"one", b"three", None], voice=None)
    frame.index = [7, 7, 7]
    raw = mm.data.from_dataframe(frame, specs, on_error="skip")
    batches = mm.data.eval_batches(raw, preprocess, batch_size=1)
    assert sum(len(x["photo"]) for x in batches) == 1
    assert sorted(fault.file[:7] for fault in batches.skipped) == ["3 bytes", "5 bytes"]


def _flac():
    file = io.BytesIO()
    soundfile.write(file, np.zeros((800, 1), "int16"), 8000, format="FLAC")
    return file.getvalue()[:-1]


def _webp():
    file = io.BytesIO()
    Image.new("RGB", (9, 9)).save(file, "WEBP")
    return file.getvalue()[:-6]


def _zip():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("1.webp", _webp())
    return file.getvalue()


CONVERTED = {
    "flac": (mm.Audio("sound", sample_rate=8000), _flac, "A FLAC file must be whole: a checksum is wrong"),
    "webp": (mm.Image("sound", size=(4, 4)), _webp, "WebP|decode"),
    "zip": (mm.Video("sound", size=(4, 4)), _zip, "a clip must be whole.*1.webp"),
}


@pytest.fixture(params=CONVERTED)
def converted(request, tmp_path):
    """A spec, its preprocess, a table whose row "r2" is a damaged file that is converted, the file and the cause."""
    spec, make, cause = CONVERTED[request.param]
    path = tmp_path / f"bad.{request.param}"
    path.write_bytes(make())
    frame = pd.DataFrame({"sound": [path] * 4, "note": "a", "y": range(4)}, index=["r0", "r1", "r2", "r3"])
    return dataclasses.replace(spec, optional=True), frame, path, cause


@pytest.mark.parametrize("way", ["eval", "train", "memory", "folder", "tfrecord"])
def test_a_converted_file_that_is_damaged_is_named(converted, way, tmp_path):
    spec, frame, path, cause = converted
    frame["sound"] = [None, None, str(path), None]
    head, specs = mm.heads.regression("y", mean=0, std=1), [spec, mm.Text("note", vocabulary=("a",))]
    raw, preprocess = mm.data.from_dataframe(frame, specs, [head], root="/"), mm.preprocessor(specs)
    ways = {
        "eval": lambda: list(mm.data.eval_batches(raw, preprocess, [head])),
        "train": lambda: list(mm.data.train_batches(raw, preprocess, [head], batch_size=4)),
        "memory": lambda: mm.data.train_batches(raw, preprocess, [head], batch_size=4, cache="memory", verbose=False),
        "folder": lambda: mm.data.eval_batches(raw, preprocess, [head], cache=tmp_path / "cache", verbose=False),
        "tfrecord": lambda: mm.data.write_tfrecord(raw, specs, [head], tmp_path / "x-*.tfrecord", verbose=False),
    }
    with pytest.raises((ValueError, tf.errors.OpError), match=f"(?s)row r2, 'sound', {path}: .*{cause}"):
        ways[way]()
    if way == "eval":
        path.unlink()
        with pytest.raises((ValueError, tf.errors.OpError), match=f"(?s)row r2, 'sound', {path}: .*[Nn]o such file"):
            ways[way]()
        with pytest.raises((ValueError, tf.errors.OpError), match=f"(?s)row r2, 'sound', {path}: .*[Nn]o such file"):
            ways["folder"]()
        skipping = mm.data.from_dataframe(frame.drop("r2"), specs, [head], root="/", on_error="skip")
        assert not mm.data.eval_batches(skipping, preprocess, [head]).skipped


def test_a_converted_file_of_a_stream_is_named_and_skipped(converted, tmp_path):
    spec, _, path, cause = converted
    contents = [b"", path.read_bytes(), b""]
    pairs = tf.data.Dataset.from_tensor_slices({"sound": contents, "y": [0.0, 1.0, 2.0]})
    head, preprocess = mm.heads.regression("y", mean=0, std=1), mm.preprocessor([spec])
    raw = mm.data.from_dataset(pairs, [spec], [head])
    for action in (
        lambda: list(raw),
        lambda: mm.data.eval_batches(raw, preprocess, [head], cache="memory", verbose=False),
        lambda: mm.data.write_tfrecord(raw, [spec], [head], tmp_path / "x-*.tfrecord", verbose=False),
    ):
        with pytest.raises((ValueError, tf.errors.OpError), match=f"(?s)row 1, 'sound': .*({cause})"):
            action()
    skipping = mm.data.from_dataset(pairs, [spec], [head], on_error="skip")
    batches = mm.data.eval_batches(skipping, preprocess, [head])
    assert np.concatenate([y["y"][:, 0] for _, y in batches]).tolist() == [0.0, 2.0]
    assert [(fault.row, fault.modality) for fault in batches.skipped] == [(1, "sound")]
    assert re.search(cause, batches.skipped[0].cause)


@pytest.mark.parametrize("make", ["eval", "train"])
def test_a_batch_that_is_broken_as_a_whole_is_left_out(make):
    good = tf.io.encode_png(np.zeros((4, 4, 3), "uint8")).numpy()
    table = pd.DataFrame({"photo": pd.Series([b"x", b"y", good, good], dtype=object), "kind": ["a", "b", "a", "b"]})
    raw = mm.data.from_dataframe(
        table, [mm.Image("photo", size=4)], [mm.heads.classification("kind", ["a", "b"])], on_error="skip"
    )
    preprocess = mm.preprocessor(raw.specs)
    if make == "eval":
        batches = mm.data.eval_batches(raw, preprocess, batch_size=2)
    else:
        batches = mm.data.train_batches(raw, preprocess, batch_size=1)
    assert sorted(int(label) for _, y in batches for label in y["kind"]) == [0, 1]
    assert [fault.row for fault in sorted(batches.skipped)] == [0, 1]
