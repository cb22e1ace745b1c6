"""Contributions, verdicts, robustness, slices, errors: against values worked out by hand, on a small trained model."""

import keras
import numpy as np
import pandas as pd
import pytest

import mmkeras as mm
from mmkeras import evaluate
from mmkeras.data.generate.files import wav
from mmkeras.evaluate import corruptions

SPECS = [mm.Table("left", numeric=["a", "b"], optional=True), mm.Table("right", numeric=["c"], optional=True)]
HEADS = [mm.heads.classification("kind", ["no", "yes"]), mm.heads.regression("size", mean=0.0, std=1.0)]


def build(specs):
    keras.utils.set_random_seed(0)
    branches = {spec.name: mm.branches.table.mlp(spec, units=(8,)) for spec in specs}
    model = mm.fusion_model(specs, branches, mm.fusion.MLP(16), HEADS, modality_dropout=0.2 if len(specs) > 1 else 0.0)
    model.compile(keras.optimizers.Adam(0.02), **mm.heads.compile_for(HEADS))
    return model


@pytest.fixture(scope="module")
def frame():
    """Column a says most of the label, c the rest; b says nothing. Rows of one place are wrongly labelled."""
    rng = np.random.default_rng(0)
    a, b, c = rng.normal(size=(3, 600))
    place = np.where(rng.random(600) < 0.1, "harbour", "town")
    right = (2 * a + c > 0) ^ (place == "harbour")
    kind = np.where(right, "yes", "no")
    return pd.DataFrame(
        {"a": a, "b": b, "c": c, "kind": kind, "size": a + c, "place": place, "number": rng.random(600)}
    )


@pytest.fixture(scope="module")
def raw(frame):
    return mm.data.from_dataframe(frame, SPECS, HEADS)


@pytest.fixture(scope="module")
def preprocess(raw):
    return mm.adapt(mm.preprocessor(SPECS), raw, verbose=False)


@pytest.fixture(scope="module")
def test(raw, preprocess):
    return mm.data.eval_batches(raw, preprocess, batch_size=100)


@pytest.fixture(scope="module")
def trained(raw, preprocess):
    train = mm.data.train_batches(raw, preprocess, batch_size=100, cache="memory", verbose=False)
    model = build(SPECS)
    model.fit(train, epochs=12, verbose=0)
    return model, evaluate.train_baselines(build, SPECS, train, epochs=12, verbose=0)


def test_shapley_values_sum_to_the_change_of_the_score(trained, test):
    model, _ = trained
    found = evaluate.contributions(model, test, verbose=False)
    labels, outputs = evaluate.predict(model, test)
    for head in HEADS:
        own = found[head.name]
        assert list(own["values"]) == ["", "left", "right", "left + right"]
        main = evaluate.scores(head, labels[head.name], outputs[head.name])
        assert own["values"]["left + right"] == pytest.approx(main["accuracy" if head.classes else "mae"])
        moved = own["values"]["left + right"] - own["values"][""]
        assert sum(own["shapley"].values()) == pytest.approx(moved)
        assert own["interactions"]["left + right"] == pytest.approx(moved - 0 - sum(
            own["values"][name] - own["values"][""] for name in ("left", "right")
        ))  # fmt: skip
    assert found["kind"]["shapley"]["left"] > found["kind"]["shapley"]["right"] > 0
    assert found["size"]["lower_is_better"] and found["size"]["shapley"]["left"] < 0
    absent = evaluate.predict(model, evaluate.mask_modalities(test, SPECS, ["left", "right"]))[1]["kind"]
    answered = outputs["kind"].argmax(-1)
    rows = np.arange(600)
    expected = outputs["kind"][rows, answered] - absent[rows, answered]
    np.testing.assert_allclose(found["kind"]["examples"].sum(-1), expected, atol=1e-5)
    required = mm.Image("photo", size=(8, 8))
    with pytest.raises(
        ValueError, match=r"1 to 6 modalities that can be absent, \['left', 'right'\]. Received: \['photo'\]"
    ):
        evaluate.contributions(model, test, specs=[required])


