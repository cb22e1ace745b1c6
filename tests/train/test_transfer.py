"""What is trained in one model goes into another by name, and only there."""

import keras
import numpy as np
import pytest

import mmkeras as mm

SPECS = [mm.Vector("left", size=6), mm.Vector("right", size=5)]
HEADS = [mm.heads.classification("kind", ["a", "b"])]


def branches(dim=8):
    return {spec.name: mm.branches.vector.linear(spec, dim=dim) for spec in SPECS}


@pytest.fixture
def source():
    return mm.dual_encoder(SPECS, branches(), dim=4)


def target(dim=8, fusion=None):
    return mm.fusion_model(SPECS, branches(dim), fusion or mm.fusion.Concatenate(8), HEADS)


def feed():
    rng = np.random.default_rng(0)
    x = {spec.name: rng.normal(size=(16, spec.size)).astype("float32") for spec in SPECS}
    return x | {f"{name}_mask": np.ones((16, 1), bool) for name in ("left", "right")}


def test_branches_are_taken_over_and_said(source, capsys):
    model = target()
    found = mm.train.transfer(model, source, freeze=["left"])
    assert found["taken"] == ["left_branch", "right_branch"] and found["frozen"] == ["left_branch"]
    assert "kind_logits" in found["new"] and len(found["new"]) == 2
    said = capsys.readouterr().out
    assert "Taken over from 'dual_encoder': left_branch, right_branch. Frozen: left_branch. Starts anew:" in said
    for name in ("left_branch", "right_branch"):
        for one, two in zip(model.get_layer(name).get_weights(), source.get_layer(name).get_weights(), strict=True):
            np.testing.assert_array_equal(one, two)


def test_what_is_frozen_stays_and_the_source_is_not_changed(source):
    model = target()
    mm.train.transfer(model, source, freeze=["left"], verbose=False)
    before = {name: source.get_layer(f"{name}_branch").get_weights() for name in ("left", "right")}
    optimizer = mm.train.discriminative("adam", model, {"right": 0.5})
    model.compile(optimizer, **mm.heads.compile_for(HEADS))
    model.fit(feed(), {"kind": np.arange(16) % 2}, epochs=2, verbose=0)
    for name, moved in (("left", False), ("right", True)):
        after = model.get_layer(f"{name}_branch").get_weights()
        assert any((one != two).any() for one, two in zip(after, before[name], strict=True)) is moved
        unchanged = source.get_layer(f"{name}_branch").get_weights()
        assert all((one == two).all() for one, two in zip(unchanged, before[name], strict=True))


def test_from_a_file_with_the_fusion_and_the_head(tmp_path):
    trained = target(fusion=mm.fusion.Attention(8, num_heads=2))
    trained.save(tmp_path / "model.keras")
    model = target(fusion=mm.fusion.Attention(8, num_heads=2))
    assert np.abs(model(feed())["kind"] - trained(feed())["kind"]).max() > 1e-4
    found = mm.train.transfer(model, mm.load_model(tmp_path / "model.keras"), freeze=["fusion"], verbose=False)
    assert found["new"] == [] and len(found["frozen"]) == 1 and found["frozen"][0].startswith("attention")
    np.testing.assert_allclose(model(feed())["kind"], trained(feed())["kind"], atol=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda s: mm.train.transfer(target(dim=9), s),
            r"'left_branch' must have the same weights.*shapes \(\(6, 8\), ",
        ),
        (lambda s: mm.train.transfer(target(), s, freeze=["rigth"]), r"can be frozen. Received: 'rigth'. Did you mean"),
        (lambda s: mm.train.transfer(target(), s, freeze=["kind"]), r"Only what is taken over can be frozen.*'kind'"),
        (lambda s: mm.train.transfer(keras.Sequential([keras.layers.Dense(1)]), s), r"must have the same name in 'seq"),
    ],
)
def test_errors_name_the_remedy(source, call, message):
    with pytest.raises(ValueError, match=message):
        call(source)
