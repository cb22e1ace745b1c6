"""A kind of head and a modality from outside the package, taken through reading, training, report, files and exports.

What is written here is all that it takes to add one.
"""

import dataclasses
import types

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from keras import ops
from matplotlib.figure import Figure

import mmkeras as mm
from mmkeras import edge
from mmkeras.data import modalities
from mmkeras.data.modalities.base import Modality, strings, text_converter
from mmkeras.evaluate.drawing import save
from mmkeras.heads import Head
from mmkeras.preprocess import RawLayer
from mmkeras.specs import Spec, Tensor

NAMES = ["red", "green", "blue"]

# A modality: the name of a colour, whose ready form is red, green and blue.


@keras.saving.register_keras_serializable("tests")
@dataclasses.dataclass(frozen=True)
class Colour(Spec):
    kind = "colour"

    optional: bool = False

    @property
    def raw(self):
        return {self.name: Tensor((), "string")}

    @property
    def ready(self):
        return {self.name: Tensor((3,), "float32"), f"{self.name}_mask": Tensor((1,), "bool")}


@keras.saving.register_keras_serializable("tests")
class ColourRow(RawLayer):
    """Raw names (B,) -> ready (B, 3) float32, and mask (B, 1)."""

    def __init__(self, optional=False, **kwargs):
        super().__init__(**kwargs)
        self.optional = optional

    def call(self, names):
        row = tf.cast(tf.stack([names == name for name in NAMES], axis=1), tf.float32)
        there = tf.reduce_any(row > 0, axis=1, keepdims=True)
        known = there[:, 0] | ((names == b"") & self.optional)
        with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(known), [f"{self.modality}: unknown", names])]):
            return tf.identity(row), there

    def compute_output_spec(self, names):
        return keras.KerasTensor((names.shape[0], 3), "float32"), keras.KerasTensor((names.shape[0], 1), "bool")

    def example(self, rng):
        return {self.modality: [b"red", b"blue"]}

    def describe(self):
        return {"kind": "colour"}

    def get_config(self):
        return super().get_config() | {"optional": self.optional}


class ColourColumn(Modality):
    def column(self, spec, name, values, root, faults):
        return strings(name, values)

    def converter(self, spec, name, leaf, stream):
        return text_converter(name, leaf)


class EdgeColour(edge.Modality):
    def __init__(self, name, optional=False):
        self.name, self.optional = name, optional

    @property
    def shapes(self):
        return {self.name: (3,), f"{self.name}_mask": (1,)}

    def __call__(self, value):
        name = value.decode() if isinstance(value, bytes) else value or ""
        if name not in NAMES and not (self.optional and not name):
            raise ValueError(f"{self.name}: unknown {name}")
        row = np.array([[name == each for each in NAMES]], "float32")
        return {self.name: row, f"{self.name}_mask": row.any(1, keepdims=True)}


def colour_branch(spec):
    inputs = {name: keras.Input(shape, dtype=dtype, name=name) for name, (shape, dtype) in spec.ready.items()}
    row, mask = inputs.values()
    return keras.Model(inputs, [ops.expand_dims(keras.layers.Dense(4)(row), 1), mask], name=f"{spec.name}_branch")


# A kind of head: a count, trained with the Poisson loss and answered as a whole number.


@keras.saving.register_keras_serializable("tests")
@dataclasses.dataclass(frozen=True)
class Count(Head):
    kind = "count"

    @property
    def label(self):
        return (1,), "float32"

    @property
    def width(self):
        return 1

    def encode(self, column, rows=None):
        return np.array(column, "float32")[:, None]

    def output(self, features, name=None):
        return keras.layers.Dense(1, "softplus", dtype="float32", name=name or self.name)(features)

    def loss(self):
        return keras.losses.Poisson()

    def metrics(self, prefix=""):
        return [keras.metrics.MeanAbsoluteError(f"{prefix}mae")]

    def decode(self, outputs):
        return {f"{self.name}_rate": outputs, self.name: ops.cast(ops.round(outputs[:, 0]), "int32")}

    @property
    def output_key(self):
        return f"{self.name}_rate"

    def describe(self):
        return {"name": self.name, "kind": self.kind}


def count_scores(head, labels, outputs, weights):
    apart = np.average(np.abs(labels - outputs)[:, 0], weights=weights)
    return {"kind": "count", "examples": len(labels), "mean_error": float(apart)}


def draw_count(head, labels, outputs, found, out_dir, weights=None):
    figure = Figure()
    figure.subplots().plot(labels, outputs, "o")
    return [save(figure, out_dir, head, "counts")]