def test_shuffling_finds_the_columns_that_count(trained, test):
    model, _ = trained
    found = evaluate.column_importance(model, test, table="left", repeats=2, verbose=False)
    for own in found.values():
        assert list(own) == ["a", "b"] and own["a"][0] > 5 * abs(own["b"][0])
    with pytest.raises(ValueError, match=r"mm.Table of the model. Received: 'up'. Its tables: \['left', 'right'\]"):
        evaluate.column_importance(model, test, table="up")


def test_the_verdict_says_whether_fusion_pays(trained, test):
    model, baselines = trained
    assert list(baselines) == ["left only", "right only"] and list(baselines["left only"].input) == [
        "left",
        "left_mask",
    ]
    found = evaluate.verdict(model, baselines, test)
    assert found["kind"]["verdict"].startswith("Fusion pays. kind: 0.") and found["kind"]["pays"] is True
    assert found["kind"]["baseline"] == "left only" and found["kind"]["test"] == "McNemar's exact test"
    assert found["size"]["pays"] is True and found["size"]["test"] == "paired bootstrap"
    same = evaluate.verdict(model, {"twin": model}, test, HEADS[:1])["kind"]
    assert same["pays"] is None and same["p"] == 1.0 and "can't be told apart" in same["verdict"]
    worse = evaluate.verdict(baselines["right only"], {"all": model}, test, HEADS[:1])["kind"]
    assert worse["pays"] is None and worse["verdict"].startswith("Another model that reads all its inputs is better")
    blind = build(SPECS)  # which has learned nothing
    no = evaluate.verdict(blind, baselines | {"trained": model}, test, HEADS[:1])["kind"]
    assert no["pays"] is False and no["verdict"].startswith("Fusion does not pay: the baseline is better. kind: ")
    assert no["baseline"] == "left only" and no["alternative"]["baseline"] == "trained"
    yes = evaluate.verdict(model, baselines | {"blind": blind}, test, HEADS[:1])["kind"]["verdict"]
    assert yes.startswith("Fusion pays.") and "The model is better than the others that read all its inputs" in yes
    with pytest.raises(ValueError, match="A verdict needs baselines"):
        evaluate.verdict(model, {}, test)
    with pytest.raises(ValueError, match="there must be two or more"):
        evaluate.train_baselines(build, SPECS[:1], test)


def test_groups_widen_the_interval_of_a_difference():
    apart = np.repeat([1.0, -1.0, 1.0, 1.0, -1.0, 1.0], 50)
    alone, p, _ = evaluate.paired(apart, draws=500)
    grouped, grouped_p, _ = evaluate.paired(apart, group=np.repeat(np.arange(6), 50), draws=500)
    assert np.diff(grouped) > 4 * np.diff(alone) and p < 1e-6 < 0.1 < grouped_p


def test_robustness_curves(trained, raw, preprocess, test, tmp_path):
    model, _ = trained
    twice = evaluate.robustness(
        model, preprocess, raw, reference=model, strengths=(0, 1), batch_size=200, verbose=False
    )
    labels, outputs = evaluate.predict(model, test)
    own = twice["kind"]
    assert own["clean"] == evaluate.scores(HEADS[0], labels["kind"], outputs["kind"])["accuracy"]
    noise = own["curves"]["left"]["noise"]
    assert noise["scores"][0] == own["clean"] > noise["scores"][1] + 0.1
    assert noise["relative"] == pytest.approx(np.mean(noise["scores"])) and noise["effective"] == 0.0
    assert own["curves"]["left"]["values missing"]["scores"][1] == own["absent"]["left"]  # all of them are missing
    assert twice["size"]["lower_is_better"] and twice["size"]["absent"]["left"] > twice["size"]["clean"]
    assert evaluate.draw_robustness(twice, tmp_path / "curves.png").stat().st_size > 10_000
    with pytest.raises(ValueError, match=r"strengths must increase, from above 0 to at most 1. Received: \[0.5, 1.0\]"):
        evaluate.robustness(model, preprocess, raw, strengths=(0.5, 1))


