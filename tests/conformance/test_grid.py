"""Branches, fusions and heads of every kind together: a sample of all pairs in which each of them occurs.

Model i has branches i and i + 5 (the next one of another modality), fusion i and head i, each taken in turns.
"""

import keras
import numpy as np
import pytest

import mmkeras as mm

HEADS = [
    mm.heads.classification("y", ["a", "b", "c"]),
    mm.heads.classification("y", ["a", "b"], multi_label=True),
    mm.heads.regression("y", size=2, mean=0.0, std=1.0),
]
BRANCHES = ["text.lstm", "text.lstm tokens", "text.gru", "text.transformer", "image.conv2d", "image.conv2d flat",
            "image.vit", "image.resnet", "audio.conv2d", "audio.crnn", "audio.transformer", "audio.conv_tasnet",
            "video.frames", "video.conv2plus1d", "table.mlp", "table.transformer", "vector.linear",
            "text.conv1d"]  # fmt: skip
STAGES = ["late", "hybrid"]


def room(name):
    return name.partition(".")[0]


def model_of(i, cases, case_specs):
    first = BRANCHES[i % len(BRANCHES)]
    others = [BRANCHES[(i + 5 + step) % len(BRANCHES)] for step in range(len(BRANCHES))]
    second = next(name for name in others if room(name) != room(first))
    parts = [cases[name].build() for name in (first, second)]
    specs = [case_specs[branch.name] for branch in parts]
    branches = {spec.name: branch for spec, branch in zip(specs, parts, strict=True)}
    vectors = [name for name in mm.fusion.__all__ if name != "Aligned"]  # `Aligned` gives joint tokens
    kinds, head = [*vectors, *STAGES], HEADS[i % len(HEADS)]
    kind = kinds[i % len(kinds)]
    if kind == "late":
        return mm.late_fusion_model(specs, branches, [head]), head
    if kind == "hybrid":
        return mm.hybrid_fusion_model(specs, branches, mm.fusion.MLP(8), [head], auxiliary=False), head
    return mm.fusion_model(specs, branches, getattr(mm.fusion, kind)(dim=8), [head]), head


@pytest.mark.parametrize("i", range(len(BRANCHES)))
def test_it_trains_saves_and_ignores_what_is_masked(i, cases, case_specs, tmp_path):
    keras.utils.set_random_seed(i)
    model, head = model_of(i, cases, case_specs)
    any_case = cases[BRANCHES[0]]
    feed = any_case.feed(model)
    answers = model(feed)["y"].numpy()
    assert np.isfinite(answers).all() and np.ptp(answers, axis=0).max() > 1e-7
    np.testing.assert_allclose(model(any_case.hidden(feed))["y"], answers, atol=1e-5)
    model.save(tmp_path / "model.keras")
    np.testing.assert_allclose(mm.load_model(tmp_path / "model.keras")(feed)["y"], answers, atol=1e-6)
    model.compile("adam", **mm.heads.compile_for([head]), run_eagerly=True)  # tracing is not worth it for one batch
    before = [weight.numpy() for weight in model.trainable_weights]
    labels = np.zeros((3, *head.label[0]), head.label[1])
    for _ in range(2):  # FiLM starts as a function that ignores the other modalities
        assert np.isfinite(model.train_on_batch(feed, {"y": labels}, return_dict=True)["loss"])
    moved = [
        np.abs(weight.numpy() - old).max() > 0 for weight, old in zip(model.trainable_weights, before, strict=True)
    ]
    assert np.mean(moved) > 0.6  # the second row lacks half of its tokens, the third all of them


def test_every_fusion_and_head_is_in_the_sample():
    assert len(BRANCHES) >= len(mm.fusion.__all__) + len(STAGES)
