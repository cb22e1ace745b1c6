"""Late and hybrid fusion, auxiliary answers, modality dropout: trained, evaluated by subset, exported."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import mmkeras as mm

SPECS = [mm.Table("left", numeric=["a", "b"], optional=True), mm.Table("right", numeric=["c", "d"], optional=True)]
HEADS = [mm.heads.classification("kind", ["no", "yes"]), mm.heads.regression("size", mean=0.0, std=1.0)]
BY = ["kind.left", "kind.right", "size.left", "size.right"]


def branches():
    return {spec.name: mm.branches.table.mlp(spec, units=(8,)) for spec in SPECS}


def examples(n=512):
    """Either side alone tells the kind, where it is there: half of the examples lack one."""
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 2, n)
    x = {spec.name: (rng.normal(size=(n, 2)) * 0.5 + 2 * kind[:, None] - 1).astype("float32") for spec in SPECS}
    absent = rng.integers(0, 4, n)
    x |= {f"{spec.name}_mask": np.repeat((absent != i)[:, None], 2, 1) for i, spec in enumerate(SPECS)}
    return x, {"kind": kind.astype("int32"), "size": kind[:, None].astype("float32")}


def build(stage, **arguments):
    keras.utils.set_random_seed(0)
    fusion = mm.fusion.Concatenate(8)
    if stage == "late":
        return mm.late_fusion_model(SPECS, branches(), HEADS, **arguments)
    builder = mm.fusion_model if stage == "early" else mm.hybrid_fusion_model
    return builder(SPECS, branches(), fusion, HEADS, **arguments)


@pytest.mark.parametrize("stage", ["early", "late", "hybrid"])
def test_auxiliary_answers_learn_from_the_labels_of_their_heads(stage):
    model = build(stage, auxiliary=True, modality_dropout=0.2)
    assert list(model.output) == ["kind", "size", *BY]
    model.compile(keras.optimizers.Adam(0.03), **mm.heads.compile_for(HEADS, auxiliary=["left", "right"]))
    x, y = examples()
    logs = model.fit(x, y, epochs=4, verbose=0, sample_weight={name: np.ones(len(y["kind"])) for name in y}).history
    assert logs["kind_accuracy"][-1] > 0.9
    assert min(logs[f"kind.{side}_accuracy"][-1] for side in ("left", "right")) > 0.8
    assert {"size.left_mae", "size.right_loss"} <= set(logs)


def test_the_loss_is_the_weighted_sum():
    model = build("early", auxiliary=True)
    arguments = mm.heads.compile_for(HEADS, loss_weights={"size": 0.5}, auxiliary=["left"], auxiliary_weight=0.2)
    assert arguments["loss_weights"] == {"kind": 1.0, "size": 0.5, "kind.left": 0.2, "size.left": 0.1}
    with pytest.raises(ValueError, match=r"loss_weights must name heads. Received: \['sise'\]"):
        mm.heads.compile_for(HEADS, loss_weights={"sise": 0.5})
    model.compile("adam", **mm.heads.compile_for(HEADS, auxiliary=["left", "right"], auxiliary_weight=0.2))
    logs = model.evaluate(*examples(), verbose=0, return_dict=True)
    total = logs["kind_loss"] + logs["size_loss"] + 0.2 * sum(logs[f"{name}_loss"] for name in BY)
    assert logs["loss"] == pytest.approx(total, rel=1e-4)


def test_late_fusion_is_the_combination_of_what_each_says():
    model = build("late", auxiliary=True, combine="mean")
    x, _ = examples(8)
    answers = {name: value.numpy() for name, value in model(x).items()}
    there = np.stack([x[f"{spec.name}_mask"][:, 0] for spec in SPECS])[..., None]
    each = np.stack([answers[name] for name in BY[:2]])
    np.testing.assert_allclose(answers["kind"], (each * there).sum(0) / there.sum(0), rtol=1e-5)
    with pytest.raises(ValueError, match="'mean' or 'learned' to regression heads"):
        build("late", combine="product")


def test_a_row_for_every_subset_and_files_of_it_load(tmp_path):
    model = build("hybrid")
    x, y = examples(64)
    found = mm.evaluate.report(model, [(x, y)], HEADS, specs=SPECS)["models"]
    assert list(found) == ["model", "model: right", "model: left"]
    alone = model(x | {"left_mask": np.zeros((64, 2), bool)})["kind"].numpy()
    assert found["model: right"]["kind"]["accuracy"] == np.mean(alone.argmax(-1) == y["kind"])
    model.save(tmp_path / "hybrid.keras")
    again = mm.load_model(tmp_path / "hybrid.keras")
    np.testing.assert_allclose(again(x)["size.left"], model(x)["size.left"], rtol=1e-6)
    required = mm.Image("photo", size=(8, 8))
    with pytest.raises(ValueError, match=r"Only a modality with a mask can be absent.*'photo'.*optional=True"):
        mm.evaluate.mask_modalities([], [required], ["photo"])


def test_subsets_of_many_modalities_stay_few():
    specs = [mm.Table(name, numeric=[f"{name}_"], optional=True) for name in "abcde"]
    assert [len(absent) for absent in mm.evaluate.subsets(specs)] == [1] * 5 + [4] * 5
    assert [len(absent) for absent in mm.evaluate.subsets(specs[:3])] == [1, 1, 1, 2, 2, 2]


def test_exports_leave_auxiliary_answers_out(one_process, tmp_path):
    from mmkeras.contract import without_auxiliary

    model = build("hybrid", modality_dropout=0.1)
    assert list(without_auxiliary(model, HEADS).output) == [head.name for head in HEADS]
    raw = {name: np.array([0.5, -1.0, np.nan], "float32") for name in "abcd"}
    preprocess = mm.adapt(mm.preprocessor(SPECS), tf.data.Dataset.from_tensor_slices(raw), verbose=False)
    report = mm.export.saved_model(preprocess, model, tmp_path / "hybrid" / "1", heads=HEADS, samples=raw)
    assert not [name for run in report["max_difference"].values() for name in run if "." in name]
    report = mm.export.litert(preprocess, model, tmp_path / "hybrid.tflite", heads=HEADS, samples=raw, verbose=False)
    assert sorted(report["outputs"]) == sorted(head.name for head in HEADS)


def test_names_of_auxiliary_answers_are_never_those_of_heads():
    heads = [mm.heads.classification("kind", ["a", "b"]), mm.heads.classification("kind_by_left", ["a", "b", "c"])]
    model = mm.fusion_model(SPECS, branches(), mm.fusion.Concatenate(4), heads, auxiliary=True)
    assert len(model.output) == 6 and model.output["kind_by_left"].shape[-1] == 3
    plain = mm.fusion_model(SPECS, branches(), mm.fusion.Concatenate(4), heads)
    plain.compile("adam", **mm.heads.compile_for(heads))
    x, y = examples(8)
    with pytest.raises(ValueError, match=r"Missing: \['kind_by_left'\]"):
        plain.fit(x, {"kind": y["kind"]}, verbose=0)


def test_losses_must_fit_the_auxiliary_answers():
    with pytest.raises(
        ValueError, match=r"Missing: \['kind.left'.*compile_for\(heads, auxiliary=\['left', 'right'\]\)"
    ):
        build("hybrid").compile("adam", **mm.heads.compile_for(HEADS))
    with pytest.raises(ValueError, match="Unknown: .*'kind.left'.*build the model with auxiliary=True"):
        build("early").compile("adam", **mm.heads.compile_for(HEADS, auxiliary=["left"]))


def test_modality_dropout_by_name():
    dropout = build("late", modality_dropout={"left": 0.5}).get_layer("modality_dropout")
    assert dropout.rate == (0.5, 0.0)
    with pytest.raises(ValueError, match="modality_dropout must name specs.*'lfet' Did you mean 'left'"):
        build("late", modality_dropout={"lfet": 0.5})


def test_a_baseline_may_not_take_the_row_of_a_subset():
    model = build("early")
    with pytest.raises(ValueError, match="model: left"):
        mm.evaluate.report(model, [examples(8)], HEADS, specs=SPECS, baselines={"model: left": model})
