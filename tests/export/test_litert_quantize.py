"""Smaller files: what stays exact, what may round, on layers as wide as real ones."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import mmkeras as mm
from mmkeras.export._litert.convert.trace import in_float32, named, write_traced
from mmkeras.export.process.litert import convert_files, run_files

RATE, TOKENS = 16_000, 24


def log_mel():
    x = {"x": keras.Input((RATE,), name="x"), "x_mask": keras.Input((RATE,), dtype="bool", name="x_mask")}
    return keras.Model(x, mm.layers.LogMel(RATE)(*x.values()))


def mixed():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        return mm.branches.text.transformer(mm.Text("text", vocabulary_size=50), dim=16, num_layers=1, pool="mean")
    finally:
        keras.config.set_dtype_policy("float32")


MODELS = {
    "log_mel": log_mel,
    "sound": lambda: mm.branches.audio.conv2d(mm.Audio("x"), filters=(16, 32, 64)),
    "text": lambda: mm.branches.text.transformer(mm.Text("text", vocabulary_size=2000), dim=64, pool="mean"),
    "recurrent": lambda: mm.branches.text.lstm(mm.Text("text", vocabulary_size=2000), units=64, embed_dim=64),
    "mixed": mixed,
}
JOBS = [(name, quantize) for name in MODELS for quantize in (None, "dynamic", "float16")]


def feeds():
    """A full and a half masked row of a tone, and of random words."""
    rng, tone = np.random.default_rng(0), 0.3 * np.sin(np.arange(RATE) * 2 * np.pi * 440 / RATE)
    halves = [np.arange(n) < n // 2 for n in (RATE, TOKENS)]
    sound = [{"x": tone[None].astype("float32"), "x_mask": mask[None]} for mask in (halves[0] | True, halves[0])]
    ids = rng.integers(2, 50, (1, TOKENS)).astype("int32")
    return sound, [{"text": ids, "text_mask": mask[None]} for mask in (halves[1] | True, halves[1])]


@pytest.fixture(scope="module")
def errors(tmp_path_factory):
    """By model and quantize: size in bytes, and the largest error of each row over its deviation; and the files."""
    folder, jobs, runs, expected = tmp_path_factory.mktemp("quantize"), [], [], {}
    for name, build in MODELS.items():
        keras.utils.set_random_seed(0)
        model, rows = build(), feeds()[name not in ("log_mel", "sound")]
        with in_float32(model):
            write_traced(model, folder / name)
            expected[name] = [np.asarray(_first(named(model(_tensors(row), training=False)))) for row in rows]
        for quantize in (None, "dynamic", "float16"):
            path = folder / f"{name}-{quantize}.tflite"
            jobs.append({"saved_model": folder / name, "path": path, "quantize": quantize})
            runs.append((path, rows))
    assert all("seconds" in answer for answer in convert_files(jobs))
    answers = dict(zip(JOBS, run_files(runs), strict=True))
    sizes = dict(zip(JOBS, (path.stat().st_size for path, _ in runs), strict=True))
    rows = {job: [_error(*pair) for pair in zip(answers[job], expected[job[0]], strict=True)] for job in JOBS}
    return sizes, rows, {job: path for job, (path, _) in zip(JOBS, runs, strict=True)}


def _tensors(arrays):
    return {key: tf.constant(value) for key, value in arrays.items()}


def _first(outputs):
    return outputs["output_0"]


def _error(answer, expected):
    return np.max(np.abs(_first(answer) - expected)) / np.std(expected)


def test_float32_is_exact(errors):
    assert max(max(errors[1][name, None]) for name in MODELS) < 1e-4


@pytest.mark.parametrize("quantize", ["dynamic", "float16"])
def test_log_mel_stays_float(errors, quantize):
    sizes, rows, _ = errors
    assert max(rows["log_mel", quantize]) < 1e-4
    assert sizes["log_mel", quantize] > 0.95 * sizes["log_mel", None]


@pytest.mark.parametrize("name", ["sound", "text", "recurrent"])
def test_dynamic_is_small_and_near(errors, name):
    sizes, rows, _ = errors
    front = sizes["log_mel", None] if name == "sound" else 0
    assert sizes[name, "dynamic"] - front < 0.35 * (sizes[name, None] - front)
    assert 1e-6 < max(rows[name, "dynamic"]) < 0.1


@pytest.mark.parametrize("name", ["sound", "text", "recurrent"])
def test_float16_is_half_and_nearer(errors, name):
    sizes, rows, _ = errors
    front = sizes["log_mel", None] if name == "sound" else 0
    assert sizes[name, "float16"] - front < 0.57 * (sizes[name, None] - front)
    assert max(rows[name, "float16"]) < 0.01


def test_masked_tokens_cost_dynamic_range_nothing(errors):
    full, half = errors[1]["text", "dynamic"]
    assert half < 3 * full + 0.01


def test_in_float32_gives_back_the_policy():
    model = mixed()
    block = model.get_layer("block_0")
    assert block.compute_dtype == "float16"
    with in_float32(model):
        assert block.compute_dtype == "float32"
        assert model({"text": np.ones((1, 3), "int32"), "text_mask": np.ones((1, 3), bool)})[0].dtype == tf.float32
    assert block.compute_dtype == "float16"
    assert model({"text": np.ones((1, 3), "int32"), "text_mask": np.ones((1, 3), bool)})[0].dtype == tf.float16


@pytest.mark.parametrize("quantize", ["dynamic", "float16"])
def test_no_state_survives_a_call(errors, forgets, quantize):
    forgets(errors[2]["recurrent", quantize], feeds()[1])
