"""The model card says what is known, and marks what is not."""

import mmkeras as mm
from mmkeras.export.card import BLANK

SPECS = [mm.Table("row", numeric=["age"]), mm.Image("photo", size=(8, 8), optional=True)]
HEADS = [mm.heads.classification("kind", ["cat", "dog"])]
HEADINGS = ["Model details", "Intended use", "Factors", "Metrics", "Evaluation data", "Training data",
            "Quantitative analyses", "Ethical considerations", "Caveats and recommendations"]  # fmt: skip


def build():
    branches = {
        "row": mm.branches.table.mlp(SPECS[0], units=(4,)),
        "photo": mm.branches.image.conv2d(SPECS[1], filters=(4,)),
    }
    return mm.fusion_model(SPECS, branches, mm.fusion.Gated(4), HEADS)


def test_every_heading_is_there_and_blanks_are_marked():
    model = build()
    card = mm.export.model_card(model, HEADS, name="pets")
    assert [line[3:] for line in card.splitlines() if line.startswith("## ")] == HEADINGS
    assert "row (table), photo (image, may be absent)" in card and "kind (classification of 2 classes)" in card
    assert "Fusion: Gated" in card and f"Weights: {model.count_params():,}" in card and "Needs row in every" in card
    assert card.count(BLANK) == 14


def test_numbers_of_a_report_are_filled_in():
    scores = {"kind": "classification", "examples": 1200, "accuracy": 0.875, "f1_macro": 0.5}
    report = {"models": {"model": {"kind": scores}, "majority": {"kind": scores | {"accuracy": None}}}}
    report["sections"] = {"fusion": {"kind": {"verdict": "Fusion pays."}}, "privacy": {"kind": {"auc": 0.51}},
                          "slices": {"kind": {"slices": [{"column": "city"}]}}}  # fmt: skip
    card = mm.export.model_card(build(), HEADS, name="pets", report=report, export={"largest_difference": 1e-7})
    assert "| model | 0.875 | 0.5 |" in card and "| majority | – | 0.5 |" in card
    assert "Fusion pays." in card and "1,200 of kind" in card and "AUC of 0.510" in card and "compared by: city" in card
    assert "from Python: 1e-07" in card and card.count(BLANK) == 11