SINE = (np.sin(np.arange(4000) / 3).reshape(2, 2000) / 2).astype("float32")
PIXELS, FULL = np.full((2, 5, 8, 8, 3), 200, "uint8"), np.ones((2, 2), bool)
EXAMPLES = [
    (mm.Text("x"), {"x": np.array([b"one two three", b"four"], object)}),
    (mm.Image("x", size=(8, 8)), {"x": PIXELS[:, 0]}),
    (mm.Audio("x", seconds=0.25, sample_rate=8000), {"x": SINE, "x_mask": np.ones((2, 2000), bool)}),
    (mm.Video("x", frames=5, size=(8, 8)), {"x": PIXELS, "x_mask": np.array([[1] * 5, [0] * 5], bool)}),
    (mm.Table("x", numeric="n", categorical="c"), {"x": np.array([[0.5, 3], [0, 1]], "float32"), "x_mask": FULL}),
    (mm.Vector("x", size=4), {"x": np.ones((2, 4), "float32"), "x_mask": FULL[:, :1]}),
]


@pytest.mark.parametrize("spec, values", EXAMPLES, ids=lambda part: getattr(part, "kind", ""))
def test_corruptions_keep_shapes_and_change_more_with_strength(spec, values):
    for name, change in corruptions.KINDS[spec.kind].CORRUPTIONS.items():
        none, most = (change(dict(values), spec, strength, np.random.default_rng(0)) for strength in (0.0, 1.0))
        for key, value in values.items():
            assert none[key].shape == most[key].shape == value.shape and most[key].dtype == value.dtype
            if value.dtype == "float32":
                np.testing.assert_allclose(none[key], value, atol=1e-6)
            else:
                assert (none[key] == value).all()
        flat = name in ("blur", "JPEG")  # blur and JPEG compression hardly change a single colour
        assert flat or any((most[key] != values[key]).any() for key in values), name


def test_noise_of_given_sounds_has_the_distance_it_says():
    waveform, mask = np.sin(np.arange(8000) / 3)[None].astype("float32") * 0.1, np.ones((1, 8000), bool)
    street = corruptions.audio.noise_of([np.sign(np.sin(np.arange(500))).astype("float32")])
    spec = mm.Audio("x", seconds=1.0, sample_rate=8000)
    heard = street({"x": waveform, "x_mask": mask}, spec, 0.75, np.random.default_rng(0))["x"]
    assert 10 * np.log10(np.mean(waveform**2) / np.mean((heard - waveform) ** 2)) == pytest.approx(0.0, abs=0.1)


def test_noise_of_files_is_that_of_their_waveforms(tmp_path):
    tone = (np.sin(np.arange(3000) / 5) / 2).astype("float32")
    (tmp_path / "tone.wav").write_bytes(wav(tone, 8000))
    spec, values = mm.Audio("x", seconds=0.25, sample_rate=8000), {"x": SINE, "x_mask": np.ones((2, 2000), bool)}
    heard = [corruptions.audio.noise_of([each])(values, spec, 0.5, np.random.default_rng(0))["x"]
             for each in (tone[:2000], tmp_path / "tone.wav")]  # fmt: skip
    np.testing.assert_allclose(*heard, atol=1e-3)
    (tmp_path / "none.wav").write_bytes(wav(0 * tone, 8000))
    with pytest.raises(ValueError, match="A file of noise must hold a sound. Received: none in"):
        corruptions.audio.noise_of([str(tmp_path / "none.wav")])(values, spec, 0.5, np.random.default_rng(0))
    with pytest.raises(ValueError, match="Noise of given sounds needs one or more"):
        corruptions.audio.noise_of([])


