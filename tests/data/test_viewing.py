"""Examples and batches to look at, and what is in a data set in numbers."""

import base64
import io
import re
import zipfile

import numpy as np
import pandas as pd
import pytest
from PIL import Image as Pillow

import mmkeras as mm
from mmkeras.data.files.sizes import clip_size, picture_size, sound_size
from mmkeras.data.generate import files


def test_describe(raw):
    found = raw.describe()
    assert found.rows == 120
    photo, voice, hour, room = (found.columns[name] for name in ("photo", "voice", "hour", "room"))
    assert photo["present"] + photo["missing"] == 120 and 0 < photo["missing"] < 24
    assert photo["measures"]["width"] == {"min": 24, "median": 24, "max": 24, "mean": 24}
    assert sum(photo["measures"]["format"].values()) == photo["measured"] == photo["present"]
    assert voice["measures"]["seconds"]["median"] == 0.25 and voice["measures"]["rate"]["max"] == 8000
    assert hour["measures"]["value"]["mean"] == pytest.approx(raw.table["hour"].mean())
    assert room["measures"]["category"] == raw.frame["room"].value_counts().to_dict()
    words = [len(text.split()) for text in raw.frame["question"]]
    assert found.columns["question"]["measures"]["words"]["median"] == np.median(words)
    assert found.labels["answer"]["classes"] == {
        name: int((raw.frame["answer"] == name).sum()) for name in mm.data.generate.ANSWERS
    }
    assert sum(found.labels["objects"]["classes"].values()) == 240
    assert found.labels["loudness"]["values"][0]["max"] == pytest.approx(raw.table["loudness"].max())
    inputs = raw.frame[["question", "photo", "voice", "hour", "room"]]
    assert found.duplicates == inputs.fillna("").duplicated().sum()
    told = repr(found)
    assert f"{photo['missing']} missing (" in told and "width 24; height 24; format" in told


def test_large_sets_are_sampled_and_that_is_told(raw):
    found = raw.describe(sample=5)
    assert found.columns["photo"]["measured"] == 5
    assert f"in 5 of {found.columns['photo']['present']}: width 24" in repr(found)
    assert "in 5 of" in found._repr_html_()
    assert found.columns["question"]["measured"] == 120


def test_slices(raw):
    assert raw.head(3).frame.equals(raw.frame.head(3))
    assert list(raw[2:8:3].frame.index) == [2, 5]
    assert list(raw[[7, -1]].frame.index) == [7, 119]
    night = raw[raw.frame["hour"].astype(int) < 6]
    assert set(night.frame["hour"].astype(int)) <= set(range(6))
    one = raw[3]
    np.testing.assert_equal(one, next(iter(raw.skip(3).as_numpy_iterator())))
    with pytest.raises(IndexError):
        _ = raw[120]


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """A row with everything, one with markup and a broken picture, one in which all is absent."""
    folder = tmp_path_factory.mktemp("odd")
    gif = [Pillow.new("RGB", (40, 20), (60 * i, 0, 0)) for i in range(4)]
    gif[0].save(folder / "clip.gif", save_all=True, append_images=gif[1:])
    Pillow.new("RGB", (400, 300), "red").save(folder / "photo.jpg")
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / "voice.wav").write_bytes(files.wav(np.sin(np.arange(8000) / 9)))
    frame = pd.DataFrame({
        "text": ["fine", "<script>alert('x')</script>", ""], "photo": ["photo.jpg", "broken.png", None],
        "voice": ["voice.wav", None, None], "clip": ["clip.gif", None, None], "city": ["<b>", "Rome", ""],
        "embedding": [[0.5, 0.25], None, None], "mood": ["good", "bad", "good"],
    })  # fmt: skip
    specs = [mm.Text("text", optional=True), mm.Image("photo", size=8, optional=True),
             mm.Audio("voice", seconds=0.5, sample_rate=8000, optional=True),
             mm.Video("clip", frames=2, size=8, optional=True), mm.Table("row", categorical="city", optional=True),
             mm.Vector("embedding", size=2, optional=True)]  # fmt: skip
    return mm.data.from_dataframe(frame, specs, [mm.heads.classification("mood", ["good", "bad"])], root=folder)


def test_show_holds_media_and_escapes_text(odd):
    shown = odd.show().html
    assert shown.count("data:image/jpeg;base64,") == shown.count("data:image/gif;base64,") == 1
    assert shown.count("<audio controls") == 1 and "1.00 s at 8,000 Hz" in shown
    assert "400 × 300 JPEG" in shown and "4 frames, 40 × 20" in shown and "[0.5, 0.25]" in shown
    assert "<script>" not in shown and "&lt;script&gt;alert(&#x27;x&#x27;)" in shown and "&lt;b&gt;" in shown
    assert re.search(r"broken.png<span class=\"note\">cannot be shown: ", shown)
    assert shown.count(">absent<") == 9
    assert odd._repr_html_() == shown
    assert "cannot be read" in repr(odd.describe()) and "<b>" not in odd.describe()._repr_html_()


