"""One small trained model, quantised for all tests; the whole export is in test_litert_recurrent.py."""

import shutil
import types

import keras
import numpy as np
import pytest
import tensorflow as tf
from rich.console import Console

import mmkeras as mm
from mmkeras.export import litert
from mmkeras.export._litert.convert import int8
from mmkeras.export._litert.convert.trace import Form, write_traced
from mmkeras.export._litert.verify.flatbuffer import signature, used_ops
from mmkeras.export.distance import distances
from mmkeras.export.process.litert import convert_files, run_files
from mmkeras.export.process.scripts import plan, quantize

WORDS = ("hue", "sound", "which", "is", "it")
RATE = 2000


def examples(n, seed):
    """Which hue has the picture, or how high is the tone? Three answers; the text says what is asked."""
    rng = np.random.default_rng(seed)
    asked, hue, tone = rng.integers(0, 2, n), rng.integers(0, 3, n), rng.integers(0, 3, n)
    photo = rng.integers(0, 120, (n, 16, 16, 3))
    photo[np.arange(n), :, :, hue] += 60
    times = np.arange(RATE // 2) / RATE
    voice = np.sin(2 * np.pi * times * np.array([150, 300, 600])[tone][:, None]) * 10 ** rng.uniform(-3, -1, (n, 1))
    voice += rng.normal(0, 1e-4, voice.shape)
    ids = np.stack([asked + 2, *[rng.integers(4, 7, n) for _ in range(5)]], axis=1)
    order = np.argsort(rng.random((n, 6)), axis=1)
    ready = {
        "question": np.take_along_axis(ids, order, 1).astype("int32"),
        "question_mask": np.ones((n, 6), bool),
        "photo": photo.astype("uint8"),
        "voice": voice.astype("float32"),
        "voice_mask": np.ones((n, RATE // 2), bool),
    }
    return ready, np.where(asked == 0, hue, tone)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    keras.utils.set_random_seed(1)
    specs = [
        mm.Text("question", vocabulary=WORDS, max_tokens=6),
        mm.Image("photo", size=(16, 16)),
        mm.Audio("voice", seconds=0.5, sample_rate=RATE),
    ]
    heads = [mm.heads.classification("answer", classes=["0", "1", "2"])]
    branches = {
        "question": mm.branches.text.lstm(specs[0], units=64, embed_dim=256),
        "photo": mm.branches.image.conv2d(specs[1], filters=(16, 32), pool="flatten"),
        "voice": mm.branches.audio.conv2d(specs[2], filters=(16, 32), mel_bands=16, pool="mean"),
    }
    model = mm.fusion_model(specs, branches, mm.fusion.Concatenate(256), heads)
    model.compile(keras.optimizers.Adam(3e-3), **mm.heads.compile_for(heads))
    ready, labels = examples(768, 0)
    model.fit(ready, {"answer": labels}, batch_size=32, epochs=5, verbose=0)
    folder = tmp_path_factory.mktemp("trained")
    write_traced(model, folder / "saved", Form())
    (answer,) = convert_files([{"saved_model": folder / "saved", "path": folder / "float.tflite", "quantize": None}])
    assert "error" not in answer
    batches = tf.data.Dataset.from_tensor_slices((ready, {"answer": labels})).batch(50)
    preprocess = types.SimpleNamespace(input={})  # the batches are ready
    feeds = int8.feeds_of(batches, preprocess, model, Form(), signature(folder / "float.tflite")["inputs"])
    return types.SimpleNamespace(model=model, heads=heads, float=folder / "float.tflite", feeds=feeds, folder=folder)


@pytest.fixture(scope="module")
def quantised(trained):
    path = trained.folder / "int8.tflite"
    shutil.copy(trained.float, path)
    report = int8.quantize(path, trained.feeds, trained.heads, 0.25, False, 300, Console(quiet=True))
    return types.SimpleNamespace(path=path, report=report)


def test_it_is_as_accurate_and_a_third_of_the_size(trained, quantised):
    ready, labels = examples(400, 1)
    feeds = [{key: value[i : i + 1] for key, value in ready.items()} for i in range(400)]
    answers = run_files([(trained.float, feeds), (quantised.path, feeds)])
    accuracies = [np.mean(np.concatenate([a["answer"] for a in each]).argmax(1) == labels) for each in answers]
    assert accuracies[0] > 0.9 and accuracies[1] >= accuracies[0] - 0.005
    assert quantised.path.stat().st_size <= 0.35 * trained.float.stat().st_size


def test_every_part_is_int8_and_the_report_says_so(trained, quantised):
    report = quantised.report
    assert report["parts"] == dict.fromkeys(["fusion", "photo", "question", "voice"], "int8")
    assert report["fallback"] == {} and report["examples"] == len(trained.feeds) == int8.COUNT
    assert 0 < report["mean_change"] <= int8.LIMIT and report["mean_change"] <= report["largest_change"] <= 0.25


def test_inputs_outputs_and_names_are_those_of_the_float_file(trained, quantised):
    assert signature(quantised.path) == signature(trained.float)
    before, after = (used_ops(path) for path in (trained.float, quantised.path))
    assert set(after["CONV_2D"]) == set(before["CONV_2D"])
    assert {"QUANTIZE", "DEQUANTIZE", "WHILE", "RFFT2D"} <= set(after)


def treatments(trained, mode, extreme=()):
    """List of (number of the subgraph, op, what becomes of it)."""
    graph = plan.Graph(trained.float.read_bytes())
    ranges = dict.fromkeys(range(len(graph.model.subgraphs[0].tensors)), (-1.0, 1.0))
    ranges |= dict.fromkeys(extreme, (-1e9, 1.0))
    found = graph.treatments(dict.fromkeys(graph.parts(), mode), ranges, False)
    numbered = enumerate(zip(graph.graphs, found, strict=True))
    return [(i, op, one) for i, both in numbered for op, one in zip(*both, strict=True)]


def test_what_lies_before_the_logarithm_stays_float(trained):
    front = [(op.kind, one) for _, op, one in treatments(trained, "int8") if op.before_log]
    assert {"RFFT2D", "LOG", "BATCH_MATMUL"} <= {kind for kind, _ in front}
    assert not any(one for _, one in front)


def test_convolutions_become_int8_and_loops_dynamic(trained):
    found = {(op.kind, one, i > 0) for i, op, one in treatments(trained, "int8") if one}
    assert {("CONV_2D", "int8", False), ("MAX_POOL_2D", "int8", False), ("GATHER", "int8", False)} <= found
    assert {one for one in found if one[2]} == {("FULLY_CONNECTED", "dynamic", True)}
    assert not any(one for *_, one in treatments(trained, "float32"))
    gentler = {op.kind for _, op, one in treatments(trained, "dynamic") if one}
    assert gentler == {"CONV_2D", "FULLY_CONNECTED", "GATHER"}


def test_an_extreme_range_is_not_given_8_bits(trained):
    first = next(op for _, op, _ in treatments(trained, "int8") if op.kind == "CONV_2D")
    extreme = treatments(trained, "int8", first.outputs)
    found = {op.outputs[0]: one for _, op, one in extreme if op.kind == "CONV_2D"}
    assert found.pop(first.outputs[0]) != "int8" and "int8" in found.values()


def test_a_part_that_costs_too_much_falls_back_and_says_so(trained, quantised, capsys, monkeypatch):
    path = trained.folder / "fallback.tflite"
    shutil.copy(trained.float, path)
    monkeypatch.setattr(int8, "LIMIT", 0.5 * quantised.report["mean_change"])
    report = int8.quantize(path, trained.feeds, trained.heads, 0.25, False, 300, Console(width=300))
    assert report["fallback"] and report["mean_change"] <= int8.LIMIT
    part, why = next(iter(report["fallback"].items()))
    assert report["parts"][part] in ("dynamic", "float32") and "int8 changed the answers by" in why
    assert f"'{part}' was not left in int8" in capsys.readouterr().out
    assert trained.float.stat().st_size > path.stat().st_size


def test_change_is_of_the_head_that_moved_most():
    heads = {"a": {"kind": "classes"}, "b": {"kind": "values", "std": (40.0,)}}
    right = [
        {"a": np.array([[0.5, 0.5]]), "b": np.array([[10.0]])},
        {"a": np.array([[1.0, 0.0]]), "b": np.array([[30.0]])},
    ]
    moved = [
        {"a": np.array([[0.5, 0.5]]), "b": np.array([[12.0]])},
        {"a": np.array([[0.9, 0.1]]), "b": np.array([[30.0]])},
    ]
    assert quantize.change(heads, moved, right, distances) == pytest.approx((0.1, 0.1))
    broken = [{**moved[0], "b": np.array([[np.nan]])}, moved[1]]
    assert quantize.change(heads, broken, right, distances) == (np.inf, np.inf)


def test_table_rows_are_taken_at_even_distances(parts, raw):
    many = {key: list(values) * 100 for key, values in raw.items()}
    many["price"] = [float(i) for i in range(400)]
    spread = int8._spread(many)
    assert len(spread["price"]) == int8.COUNT - 1 and spread["price"][0] == 0 and spread["price"][-1] == 399
    (first, *_), n = int8._prepared(raw, parts.preprocess), len(raw["price"])
    assert len(first["row"]) == n + 1 and not first["photo_mask"][n].any()  # the last one has no optional modality


@pytest.mark.parametrize("representative, message", [
    (lambda raw: None, "representative=None.*representative=raw"),
    (lambda raw: {key: [] for key in raw}, "representative without any"),
    (lambda raw: tf.data.Dataset.from_tensor_slices(raw).take(0), "representative without any"),
    (lambda raw: {key: raw[key] for key in raw if key != "voice"}, "Missing: .*'voice'.*Received: .*review"),
    (lambda raw: tf.data.Dataset.from_tensor_slices(raw["review"]), "must yield dicts.*by name"),
    (lambda raw: tf.data.Dataset.from_tensor_slices(raw).batch(2), "raw examples one by one, or batches of ready"),
    (lambda raw: lambda: iter(raw), "must be a tf.data.Dataset of dicts.*Received: function"),
])  # fmt: skip
def test_examples_that_cannot_be_measured_with_are_refused_before_any_work(
    parts, raw, tmp_path, representative, message
):
    options = {"quantize": "int8", "representative": representative(raw)}
    with pytest.raises(ValueError, match=f"(?s){message}"):
        litert(parts.preprocess, parts.model, tmp_path / "new" / "x.tflite", heads=parts.heads, **options)
    assert not list(tmp_path.iterdir())


def test_ready_examples_come_in_batches(parts, raw):
    ready = parts.preprocess({name: tf.constant(raw[name]) for name in parts.preprocess.input})
    ready = tf.data.Dataset.from_tensor_slices(ready)
    int8.check_representative(ready.batch(2), parts.preprocess, parts.model)
    with pytest.raises(ValueError, match="batches of ready ones.*Give raw.unbatch"):
        int8.check_representative(ready, parts.preprocess, parts.model)
