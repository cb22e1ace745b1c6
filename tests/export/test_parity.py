"""Answers of the right model pass, those of another one fail, whatever the unit, the classes and the format."""

import importlib

import keras
import numpy as np
import pytest
import tensorflow as tf

import mmkeras as mm
from mmkeras.export import distance, saved_model
from mmkeras.export._litert.export import TOLERANCE
from mmkeras.export._litert.verify.report import SERVED
from mmkeras.export.parity import answer_problems, check_outputs, numbers_of

HEADS = [
    mm.heads.classification("kind", classes=range(100)),
    mm.heads.classification("mood", classes=["a", "b", "c"]),
    mm.heads.classification("tags", classes=["a", "b", "c", "d"], multi_label=True),
    mm.heads.regression("year", mean=2000.0, std=5.0),
]
# Tolerance of each format, and logit noise that is acceptable: twice that of a trained model.
FORMATS = {"SavedModel": (1e-5, 1e-6), "float32": (TOLERANCE[None], 1e-5), "float16": (TOLERANCE["float16"], 2e-3),
           "dynamic": (TOLERANCE["dynamic"], 0.02), "int8": (TOLERANCE["int8"], 0.05),
           "served": (SERVED["float32"], 1e-5)}  # fmt: skip


def softmax(logits):
    return np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)


def answers(weights, noise=0.0, n=40):
    """What a model of these weights says to the same n inputs, as float32; `noise` is that of its logits."""
    x = np.random.default_rng(0).normal(size=(n, 8))
    weight, error = np.random.default_rng(weights), np.random.default_rng(9)
    logits = [x @ weight.normal(size=(8, k)) / 8 + error.normal(size=(n, k)) * noise for k in (100, 3, 4, 1)]
    outputs = [softmax(logits[0]), softmax(logits[1]), 1 / (1 + np.exp(-logits[2])), 2000 + 5 * logits[3]]
    return {head.name: output.astype("float32") for head, output in zip(HEADS, outputs, strict=True)}


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("head", HEADS, ids=lambda head: head.name)
def test_another_model_and_exchanged_rows_fail_in_every_format(head, format_):
    tolerance, noise = FORMATS[format_]
    right = answers(0)
    check_outputs("file", [head], answers(0, noise), right, tolerance)
    exchanged = {name: np.roll(values, 1, axis=0) for name, values in right.items()}
    for wrong in (answers(1), exchanged):
        with pytest.raises(ValueError, match=f"file: {head.name}: .*times that of a constant answer"):
            check_outputs("file", [head], wrong, right, tolerance)
        check_outputs("file", [head], wrong, right, tolerance=1000.0)  # unless a large tolerance is asked for


def test_the_message_has_numbers_and_units():
    right = answers(0)
    with pytest.raises(ValueError) as caught:
        check_outputs("x.tflite", HEADS, right | {"year": right["year"] + 4.0}, right, 0.25)
    large = "0.8 standard deviations (4 in the unit of the label)"
    said = f"year: largest difference {large}, allowed 0.25; mean difference {large}, allowed 0.0625; mean difference 2"
    assert f"within tolerance=0.25. Received:\n  x.tflite: {said}" in str(caught.value)
    assert "Is it the export of this model" in str(caught.value) and "kind" not in str(caught.value)


def test_rounding_of_the_unit_is_no_difference():
    year = np.array([[2000.0], [2010.0], [1990.0]], "float32")
    unit = {"kind": "values", "std": (1e-3,)}  # the spacing of float32 is 1.2e-4 there
    assert distance.distances(unit, np.nextafter(year, np.float32(3000)), year).tolist() == [0, 0, 0]
    half = distance.distances({"kind": "values", "std": (5.0,)}, year + 0.4, year, half=True)
    assert half.tolist() == [0, 0, 0] and distance.distances(unit, year + 0.4, year).min() > 300