EVALUATED = types.SimpleNamespace(
    scores=count_scores, draw=draw_count, columns=lambda found: {"error": "mean_error"}, MAIN="mean_error", LOWER=True
)
ANSWERED = types.SimpleNamespace(
    is_described=lambda head: True,
    width=lambda head: 1,
    answers=lambda head, values: {head["name"]: round(float(values[0]))},
)


@pytest.fixture
def kinds(monkeypatch):
    monkeypatch.setitem(mm.preprocess.KINDS, "colour", lambda spec, name: ColourRow(spec.optional, name=name))
    monkeypatch.setitem(modalities.KINDS, "colour", ColourColumn())
    monkeypatch.setitem(edge.KINDS, "colour", EdgeColour)
    monkeypatch.setitem(mm.evaluate.KINDS, "count", EVALUATED)
    monkeypatch.setitem(edge.ANSWERS, "count", ANSWERED)


def test_both_go_from_a_table_to_a_server_and_a_device(kinds, one_process, tmp_path):
    specs, heads = [Colour("paint", optional=True), mm.Table("size", numeric=["cm"])], [Count("dots")]
    colours = np.tile([*NAMES, ""], 16)
    counts = np.tile([1, 4, 9, 2], 16)
    pd.DataFrame({"paint": colours, "cm": 1.0, "dots": counts}).to_csv(tmp_path / "paint.csv", index=False)

    raw = mm.data.from_csv(tmp_path / "paint.csv", specs, heads)
    preprocess = mm.adapt(mm.preprocessor(specs), raw, verbose=False)
    keras.utils.set_random_seed(0)
    branches = {"paint": colour_branch(specs[0]), "size": mm.branches.table.mlp(specs[1], units=(4,))}
    model = mm.fusion_model(specs, branches, mm.fusion.MLP(8), heads)
    model.compile(keras.optimizers.Adam(0.05), **mm.heads.compile_for(heads))
    model.fit(
        mm.data.train_batches(raw, preprocess, batch_size=16, cache="memory", verbose=False), epochs=40, verbose=0
    )

    test = mm.data.eval_batches(raw, preprocess)
    assert raw.describe().columns["paint"]["missing"] == 16 and "4 different" not in repr(raw.describe())
    assert "green" in raw.show().html and "[0, 1, 0]" in mm.data.show(test).html
    report = mm.evaluate.report(model, test, out_dir=tmp_path / "report", train=raw)
    found = {row: scores["dots"]["mean_error"] for row, scores in report["models"].items()}
    assert found["model"] < 0.6 < 2 < found["majority"]
    assert report["files"] == ["dots_counts.png"] and mm.evaluate.summary(report)["n"] == 64
    assert mm.evaluate.table(report).columns[1].header == "dots\nerror"

    everything = mm.evaluate.full_report(model, preprocess, raw, out_dir=tmp_path / "all", train=raw, strengths=(0, 1),
                                         samples=5, explained=1, gallery=2, verbose=False)  # fmt: skip
    assert (
        everything["failed"] == {} and everything["sections"]["robustness"]["dots"]["absent"]["paint"] > found["model"]
    )
    assert set(everything["sections"]["explanations"]["dots"][0]["shares"]) == {"paint", "size"}

    model.save(tmp_path / "paint.keras")
    again = mm.load_model(tmp_path / "paint.keras")
    assert again.heads == heads and again.specs == specs
    preprocess.save(tmp_path / "preprocess.keras")
    ready = mm.load_model(tmp_path / "preprocess.keras")({"paint": np.array(["blue", ""], object), "cm": np.ones(2)})
    assert ready["paint"].numpy().tolist() == [[0, 0, 1], [0, 0, 0]]

    mm.export.saved_model(preprocess, again, tmp_path / "paint" / "1", samples=raw)
    served = tf.saved_model.load(str(tmp_path / "paint" / "1")).signatures["serving_default"]
    answers = served(paint=tf.constant(colours[:4]), cm=tf.ones(4))
    assert answers["dots"].numpy().tolist() == [1, 4, 9, 2]

    mm.export.litert(preprocess, again, tmp_path / "paint.tflite", samples=raw, verbose=False)
    device = edge.Model(tmp_path / "paint.tflite")
    assert [device({"paint": name, "cm": 1.0})["dots"] for name in colours[:4]] == [1, 4, 9, 2]
    with pytest.raises(ValueError, match="paint: unknown mauve"):
        device({"paint": "mauve", "cm": 1.0})


def test_a_kind_that_nobody_knows_is_refused():
    with pytest.raises(TypeError, match=r"A spec must be of one of the kinds \['text'.*Received: Colour\(name='paint'"):
        mm.preprocessor([Colour("paint")])
    with pytest.raises(
        ValueError, match=r"Each kind of head needs a module in mmkeras.evaluate.KINDS. Received: 'count'"
    ):
        mm.evaluate.scores(Count("dots"), [[1.0]], [[1.0]])
