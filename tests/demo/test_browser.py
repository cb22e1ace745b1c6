"""The page in Chromium, by Playwright: a picture and a sound uploaded, an answer read, a broken picture told."""

import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

import mmkeras as mm
from mmkeras.cli import demo
from mmkeras.cli._artefacts import find

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    specs = [mm.Text("question", vocabulary=("what", "shape"), max_tokens=4), mm.Image("photo", size=(8, 8)),
             mm.Audio("voice", seconds=0.1, sample_rate=8000, optional=True)]  # fmt: skip
    sound = np.sin(np.arange(800)[:, None] / 3).astype("float32")
    (folder / "a.png").write_bytes(tf.io.encode_png(np.full((60, 80, 3), 90, "uint8")).numpy())
    (folder / "a.wav").write_bytes(tf.audio.encode_wav(sound, 8000).numpy())
    (folder / "broken.png").write_bytes((folder / "a.png").read_bytes()[:60])
    raw = {"question": ["what shape"], "photo": [(folder / "a.png").read_bytes()], "voice": [b""]}
    keras.utils.set_random_seed(0)
    preprocess = mm.preprocessor(specs)
    branches = {"question": mm.branches.text.conv1d(specs[0], filters=4),
                "photo": mm.branches.image.conv2d(specs[1], filters=(4,)),
                "voice": mm.branches.audio.conv2d(specs[2], filters=(4,))}  # fmt: skip
    heads = [mm.heads.classification("shape", ["circle", "square"])]
    model = mm.fusion_model(specs, branches, mm.fusion.Attention(8), heads)
    mm.export.saved_model(preprocess, model, folder / "shapes" / "1", samples=raw)
    return folder


@pytest.fixture(scope="module")
def url(export):
    blocks = demo.demo_page(find(export / "shapes"))
    _, url, _ = blocks.launch(prevent_thread_lock=True, quiet=True, **demo.appearance())
    yield url
    blocks.close()


@pytest.fixture(params=[1280, 390])
def page(request, url):
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if not chromium:
        pytest.skip("there is no Chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": request.param, "height": 900})
        page.outside = []
        page.on("request", lambda asked: asked.url.startswith(("http", "ws")) and page.outside.append(asked.url))
        page.goto(url)
        yield page
        browser.close()


def ask(page, selector):
    page.get_by_role("button", name="Ask").click()
    page.wait_for_selector(f"#answer {selector}")
    return page.locator("#answer").inner_text()


def test_it_is_used_as_by_a_person(page, export, url):
    page.get_by_label("question").fill("what shape")
    picture, sound = (page.locator("input[type=file]").nth(number) for number in (0, 1))
    picture.set_input_files(export / "broken.png")
    assert ask(page, ".refused").startswith("photo: the file is cut off")
    page.get_by_role("button", name="Clear all").click()
    page.wait_for_selector("#answer .note")
    page.get_by_label("question").fill("what shape")
    picture.set_input_files(export / "a.png")
    page.wait_for_selector("img[alt=''], .image-frame img")
    sound.set_input_files(export / "a.wav")
    page.wait_for_selector("#answer ~ *, .waveform-container, [data-testid*=waveform]")
    said = ask(page, ".bars")
    assert "circle" in said and "square" in said and "without voice" in said.replace("\n", " ")
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]
    assert [each for each in page.outside if not each.startswith(("http://127.0.0.1", "http://localhost"))] == []