def test_one_example_and_equal_answers_are_compared_without_a_spread():
    unit, right = {"kind": "classes"}, np.array([[0.4, 0.35, 0.25]])
    for n in (1, 5):
        rows = np.repeat(right, n, 0)
        assert distance.compare(unit, rows, rows) == {"largest": 0.0, "mean": 0.0, "relative": None}
        assert distance.faults(unit, rows + np.array([0.01, -0.01, 0.0]), rows, 0.1) == []
        assert "mean difference 0.05" in distance.faults(unit, rows + np.array([0.05, -0.05, 0.0]), rows, 0.1)[0]
    assert distance.faults(unit, right[:0], right[:0], 0.1) == []
    assert distance.faults(unit, right[:, :2], right, 0.1)[0].startswith("largest difference inf")


def test_classes_change_in_near_ties_only():
    unit, n = {"kind": "classes"}, 100
    right = np.tile([[0.53, 0.47]], (n, 1))
    right[::2] = 0.1, 0.9
    few, many = right.copy(), right.copy()
    few[1:19:2], many[1:21:2] = few[1:19:2, ::-1], many[1:21:2, ::-1]  # 9 and 10 rows go from 0.53 to 0.47
    assert distance.allowed_flips(n) == 7
    assert distance.faults(unit, many, right, 0.25) == []  # 0.06 is a near tie if 8 bits may change a score by 0.06
    said = distance.faults(unit, few, right, 0.1)
    assert said == ["another class in 9 of 100 examples, near ties left out, allowed 7"]
    labels = {"kind": "labels"}
    assert distance.flips(labels, 1 - right[:, :1], right[:, :1], margin=0.04) == n
    assert distance.flips(labels, 1 - right[:, :1], right[:, :1], margin=0.08) == n // 2


def served(scores, classes=(b"a", b"b", b"c")):
    classes = np.array(classes, object)
    return {
        "mood": classes[scores.argmax(-1)],
        "mood_scores": scores,
        "mood_classes": np.tile(classes, (len(scores), 1)),
    }


def test_names_of_classes_are_equal_but_for_ties():
    head, scores = HEADS[1:2], np.array([[0.4, 0.4 - 1e-6, 0.2], [0.8, 0.1, 0.1]], "float32")
    right, tied = served(scores), served(scores + np.float32([[-1e-6, 1e-6, 0]]))
    assert tied["mood"].tolist() == [b"b", b"a"]
    largest, problems = answer_problems(head, tied, right, 1e-5)
    assert largest["mood"] == 0.0 and list(largest) == list(right) and not any(problems.values())
    for wrong in (tied | {"mood": np.array([b"a", b"b"], object)}, tied | {"mood": np.array([b"a", b"x"], object)}):
        largest, problems = answer_problems(head, wrong, right, 1e-5)
        assert largest["mood"] == float("inf") and problems["mood"] == ["other names of classes in 1 examples"]
    largest, _ = answer_problems(head, served(scores, (b"b", b"a", b"c")) | {"mood": right["mood"]}, right, 1e-5)
    assert largest["mood_classes"] == float("inf") and largest["mood_scores"] == 0.0
    with pytest.raises(ValueError, match=r"names \['mood', .*\]. Received: \['mood'\]"):
        answer_problems(head, {"mood": right["mood"]}, right, 1e-5)
    with pytest.raises(ValueError, match=r"Missing: \['mood_scores'\]. Received: \['mood'\]. .*another model"):
        numbers_of(head, {"mood": right["mood"]})


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_no_number_fails(value):
    right = answers(0)
    wrong = {name: values.copy() for name, values in right.items()}
    wrong["mood"][3, 1] = value
    with pytest.raises(ValueError, match="mood: largest difference (nan|inf)"):
        check_outputs("file", HEADS, wrong, right, 0.25)


def years(seed):
    """preprocess, model and heads: a year of 2000 +- 5 from eight numbers, by weights that chance drew."""
    keras.utils.set_random_seed(seed)
    spec, head = mm.Vector("v", size=8), mm.heads.regression("year", mean=2000.0, std=5.0)
    branch = {"v": mm.branches.vector.linear(spec, dim=8)}
    return mm.preprocessor([spec]), mm.fusion_model([spec], branch, mm.fusion.Concatenate(8), [head]), [head]


