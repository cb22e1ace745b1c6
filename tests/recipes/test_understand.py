"""The whole report of a tiny set: every section is made, and the export has its card."""

import pytest


@pytest.fixture(scope="module")
def run(start_here, tmp_path_factory):
    return start_here("understand", tmp_path_factory.mktemp("understand"), "--smoke")


def test_every_section_of_the_page_is_made(run):
    assert run.report["failed"] == {} and run.report["n"] == 24
    assert set(run.report["baselines"]) >= {"image only", "without text", "late fusion", "majority"}
    assert "Fusion" in run.report["verdict"]
    page = (run.folder / "runs/tiny/understanding/report.html").read_text(encoding="utf-8")
    assert page.count("<section") == 8 and "could not be made" not in page


def test_the_card_beside_the_export_holds_the_scores(run):
    card = (run.folder / run.report["export"] / "assets.extra" / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert f"{run.report['accuracy']:.4g}" in card and run.report["verdict"] in card
    assert 0 <= run.report["parity_max_abs"] <= 1e-5
