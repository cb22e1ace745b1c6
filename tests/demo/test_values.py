"""Widgets' values -> raw values, and back from a recorded example."""

import io

import numpy as np
import pytest
import soundfile
import tensorflow as tf
from PIL import Image

from mmkeras.demo.example import held
from mmkeras.demo.values import Missing, row_of
from mmkeras.demo.without import is_absent, modalities_of, without

PNG = tf.io.encode_png(np.zeros((9, 7, 3), "uint8")).numpy()
WAV = tf.audio.encode_wav(np.zeros((8, 1), "float32"), 8000).numpy()


def gif():
    file = io.BytesIO()
    Image.new("RGB", (4, 4)).save(file, "GIF")
    return file.getvalue()


def test_what_a_recorded_example_puts_into_widgets_is_read_back(inputs, tmp_path):
    raw = {"review": "schöner day".encode(), "photo": PNG, "voice": WAV, "clip": gif(), "price": np.float32(1.5),
           "city": b"Oslo", "sold": b"2024-01-31", "face": np.array([0.5, 1], "float32")}  # fmt: skip
    values = held(raw, inputs, tmp_path)
    assert values["review"] == "schöner day" and values["price"] == 1.5 and values["face"] == "0.5, 1"
    assert [values[name][-4:] for name in ("photo", "voice", "clip")] == [".png", ".wav", ".gif"]
    again = row_of(values, inputs)
    assert all(np.array_equal(again[name], value) for name, value in raw.items())
    empty = raw | dict.fromkeys(["photo", "voice", "clip", "sold"], b"") | {"face": [float("nan")] * 2}
    values = held(empty, inputs, tmp_path)
    assert [name for name, value in values.items() if value is None] == ["photo", "voice", "clip", "sold", "face"]
    assert all(is_absent(row_of(values, inputs)[name]) for name in ("photo", "sold", "face"))


def test_files_of_other_formats_are_converted(inputs, tmp_path):
    Image.new("RGB", (9, 7)).save(tmp_path / "a.webp")
    soundfile.write(tmp_path / "a.flac", [0.0, 0.5], 8000)
    (tmp_path / "cut.flac").write_bytes((tmp_path / "a.flac").read_bytes()[:40])
    given = {"review": "a", "photo": tmp_path / "a.webp", "voice": tmp_path / "a.flac"}
    row = row_of(given, inputs)
    assert row["photo"].startswith(b"\x89PNG") and row["voice"].startswith(b"RIFF")
    with pytest.raises(ValueError, match=r"^voice: "):
        row_of(given | {"voice": tmp_path / "cut.flac"}, inputs)


@pytest.mark.parametrize(("values", "message"), [
    ({"price": 1.0}, "Please give review. Only what is marked as optional may be left out."),
    ({"review": "", "photo": None}, "Please give review."),
    ({"review": "a", "face": "1, x"}, "face: numbers are needed. Received: '1, x'. Write 0.5, 1, ..."),
    ({"review": "a", "face": "1"}, "face: 2 numbers are needed. Received: 1."),
])  # fmt: skip
def test_what_cannot_be_read_is_told(inputs, values, message):
    with pytest.raises(ValueError) as error:
        row_of(values, inputs)
    assert str(error.value).startswith(message) and isinstance(error.value, Missing) == message.startswith("Please")


def test_a_number_of_an_own_layer_is_typed(inputs):
    own = [inputs[4]._replace(kind="own layer")]
    assert row_of({"price": " 1.5 "}, own)["price"] == np.float32(1.5)
    with pytest.raises(ValueError, match=r"price: 1 number is needed. Received: 2."):
        row_of({"price": "1, 2"}, own)


def test_a_modality_can_be_left_out(inputs):
    row = row_of({"review": "a", "price": 1.0, "city": "Oslo", "face": "1, 2"}, inputs)
    assert modalities_of(row, inputs) == ["face"]
    assert is_absent(without(row, "face", inputs)["face"]) and without(row, "face", inputs)["review"] == b"a"
    alone = [each._replace(optional=True, spec=None) for each in inputs if each.name == "face"]
    assert modalities_of({"face": np.ones(2)}, alone) == []
