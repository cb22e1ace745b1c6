"""The whole report in one call: JSON, pictures, and a page of which each section is looked at."""

import html.parser
import json
import shutil
import subprocess
import types

import numpy as np
import pytest

import mmkeras as mm
from mmkeras import evaluate


class Page(html.parser.HTMLParser):
    """Sections by id: their texts, and how many tables and media they hold; and whatever is fetched from elsewhere."""

    def __init__(self, text):
        super().__init__()
        self.sections, self.elsewhere, self.now = {}, [], None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "section":
            self.now = self.sections[attributes["id"]] = {"text": "", "table": 0, "img": 0, "audio": 0, "failed": False}
        if self.now and tag in self.now:
            self.now[tag] += 1
        if self.now and attributes.get("class") == "failed":
            self.now["failed"] = True
        source = attributes.get("src") or attributes.get("href") or "#"
        self.elsewhere += [] if source.startswith(("data:", "#")) else [source]

    def handle_data(self, data):
        if self.now:
            self.now["text"] += data


@pytest.fixture(scope="module")
def made(raw, preprocess, model, tmp_path_factory):
    blind = {"question only": _one(raw, preprocess)}
    parts = [raw.subset(range(start, start + 24)) for start in (0, 24, 48)]
    folder = tmp_path_factory.mktemp("report")
    found = evaluate.full_report(
        model, preprocess, parts[0], out_dir=folder, train=parts[1], valid=parts[2], baselines=blind, samples=5,
        strengths=(0, 1), explained=1, explained_heads=["answer", "loudness"], gallery=3, fairness_by=["room"],
        slice_by=["room"], cache="memory", verbose=False,
    )  # fmt: skip
    return found, folder, Page((folder / "report.html").read_text(encoding="utf-8"))


def _one(raw, preprocess):
    spec = preprocess.specs[0]
    branch = mm.branches.text.lstm(spec, units=4, embed_dim=4)
    return mm.fusion_model([spec], {spec.name: branch}, mm.fusion.Concatenate(4), raw.heads)


def test_every_section_is_there_and_shows_something(made):
    found, _, page = made
    assert list(page.sections) == list(evaluate.SECTIONS) and page.elsewhere == []
    failed = [name for name, section in page.sections.items() if section["failed"]]
    assert failed == list(found["failed"]) == []
    # One head is not a classification.
    assert "Rates by group need a classification head" in page.sections["slices"]["text"]
    pictures = {name: section["img"] for name, section in page.sections.items()}
    assert pictures["scores"] >= 9 and pictures["contributions"] == pictures["robustness"] == 3
    assert (
        pictures["explanations"] == 2
        and "Not explained, as it was not asked for: objects" in page.sections["explanations"]["text"]
    )
    assert page.sections["errors"]["audio"] > 0
    for name in ("scores", "fusion", "contributions", "robustness", "errors", "privacy"):
        assert page.sections[name]["table"] > 0, name


def test_json_has_all_of_it_and_summary_reads_it(made):
    found, folder, _ = made
    assert json.loads((folder / "report.json").read_text()) == found
    assert {"model", "question only", "majority"} <= set(found["models"]) and evaluate.summary(found)["n"] == 24
    assert set(found["sections"]) == set(evaluate.SECTIONS) - {"scores"}
    assert (
        "accuracy" in found["details"]["answer"]["intervals"] and found["details"]["answer"]["calibration"]["ece"] >= 0
    )
    assert found["details"]["loudness"]["conformal"]["coverage"] == 0.9
    assert 0 <= found["sections"]["privacy"]["answer"]["auc"] <= 1
    assert "pay" in found["sections"]["fusion"]["answer"]["verdict"]
    assert {"photo", "voice", "question", "meta"} == set(found["sections"]["contributions"]["answer"]["shapley"])
    explained = found["sections"]["explanations"]
    assert list(explained) == ["answer", "loudness"]
    assert all(own["gap"] <= 0.01 for each in explained.values() for own in each)


