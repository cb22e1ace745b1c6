"""Columns of a DataFrame by their type: understood, or refused by name."""

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image as Pillow

import mmkeras as mm

PIXELS = np.arange(24, dtype="uint8").reshape(2, 4, 3)


def column(values, spec, **kwargs):
    frame = pd.DataFrame({spec.columns[0] if spec.kind == "table" else spec.name: values})
    return mm.data.from_dataframe(frame, [spec], **kwargs)


NUMBER, KIND = mm.Table("row", numeric="n", optional=True), mm.Table("row", categorical="c", optional=True)


@pytest.mark.parametrize(
    ("values", "numbers"),
    [
        ([True, False], [1, 0]),
        (pd.array([True, None], "boolean"), [1, np.nan]),
        (pd.array([3, None], "Int64"), [3, np.nan]),
        (pd.array([0.5, None], "Float32"), [0.5, np.nan]),
        (pd.Categorical([7, 5]), [7, 5]),
        (pd.Categorical(["7", "5.5"]), [7, 5.5]),
        (["1", None], [1, np.nan]),
    ],
    ids=lambda value: str(getattr(value, "dtype", "")),
)
def test_numbers(values, numbers):
    np.testing.assert_array_equal(column(values, NUMBER).table["n"], np.float32(numbers))


@pytest.mark.parametrize(
    ("values", "names"),
    [
        (pd.Categorical(["red", None]), [b"red", b""]),
        (pd.cut([1, 5], [0, 2, 8]), [b"(0, 2]", b"(2, 8]"]),
        ([True, False], [b"True", b"False"]),
        (pd.array([True, None], "boolean"), [b"True", b""]),
        (pd.array([3, None], "Int64"), [b"3", b""]),
    ],
    ids=lambda value: str(getattr(value, "dtype", "")),
)
def test_categories(values, names):
    assert column(values, KIND).table["c"].tolist() == names


def test_labels_of_pandas_own_types():
    frame = pd.DataFrame({"x": ["a", "b"], "y": pd.Categorical(["no", "yes"]), "z": pd.array([1, None], "Int64"),
                          "b": pd.array([True, False], "boolean")})  # fmt: skip
    heads = [mm.heads.classification("y", ["yes", "no"]), mm.heads.classification("z", [0, 1]),
             mm.heads.classification("b", [False, True])]  # fmt: skip
    raw = mm.data.from_dataframe(frame, [mm.Text("x")], heads)
    assert [raw.table[name].tolist() for name in "yzb"] == [[1, 0], [1, -1], [1, 0]]


DATES = pd.to_datetime(["2024-01-05", "2024-02-06"])


@pytest.mark.parametrize(
    ("values", "spec", "message"),
    [
        (DATES, NUMBER, "A number is needed. Received: dates .* as 'n'.*mm.Table.*dates=..n..."),
        (DATES.tz_localize("UTC"), NUMBER, "Received: dates .datetime64.*UTC.* as 'n'"),
        (DATES.to_period("M"), NUMBER, "Received: dates .period.M.. as 'n'"),
        (DATES - DATES[0], NUMBER, "Received: spans of time .* as 'n'.*dt.total_seconds"),
        (DATES, KIND, "Categories come again. Received: dates .* as 'c'"),
        ([[1, 2], [3]], NUMBER, "A number must be one value. Received: list as 'n' in row 0.*mm.Vector"),
        (["red", "blue"], NUMBER, "Received: 'red', ... as 'n', none of which is a number.*categorical=..n.."),
        (pd.Categorical(["red", "blue"]), NUMBER, "none of which is a number"),
        ([["a"], ["b"]], KIND, "A text or category must be one value. Received: list as 'c' in row 0"),
        ([{"a": 1}, None], mm.Text("x", optional=True), "Received: dict as 'x' in row 0"),
        ([np.zeros(2), np.ones(2)], mm.Text("x"), "Received: ndarray as 'x' in row 0"),
        ([np.full((2, 2), 0.5)], mm.Image("x"), "a picture of Pillow, or pixels.*Received: float64 of shape .2, 2. as"),
        ([7], mm.Image("x"), "Received: int as 'x' in row 0"),
        ([np.zeros(80, "float32")], mm.Audio("x"), "Give pairs .rate, samples. in a table"),
        ([(8000, np.full(80, 9.0))], mm.Audio("x"), "floats from -1 to 1. Received: 9"),
        ([[PIXELS, PIXELS[:1]]], mm.Video("x"), "frames .F, H, W, C.*Received: list as 'x' in row 0"),
    ],
)
def test_what_a_column_cannot_hold_is_told_by_name(values, spec, message):
    with pytest.raises(ValueError, match=message):
        column(values, spec)


def pixels_of(raw):
    return [np.asarray(Pillow.open(io.BytesIO(example["x"]))) for example in raw.as_numpy_iterator()]


def test_pictures_in_cells():
    palette = Pillow.fromarray(PIXELS).convert("P")
    cells = [Pillow.fromarray(PIXELS), PIXELS, PIXELS.tolist(), PIXELS.astype("int64"), PIXELS[..., 0], palette]
    found = pixels_of(column(cells, mm.Image("x")))
    for pixels in found[:4]:
        np.testing.assert_array_equal(pixels, PIXELS)
    np.testing.assert_array_equal(found[4], PIXELS[..., 0])
    assert found[5].shape == PIXELS.shape


def test_upright_by_exif():
    exif = Pillow.Exif()
    exif[0x0112] = 6  # a quarter turn
    file = io.BytesIO()
    Pillow.fromarray(PIXELS).save(file, "JPEG", exif=exif)
    assert pixels_of(column([Pillow.open(file)], mm.Image("x")))[0].shape == (4, 2, 3)


def test_files_as_hugging_face_stores_them_in_tables(tmp_path):
    file = io.BytesIO()
    Pillow.fromarray(PIXELS).save(file, "PNG")
    (tmp_path / "1.png").write_bytes(file.getvalue())
    cells = [{"bytes": file.getvalue(), "path": None}, {"bytes": None, "path": "1.png"}]
    for pixels in pixels_of(column(cells, mm.Image("x"), root=tmp_path)):
        np.testing.assert_array_equal(pixels, PIXELS)


def test_sounds_and_clips_in_cells():
    samples = np.float32([0.5, -0.25, 0, 0])
    cells = [(8000, samples), (samples, 8000), {"array": samples, "sampling_rate": 8000}, None]
    raw = column(cells, mm.Audio("x", seconds=0.0005, sample_rate=8000, optional=True))
    ready = mm.preprocessor(raw.specs)({"x": np.array([example["x"] for example in raw.as_numpy_iterator()], object)})
    np.testing.assert_allclose(ready["x"], [samples] * 3 + [np.zeros(4)])
    clips = column([np.stack([PIXELS, PIXELS]), [Pillow.fromarray(PIXELS)] * 2], mm.Video("x", frames=2, size=(2, 4)))
    ready = mm.preprocessor(clips.specs)({"x": np.array([each["x"] for each in clips.as_numpy_iterator()], object)})
    np.testing.assert_array_equal(ready["x"], np.stack([[PIXELS, PIXELS]] * 2))