@pytest.fixture
def samples():
    return {"v": np.random.default_rng(0).normal(size=(20, 8)).astype("float32")}


def test_the_saved_model_of_other_weights_is_refused(one_process, samples, tmp_path, monkeypatch):
    """Of a year, 0.01 of the largest value was 20 years."""
    preprocess, model, heads = years(0)
    report = saved_model(preprocess, model, tmp_path / "years" / "1", heads=heads, samples=samples)
    assert report["largest_difference"] < 1e-5
    _, other, _ = years(1)
    module = importlib.import_module("mmkeras.export._saved_model.export")
    write = module._write
    monkeypatch.setattr(module, "_write", lambda preprocess, model, *rest: write(preprocess, other, *rest))
    with pytest.raises(ValueError, match=r"(?s)ready: year: largest.*standard deviations \(.*in the unit of the label"):
        saved_model(preprocess, model, tmp_path / "years" / "2", heads=heads, samples=samples)
    assert not (tmp_path / "years" / "2").exists()


def test_the_file_of_other_weights_is_refused(convert_here, samples, tmp_path, monkeypatch):
    module = importlib.import_module("mmkeras.export._litert.export")
    preprocess, model, heads = years(0)
    _, other, _ = years(1)
    write = module.write_traced
    monkeypatch.setattr(module, "write_traced", lambda model, *rest: write(other, *rest))
    with pytest.raises(ValueError, match=r"years\.tflite: year: .*times that of a constant answer, allowed 0\.25"):
        module.litert(
            preprocess,
            model,
            tmp_path / "years.tflite",
            heads=heads,
            quantize="dynamic",
            samples=samples,
            verbose=False,
        )


@pytest.mark.parametrize("n", [1, 2])
def test_one_sample_is_enough_and_none_is_refused(one_process, samples, tmp_path, monkeypatch, n):
    monkeypatch.setenv("HOME", str(tmp_path))
    parts, few = years(0), {"v": samples["v"][:n]}
    report = saved_model(*parts[:2], "~/years", heads=parts[2], samples=few, version="next")
    assert report["samples"] == f"{n} given" and report["path"] == str(tmp_path / "years" / "1")
    for options in ({}, {"batch_size": 4}):
        report = mm.export.litert(
            *parts[:2], "~/years.tflite", heads=parts[2], samples=few, verbose=False, overwrite=True, **options
        )
        assert (tmp_path / "years.tflite").stat().st_size == report["bytes"]
        assert report["max_difference"]["year"] < 1e-4 and np.isfinite(report["mean_difference"]["litert"]["year"])
    for none in ({"v": samples["v"][:0]}, tf.data.Dataset.from_tensor_slices(samples).take(0)):
        for export, path in ((saved_model, tmp_path / "years" / "2"), (mm.export.litert, tmp_path / "none.tflite")):
            with pytest.raises(ValueError, match="samples must hold at least one raw example. Received: none"):
                export(*parts[:2], path, heads=parts[2], samples=none)


def test_sequences_are_compared_by_the_share_of_tokens_that_differ():
    unit, rows = {"kind": "tokens"}, np.tile([[2, 3, 4, 0], [3, 3, 0, 0]], (32, 1))
    other = rows.copy()
    other[:3, 1] = 5
    assert distance.distances(unit, other[:2], rows[:2]).tolist() == [1 / 3, 1 / 2]
    assert distance.distances(unit, rows[:2], np.zeros((2, 4), int)).tolist() == [1, 1]
    assert distance.compare(unit, rows, rows) == {"largest": 0.0, "mean": 0.0, "relative": 0.0}
    assert distance.faults(unit, rows, rows, 1e-4) == []
    (said,) = distance.faults(unit, other, rows, 1e-2)
    assert said == "mean difference 0.0182 of the tokens, allowed 0.005"
    assert distance.faults(unit, other, rows, 0.1) == []
    exchanged = distance.faults(unit, rows[::-1], rows, 2.0)
    assert len(exchanged) == 1 and "times that of a constant answer" in exchanged[0]