def test_a_page_can_be_saved(odd, tmp_path):
    odd.head(1).show().save(tmp_path / "page.html")
    assert "<!doctype html>" in (tmp_path / "page.html").read_text(encoding="utf-8")


def pictures(html):
    found = re.findall(r"data:image/png;base64,([^\"]+)", html)
    return [np.asarray(Pillow.open(io.BytesIO(base64.b64decode(content)))) for content in found]


def test_batches_are_shown_as_the_model_gets_them(raw, preprocess, specs):
    batches = mm.data.train_batches(raw, preprocess, batch_size=16, augment=mm.augment.image(specs[1], flip=True))
    epoch = batches.epoch.numpy()
    x, y = next(iter(batches))
    batches.epoch.assign(epoch)
    shown = mm.data.show(batches, n=16).html
    there = x["photo_mask"].numpy()[:, 0]
    np.testing.assert_array_equal(pictures(shown), x["photo"].numpy()[there])
    assert shown.count("<audio") == int(x["voice_mask"].numpy().any(axis=1).sum())
    assert "room = " in shown and "uint8 (24, 24, 3)" in shown
    for label in y["answer"].numpy():
        assert mm.data.generate.ANSWERS[label] in shown
    assert mm.data.show((x, y), preprocess, raw.heads, n=16).html == shown


def test_tokens_labels_and_weights():
    frame = pd.DataFrame({"text": ["good one", "new"], "y": ["a", "b"], "w": [1.0, 0.5]})
    raw = mm.data.from_dataframe(frame, [mm.Text("text")], [mm.heads.classification("y", ["a", "b"])], weights="w")
    preprocess = mm.adapt(mm.preprocessor(raw.specs), raw[:1], verbose=False)
    shown = mm.data.show(mm.data.eval_batches(raw, preprocess)).html
    assert '<span class="token">good</span><span class="token">one</span>' in shown
    assert '<span class="token unknown">[UNK]</span>' in shown
    assert "weight 0.5" in shown
    head = raw.heads[0]
    assert head.shown(np.float32([0.75, 0.25])) == "a 0.75, b 0.25" and head.shown(np.int32(-1)) == ""
    with pytest.raises(ValueError, match="show needs the preprocess that made the batch"):
        mm.data.show(next(iter(mm.data.eval_batches(raw, preprocess))))


def test_sizes_by_header():
    flac = b"fLaC\0\0\0\x22" + bytes(10) + bytes([0x0A, 0xC4, 0x42, 0xF0]) + (44100).to_bytes(4, "big") + bytes(16)
    assert sound_size(flac, None) == {"seconds": 1.0, "rate": 44100, "channels": 2, "format": "FLAC"}
    wav = files.wav(np.zeros(400))
    assert sound_size(wav, None) == {"seconds": 0.05, "rate": 8000, "channels": 1, "format": "WAV"}
    assert sound_size(b"OggS", lambda content: wav)["format"] == "Ogg"
    with pytest.raises(ValueError, match="it is no WAV, FLAC, MP3 or Ogg Vorbis file"):
        sound_size(b"hello", lambda content: content)
    png = files.image(np.zeros((3, 5, 3), "uint8"), "png")
    with zipfile.ZipFile(packed := io.BytesIO(), "w") as archive:
        archive.writestr("1.png", png)
        archive.writestr("2.png", png)
    assert picture_size(png) == {"width": 5, "height": 3, "format": "PNG"}
    assert clip_size(packed.getvalue()) == {"frames": 2, "width": 5, "height": 3}


def test_in_a_notebook(tmp_path):
    """A kernel of Jupyter, where it is installed, shows examples, their description and a batch as HTML."""
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    make = """
import os; os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import mmkeras as mm
table = mm.data.generate.scenes("scenes", n=8, size=16, seconds=0.1)
specs = [mm.Text("question"), mm.Image("photo", size=16), mm.Audio("voice", seconds=0.1, sample_rate=8000)]
raw = mm.data.from_csv(table, specs, [mm.heads.classification("answer", mm.data.generate.ANSWERS)])
preprocess = mm.adapt(mm.preprocessor(specs), raw, verbose=False)
"""
    cells = [
        make,
        "raw.head(2)",
        "raw.describe()",
        "mm.data.show(mm.data.train_batches(raw, preprocess, batch_size=4))",
    ]
    notebook = nbformat.v4.new_notebook(cells=list(map(nbformat.v4.new_code_cell, cells)))
    nbclient.NotebookClient(notebook, resources={"metadata": {"path": str(tmp_path)}}, timeout=300).execute()
    pages = [cell.outputs[-1]["data"]["text/html"] for cell in notebook.cells[1:]]
    assert "<audio" in pages[0] and "words" in pages[1] and 'class="token"' in pages[2]
