"""`mmkeras demo`: the page of each format, with what was learned and recorded, and what it is launched with."""

import gradio as gr
import numpy as np
import pytest


@pytest.fixture
def launched(exported, mmkeras, monkeypatch):
    """Function (format, words) -> the page, and the arguments of its launch."""

    def launched(name, *words):
        pages = []
        monkeypatch.setattr(gr.Blocks, "launch", lambda page, **arguments: pages.append((page, arguments)))
        status, _, error = mmkeras("demo", exported.folder / name, *words)
        assert status == 0, error
        return pages[0]

    return launched


@pytest.mark.parametrize("name", ["scenes", "scenes.tflite", "scenes.zip"])
def test_an_example_is_answered_as_python_does(exported, launched, name):
    page, _ = launched(name)
    ask = next(each for each in page.fns.values() if each.api_name == "ask")
    review, photo, price, city, face = ask.inputs[:5]
    assert [each.get_block_name() for each in (review, photo, face)] == ["textbox", "image", "textbox"]
    known = name != "scenes.zip"  # a Predictor's file is not opened before it is asked
    assert (price.get_block_name(), city.get_block_name()) == (("slider", "radio") if known else ("number", "textbox"))
    if known:
        assert [value for _, value in city.choices] == ["Oslo", "Rome", ""] and price.minimum < 1.5 < price.maximum
        assert any(each.get_block_name() == "dataset" and len(each.samples) == 2 for each in page.blocks.values())
    held = ["good day", exported.folder / "0.png", 1.5, "Oslo", "0.5, 1", *([[]] if known else [])]
    found, row = ask.fn(*held), exported.answers.iloc[0]
    scores = [row[f"mood.{label}"] for label in ("good", "bad", "grün")]
    assert f'<div class="answer">{row["mood"]}</div>' in found
    assert all(f">{score:.3f}</td>" in found for score in scores) and "without photo" in found
    less = ask.fn("good day", None, None, "Oslo", None, *([["price"]] if known else []))
    assert "without" not in less and "Answered in" in less


def test_a_damaged_picture_is_told_on_the_page(exported, launched, tmp_path):
    (tmp_path / "a.png").write_bytes((exported.folder / "0.png").read_bytes()[:50])
    for name in ("scenes", "scenes.tflite"):
        page, _ = launched(name)
        ask = next(each for each in page.fns.values() if each.api_name == "ask")
        found = ask.fn("good day", tmp_path / "a.png", 1.5, "Oslo", None, [])
        assert found.startswith('<div class="refused" role="alert">photo: ') and "of the batch" not in found


def test_it_listens_on_this_machine_unless_told_otherwise(launched):
    _, arguments = launched("scenes.tflite")
    assert arguments["server_name"] == "127.0.0.1" and arguments["share"] is False and not arguments["inbrowser"]
    assert "#answer" in arguments["css"] and "system-ui" in str(arguments["theme"].font)
    _, arguments = launched("scenes.tflite", "--host", "0.0.0.0", "--port", "7999", "--open")
    assert (arguments["server_name"], arguments["server_port"], arguments["inbrowser"]) == ("0.0.0.0", 7999, True)


def test_numbers_of_a_recorded_request_are_raw_values(exported):
    from mmkeras.cli._artefacts import find
    from mmkeras.cli._requests import rows_of

    for name in ("scenes", "scenes.tflite"):
        artefact = find(exported.folder / name)
        first, second = rows_of(artefact, artefact.read_beside("answers.json"))
        assert first["review"] == b"good day" and first["photo"].startswith(b"\x89PNG") and first["price"] == 1.5
        assert second["photo"] == b"" and np.isnan(second["face"]).all()