def test_the_worst_slice_comes_first(trained, test, frame):
    labels, outputs = evaluate.predict(trained[0], test)
    found = evaluate.slices(HEADS[0], labels["kind"], outputs["kind"], frame=frame.drop(columns="kind"))
    first = found.iloc[0]
    assert (first["column"], first["value"]) == ("place", "harbour") and first["gap"] < -0.5 and first["p"] < 1e-6
    right = outputs["kind"].argmax(-1) == labels["kind"]
    assert first["score"] == right[frame["place"] == "harbour"].mean() and first["low"] < first["score"] < first["high"]
    assert (
        set(found["column"]) == {"a", "b", "c", "size", "place", "number"} and (found["column"] == "number").sum() == 4
    )
    assert found[found["column"] == "number"]["p"].min() > 0.05
    size = evaluate.slices(HEADS[1], labels["size"], outputs["size"], frame=frame, columns=["number"])
    assert size["score"].mean() == pytest.approx(np.abs(labels["size"] - outputs["size"]).mean(), rel=0.02)
    with pytest.raises(ValueError, match="'plaice' Did you mean 'place'"):
        evaluate.slices(HEADS[0], labels["kind"], outputs["kind"], frame=frame, columns=["plaice"])
    files = frame.assign(file=b"\xa0")
    assert "file" not in set(evaluate.slices(HEADS[1], labels["size"], outputs["size"], frame=files)["column"])
    with pytest.raises(ValueError, match=r"columns of texts or numbers. Received: \['file'\], which hold bytes"):
        evaluate.slices(HEADS[1], labels["size"], outputs["size"], frame=files, columns=["file"])
    with pytest.raises(ValueError, match="Received: 600 rows, 1 examples"):
        evaluate.slices(HEADS[0], labels["kind"][:1], outputs["kind"][:1], frame=frame)


def test_rates_by_group_against_counting(trained, test, frame):
    labels, outputs = evaluate.predict(trained[0], test)
    found = evaluate.fairness(HEADS[0], labels["kind"], outputs["kind"], group=frame["place"])
    assert list(found) == ["yes"]
    town = (frame["place"] == "town").to_numpy()
    answers, truth = outputs["kind"].argmax(-1) == 1, labels["kind"] == 1
    rates = found["yes"]["groups"]["town"]
    assert rates["true_positive"] == answers[town & truth].mean() and rates["selected"] == answers[town].mean()
    assert rates["precision"] == truth[town & answers].mean() and rates["examples"] == town.sum()
    assert found["yes"]["gaps"]["selected"] == abs(answers[town].mean() - answers[~town].mean())
    with pytest.raises(ValueError, match="a head of kind 'regression'"):
        evaluate.fairness(HEADS[1], labels["size"], outputs["size"], group=frame["place"])


def test_errors_lists_confident_mistakes_and_doubted_labels(trained, test, frame):
    labels, outputs = evaluate.predict(trained[0], test)
    found = evaluate.errors(HEADS[0], labels["kind"], outputs["kind"], frame=frame)
    wrong = found[found["score"] == 0]
    assert len(found) == 600 and found["score"].is_monotonic_increasing
    assert wrong["confidence"].is_monotonic_decreasing and (wrong["truth"] != wrong["answer"]).all()
    doubted = frame.loc[found.index[found["likely_wrong"]], "place"]
    assert (doubted == "harbour").mean() > 0.7 and (doubted == "harbour").sum() > 0.7 * (
        frame["place"] == "harbour"
    ).sum()
    size = evaluate.errors(HEADS[1], labels["size"], outputs["size"])
    assert (
        size["score"].is_monotonic_decreasing
        and size["score"].iloc[0] == np.abs(labels["size"] - outputs["size"]).max()
    )
    tags = mm.heads.classification("tags", ["x", "y"], multi_label=True)
    both = evaluate.errors(tags, [[1, 0], [0, 0]], [[0.9, 0.8], [0.1, 0.2]])
    assert both[["truth", "answer"]].values.tolist() == [["x", "x|y"], ["", ""]]


def test_near_duplicates_are_found_by_embeddings(trained, test):
    model, _ = trained
    vectors = evaluate.embeddings(model, test)
    assert vectors.shape == (600, 16)
    np.testing.assert_allclose((vectors[:, :8] ** 2).sum(-1), 1.0, rtol=1e-4)
    found = evaluate.near_duplicates(vectors[[7, 450]], vectors[:300], least=0.999999)
    assert found.iloc[0][["test", "train"]].tolist() == [0, 7] and found["similarity"].iloc[0] == pytest.approx(1.0)
