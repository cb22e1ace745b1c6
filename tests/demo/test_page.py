"""The page as Gradio builds it: its widgets, and the function behind its button."""

import base64
import io
import zipfile

import gradio as gr
import numpy as np
import pytest
from PIL import Image

from mmkeras.demo import Served, page
from mmkeras.demo.preview import frames_of
from mmkeras.demo.widgets import range_of, widget

ROW = {"review": b"good day", "photo": b"\x89PNG", "voice": b"", "clip": b"", "price": np.float32(40), "city": b"Rome",
       "sold": b"", "face": np.array([0.5, 1], "float32")}  # fmt: skip


@pytest.fixture
def built(inputs, answer):
    """The page; its widgets by name, and what its button calls."""
    rows = [ROW, ROW | {"price": np.float32(np.nan)}, ROW | {"price": np.float32(-7)}]
    blocks = page(Served("scenes", "SavedModel, version 2", inputs, answer, rows))
    ask = next(each for each in blocks.fns.values() if each.api_name == "ask")
    return blocks, dict(zip([each.name for each in inputs], ask.inputs, strict=False)), ask


def test_each_kind_has_its_widget(built):
    blocks, widgets, ask = built
    kinds = {name: widget.get_block_name() for name, widget in widgets.items()}
    assert kinds == {"review": "textbox", "photo": "image", "voice": "audio", "clip": "file", "price": "slider",
                     "city": "radio", "sold": "textbox", "face": "textbox"}  # fmt: skip
    assert widgets["photo"].label == "photo (optional)" and widgets["review"].label == "review"
    assert widgets["photo"].sources == ["upload", "webcam", "clipboard"]
    assert widgets["voice"].sources == ["upload", "microphone"]
    assert (widgets["price"].minimum, widgets["price"].maximum, widgets["price"].value) == (-7, 40, 5)
    assert widgets["city"].choices == [("Oslo", "Oslo"), ("Rome", "Rome"), ("none", "")]
    boxes = ask.inputs[len(widgets) :]
    assert [each.choices for each in boxes] == [[("price", "price")]]
    dataset = next(each for each in blocks.blocks.values() if each.get_block_name() == "dataset")
    first, second, _ = dataset.samples  # without columns that are empty in all of them
    assert first[0] == "good day" and 40 in first and first[-1] == [] and second[-1] == ["price"]


def test_unknown_columns_and_many_categories(inputs):
    price, sold, city = inputs[4:7]
    assert widget(price._replace(known=None)).get_block_name() == "number"
    assert widget(city._replace(known=[str(i) for i in range(40)])).get_block_name() == "dropdown"
    assert widget(city._replace(known=None)).get_block_name() == "textbox"
    assert widget(sold).placeholder == "2024-01-31 18:30" and widget(price._replace(kind="own layer")).lines == 1


def test_the_button_answers(built, answer, tmp_path):
    _, widgets, ask = built
    (tmp_path / "a.png").write_bytes(b"\x89PNG")
    held = dict.fromkeys(widgets) | {"review": "good day", "photo": tmp_path / "a.png", "price": 3.0, "city": ""}
    found = ask.fn(*held.values(), ["price"])
    assert '<div class="answer">good</div>' in found and "0.900" in found and "Answered in" in found
    assert '<th scope="row">without photo</th><td>bad; good 0.400</td>' in found
    assert np.isnan(answer.rows[0]["price"]) and answer.rows[0]["city"] == b""
    assert "without" not in ask.fn(*(held | {"photo": None}).values(), [])


def test_what_cannot_be_used_is_told_on_the_page(built, tmp_path):
    _, widgets, ask = built
    (tmp_path / "a.png").write_bytes(b"broken")
    held = dict.fromkeys(widgets) | {"review": "a", "photo": tmp_path / "a.png"}
    found = ask.fn(*held.values(), [])
    assert (
        found.startswith('<div class="refused" role="alert">photo: a whole JPEG') and "&lt;6 bytes&gt;.</div>" in found
    )
    assert "Please give review." in ask.fn(*dict.fromkeys(widgets).values(), [])


def test_a_damaged_picture_reaches_the_model(inputs, tmp_path):
    (tmp_path / "a.png").write_bytes(b"broken")
    picture = widget(inputs[1])
    assert isinstance(picture, gr.Image)
    payload = picture.data_model(path=str(tmp_path / "a.png"), orig_name="a.png")
    assert picture.preprocess(payload) == str(tmp_path / "a.png") and picture.preprocess(None) is None


@pytest.mark.parametrize(("mean", "std", "examples", "expected"), [
    (5.0, 2.0, [], (-1.0, 11.0, 0.1)),
    (5.0, 2.0, [40.0], (-1.0, 40.0, 0.1)),
    (0.5, 0.01, [], (0.47, 0.53, 0.001)),
    (3e6, 1e6, [], (0.0, 6e6, 1e5)),
])  # fmt: skip
def test_a_slider_reaches_three_deviations_and_the_example(mean, std, examples, expected):
    assert range_of(mean, std, examples) == pytest.approx(expected)


def frames_as(form, path):
    """A clip of five grey frames."""
    first, *others = [Image.new("L", (8, 8), 50 * i) for i in range(5)]
    if form == "gif":
        first.save(path, "GIF", save_all=True, append_images=others)
        return
    with zipfile.ZipFile(path, "w") as archive:
        for i, each in enumerate([first, *others]):
            each.save(file := io.BytesIO(), "PNG")
            archive.writestr(f"{i}.png", file.getvalue())


@pytest.mark.parametrize("form", ["gif", "zip"])
def test_the_frames_that_are_taken_of_a_clip_are_shown(built, tmp_path, form):
    blocks, widgets, _ = built
    frames_as(form, tmp_path / f"a.{form}")
    show = next(each for each in blocks.fns.values() if each.inputs == [widgets["clip"]])
    assert show.targets == [(widgets["clip"]._id, "change")]
    shown = [base64.b64decode(part.split('"')[0]) for part in show.fn(tmp_path / f"a.{form}").split("base64,")[1:]]
    pictures = [Image.open(io.BytesIO(each)) for each in shown]
    assert [each.size for each in pictures] == [(64, 64)] * 2  # frames 1 and 3 of 5, enlarged
    assert [each.getpixel((0, 0))[0] for each in pictures] == [50, 150]
    assert show.fn(None) == ""


def test_a_clip_that_cannot_be_used_is_told_at_once(inputs, tmp_path):
    (tmp_path / "a.gif").write_bytes(b"GIF89a")
    told = frames_of(inputs[3], tmp_path / "a.gif")
    assert told.startswith('<div class="refused" role="alert">clip: a whole GIF is needed.')
