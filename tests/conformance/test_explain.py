"""An answer of every branch and every fusion can be explained, and the shares sum to the change of the score."""

import inspect

import numpy as np
import pytest

import mmkeras as mm
from mmkeras.evaluate._explain import explain_ready
from tests.conformance.conftest import CASES

BRANCHES = [name for name in CASES if "." in name and " " not in name]
FUSIONS = [name for name in CASES if name in mm.fusion.__all__ and name != "Aligned"]  # `Aligned` gives joint tokens
HEADS = [mm.heads.classification("kind", ["a", "b", "c"])]
LEFT = mm.Vector("left", size=3)
RIGHT = mm.Table("right", numeric=["years"], categorical=["city"], max_categories=20)


def explained(specs, branches, fusion, feed):
    model = mm.fusion_model(specs, branches, fusion, HEADS)
    rng = np.random.default_rng(0)
    for weight in model.trainable_weights:  # some weights start at zero, which would hide the tensors they multiply
        weight.assign(weight + rng.normal(size=weight.shape) * 0.1)
    feed = {name: value[:1] for name, value in feed.items()}
    found = explain_ready(model, feed, steps=16)
    answer = model(feed)["kind"].numpy()[0]
    assert found.target == HEADS[0].classes[answer.argmax()] and found.score == pytest.approx(answer.max(), abs=1e-5)
    moved = found.score - found.baseline
    assert abs(sum(found.shares.values()) - moved) <= 0.01 * max(abs(moved), 0.01)
    assert all(np.isfinite(part.values).all() for part in found.parts.values())
    return found


@pytest.mark.parametrize("name", BRANCHES)
def test_shares_are_complete_for_every_branch(name, case_specs):
    branch = CASES[name].build()
    spec = case_specs.get(branch.name)
    if spec is None or name == "text.pretrained":
        spec = mm.Text("text", max_tokens=6, vocabulary_size=20)
    right = {"right": np.array([[1.5, 3.0]], "float32"), "right_mask": np.ones((1, 2), bool)}
    branches = {spec.name: branch, "right": mm.branches.table.mlp(RIGHT, units=(4,))}
    found = explained([spec, RIGHT], branches, mm.fusion.Concatenate(8), CASES[name].feed(branch) | right)
    assert found.parts[spec.name].values.any()


@pytest.mark.parametrize("name", FUSIONS)
def test_shares_are_complete_for_every_fusion(name):
    arguments = inspect.getclosurevars(CASES[name].build).nonlocals["arguments"]
    branches = {"left": mm.branches.vector.linear(LEFT, dim=4), "right": mm.branches.table.mlp(RIGHT, units=(4,))}
    feed = {"left": np.array([[1.0, -2.0, 0.5]], "float32"), "left_mask": np.ones((1, 1), bool),
            "right": np.array([[1.5, 3.0]], "float32"), "right_mask": np.ones((1, 2), bool)}  # fmt: skip
    explained([LEFT, RIGHT], branches, CASES[name].covers(**arguments), feed)