@pytest.mark.parametrize("name", [*evaluate.SECTIONS][1:4])
def test_a_section_without_what_it_needs_says_so(name, raw, preprocess, model, tmp_path, monkeypatch):
    monkeypatch.setitem(evaluate.SECTIONS, "contributions", ("C", lambda context: 1 / 0))
    found = evaluate.full_report(model, preprocess, raw.subset(range(8)), out_dir=tmp_path, sections=[name],
                                 strengths=(0, 1), batch_size=8, verbose=False)  # fmt: skip
    section = Page((tmp_path / "report.html").read_text(encoding="utf-8")).sections[name]
    said = {
        "fusion": "No baselines were given",
        "contributions": "ZeroDivisionError: division by zero",
        "robustness": "noise",
    }
    assert said[name] in section["text"] and list(found["failed"]) == ["contributions"] * (name == "contributions")


def test_of_several_workers_only_the_chief_writes(raw, preprocess, model, tmp_path, monkeypatch):
    from mmkeras.evaluate import _full_report

    monkeypatch.setattr(_full_report, "cluster", lambda: types.SimpleNamespace(is_chief=False))
    out = tmp_path / "report"
    part = raw.subset(range(8))
    found = evaluate.full_report(model, preprocess, part, out_dir=out, sections=["scores"], verbose=False)
    assert found["html"] is None and found["failed"] == {} and found["models"] and not out.exists()


def test_other_sections_are_refused(raw, preprocess, model, tmp_path):
    with pytest.raises(ValueError, match=r"sections= must name some of .*Received: \['scors'\]"):
        evaluate.full_report(model, preprocess, raw, out_dir=tmp_path, sections=["scors"])


def test_heads_to_be_explained_are_named(raw, preprocess, model, tmp_path):
    found = evaluate.full_report(model, preprocess, raw.subset(range(4)), out_dir=tmp_path, sections=["explanations"],
                                 explained_heads=["anser"], verbose=False)  # fmt: skip
    assert (
        "explained_heads= must name heads of the model. Received: 'anser'. Did you mean 'answer'"
        in found["failed"]["explanations"]
    )


def test_of_a_stream_the_sections_that_need_rows_say_so(raw, preprocess, model, tmp_path):
    found = evaluate.full_report(model, preprocess, raw.take(8), out_dir=tmp_path, sections=["slices"], heads=raw.heads,
                                 verbose=False)  # fmt: skip
    assert "which only mm.data.Examples keep" in found["failed"]["slices"]


@pytest.mark.skipif(shutil.which("chromium") is None, reason="Debian's chromium is not installed")
@pytest.mark.parametrize("width", [1280, 400])
def test_a_browser_shows_it_without_scrolling_sideways(made, width, tmp_path):
    _, folder, page = made
    text = (folder / "report.html").read_text(encoding="utf-8")
    probe = "<script>document.title = document.documentElement.scrollWidth + ' of ' + innerWidth</script>"
    (tmp_path / "probe.html").write_text(text.replace("</body>", f"{probe}</body>"), encoding="utf-8")
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--window-size={width},900", "--dump-dom"]
    dom = subprocess.run(
        [*command, f"file://{tmp_path}/probe.html"], capture_output=True, text=True, timeout=120
    ).stdout
    title = dom.split("<title>")[1].split("</title>")[0]
    wide, window = map(int, title.split(" of "))
    assert wide <= window, title
    assert list(Page(dom).sections) == list(page.sections)


def test_the_gallery_shows_what_is_absent(made):
    _, _, page = made
    text = page.sections["errors"]["text"]
    assert "answered" in text and "labelled" in text and np.any(["absent" in text, "room" in text])


def test_labels_that_are_missing_and_one_class_only_are_said(raw, preprocess, model, scenes, tmp_path):
    frame = raw.frame[raw.frame["answer"] == raw.frame["answer"].iloc[0]].head(6)
    frame = frame.assign(loudness=np.nan, photo="")
    part = mm.data.from_dataframe(frame, preprocess.specs, raw.heads, root=scenes.parent)
    found = evaluate.full_report(model, preprocess, part, out_dir=tmp_path, train=part, valid=part, strengths=(0, 1),
                                 samples=5, explained=1, cache="memory", verbose=False,
                                 sections=["scores", "contributions", "errors", "privacy"])  # fmt: skip
    assert found["failed"] == {} and set(found["models"]["model"]) == {"answer", "objects"}
    assert found["models"]["model"]["answer"]["roc_auc_macro"] is None
    for name, section in Page((tmp_path / "report.html").read_text(encoding="utf-8")).sections.items():
        assert "Left out, as no test example has a label of it: loudness." in section["text"], name
