"""What an export says of itself: the parity report, the metadata, and what is packed in."""

import json
import types
import warnings
import zipfile

import flatbuffers
import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema

import mmkeras as mm
from mmkeras import edge
from mmkeras.evaluate._scores import scores
from mmkeras.export import litert
from mmkeras.export._litert.package.metadata import pack
from mmkeras.export._litert.verify import report as report_module
from mmkeras.export._litert.verify.prepared import check_prepared
from mmkeras.export._litert.verify.report import compared, read_once, table
from mmkeras.export.process.litert import time_files

MOOD, TOPICS = [0, 2, 1, 1], [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.0, 0.0]]


def export(parts, path, **options):
    preprocess, model, heads = parts
    return litert(preprocess, model, path, heads=heads, **options)


@pytest.fixture(scope="module")
def lite(parts, raw, exported, tmp_path_factory):
    """One export with everything to compare; `stars` has no labels."""
    labelled = raw | {"mood": np.array(MOOD, "int32"), "topics": np.array(TOPICS, "float32")}
    samples = tf.data.Dataset.from_tensor_slices(labelled)
    path = tmp_path_factory.mktemp("report") / "scenes.tflite"
    options = {"saved_model": exported.path, "name": "Scenes at home", "version": "7", "verbose": False}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = litert(parts.preprocess, parts.model, path, heads=parts.heads, samples=samples, **options)
    names = parts.preprocess.input
    tensors = {key: tf.constant(value, names[key].dtype) for key, value in raw.items() if key in names}
    answers = parts.model(parts.preprocess(tensors), training=False)
    return types.SimpleNamespace(path=path, report=found, keras={key: np.asarray(v) for key, v in answers.items()})


def test_the_report_is_beside_the_file(lite):
    assert json.loads(lite.path.with_name("scenes.parity.json").read_text()) == lite.report
    assert sorted(file.name for file in lite.path.parent.iterdir()) == [
        "scenes.MODEL_CARD.md", "scenes.SHA256SUMS", "scenes.answers.json", "scenes.parity.json",
        "scenes.preprocess.json", "scenes.tflite",
    ]  # fmt: skip


def test_keras_the_saved_model_and_the_file_are_compared_by_head(lite, parts):
    found, heads = lite.report, {"mood", "topics", "stars"}
    assert found["mean_difference"].keys() == found["agreement"].keys() == {"litert", "saved_model"}
    for who in ("litert", "saved_model"):
        assert found["mean_difference"][who].keys() == heads
        assert found["agreement"][who] == {"mood": 1.0, "topics": 1.0}
    assert max(found["mean_difference"]["litert"].values()) <= 1e-6
    assert found["max_difference"].keys() == found["saved_model"]["max_difference"].keys() == heads
    assert max(found["saved_model"]["max_difference"].values()) < 1e-5


def test_metrics_are_those_of_the_heads_where_there_are_labels(lite, parts):
    found = lite.report["metrics"]
    assert found.keys() == {"keras", "litert", "saved_model"}
    for heads in found.values():
        assert heads.keys() == {"mood", "topics"}
        for head, labels in zip(parts.heads[:2], (MOOD, TOPICS), strict=True):
            wanted = scores(head, labels, lite.keras[head.name])
            assert heads[head.name]["accuracy"] == wanted["accuracy"]
            assert heads[head.name]["log_loss"] == pytest.approx(wanted["log_loss"], rel=1e-4)
    mm.evaluate.table({"models": found})  # the rows have the format of the other models' rows


def test_time_and_size_are_measured(lite):
    found = lite.report
    assert found["bytes"] == lite.path.stat().st_size
    assert 0 < found["latency_ms"]["litert"] < found["latency_ms"]["predict_on_batch"]
    ratio = found["latency_ms"]["litert"] / found["latency_ms"]["predict_on_batch"]
    assert found["latency_ratio"] == pytest.approx(ratio, rel=0.02)


def test_what_edge_prepares_is_compared_too(lite, parts):
    assert lite.report["edge"].keys() == parts.preprocess.output.keys()
    assert all(each["max_difference"] <= each["allowed"] for each in lite.report["edge"].values())
    assert lite.report["edge"]["photo"]["allowed"] == 1 and lite.report["edge"]["review"]["allowed"] == 0


def test_the_table_shows_every_head_and_who_answered(lite):
    shown = table(lite.report)
    assert [str(column.header) for column in shown.columns][-3:] == ["Keras", "SavedModel", "LiteRT"]
    assert list(shown.columns[0].cells) == [
        f"{head} ({who})" for who in ("LiteRT", "SavedModel") for head in ("mood", "topics", "stars")
    ]
    assert "accuracy" in next(iter(shown.columns[-1].cells))


def field(table_, slot):
    """Position of a field of a flatbuffer table."""
    return table_.Pos + table_.Offset(4 + 2 * slot)


def string(table_, slot):
    return table_.String(field(table_, slot)).decode()


def tables(table_, slot):
    at = table_.Offset(4 + 2 * slot)
    for i in range(table_.VectorLen(at)):
        yield flatbuffers.table.Table(table_.Bytes, table_.Indirect(table_.Vector(at) + 4 * i))


def metadata_of(path):
    model = schema.Model.GetRootAs(path.read_bytes())
    entries = {model.Metadata(i).Name(): model.Metadata(i).Buffer() for i in range(model.MetadataLength())}
    data = bytearray(model.Buffers(entries[b"TFLITE_METADATA"]).DataAsNumpy().tobytes())
    assert data[4:8] == b"M001"
    root = flatbuffers.table.Table(data, flatbuffers.encode.Get(flatbuffers.packer.uoffset, data, 0))
    return model, root


def test_viewers_are_told_name_version_inputs_and_labels(lite):
    model, root = metadata_of(lite.path)
    assert (string(root, 0), string(root, 2)) == ("Scenes at home", "7")
    assert (lite.report["name"], lite.report["version"]) == ("Scenes at home", "7")
    (graph,) = tables(root, 3)
    inputs, outputs = ([(string(t, 0), string(t, 1)) for t in tables(graph, slot)] for slot in (2, 3))
    # In the order of the graph's tensors, by which metadata are read.
    order = [model.Subgraphs(0).Tensors(i).Name().decode() for i in model.Subgraphs(0).InputsAsNumpy()]
    assert [f"serving_default_{name}:0" for name, _ in inputs] == order
    assert {name for name, _ in outputs} == {"mood", "topics", "stars"}
    about = dict(inputs)
    assert "[8, 8]" in about["photo"] and "token ids" in about["review"] and "1000 Hz" in about["voice"]
    assert about["photo_mask"] == "true where 'photo' is present"


def test_what_a_device_needs_is_in_the_file(lite, parts):
    with zipfile.ZipFile(lite.path) as archive:
        inside = {name: archive.read(name).decode() for name in archive.namelist()}
    assert inside.keys() == {"preprocess.json", "review.vocabulary.txt", "note.vocabulary.txt", "mood.labels.txt",
                             "topics.labels.txt"}  # fmt: skip
    assert inside["mood.labels.txt"].split("\n") == ["good", "bad", "grün"]
    assert inside["review.vocabulary.txt"].split("\n")[2:] == ["good", "bad", "day"]
    description = json.loads(inside["preprocess.json"])
    assert description == json.loads(lite.path.with_name("scenes.preprocess.json").read_text())
    assert description == edge.describe(lite.path) and description["unprepared"] == []


def test_packing_leaves_weights_where_they_can_be_read_in_place(lite):
    model = schema.Model.GetRootAs(lite.path.read_bytes())
    tables_ = [model.Buffers(i)._tab for i in range(model.BuffersLength()) if model.Buffers(i).DataLength()]
    offsets = [table_.Vector(table_.Offset(4)) for table_ in tables_]
    assert len(offsets) > 5 and {offset % 16 for offset in offsets} == {0}


class Foreign(keras.layers.Layer):
    def call(self, number):
        return keras.ops.reshape(number, (-1, 1))


@pytest.fixture
def small():
    """A model of one number, which a layer of the user makes."""
    number, row = keras.Input((), name="number"), keras.Input((1,), name="row")
    head = mm.heads.regression("price", mean=0.0, std=1.0)
    preprocess = keras.Model({"number": number}, {"row": Foreign(name="own")(number)})
    return preprocess, keras.Model({"row": row}, {"price": head.output(keras.layers.Dense(2)(row))}), [head]


def test_a_foreign_layer_is_said_and_does_not_stop_the_export(small, tmp_path):
    with pytest.warns(UserWarning, match=r"mmkeras\.edge cannot prepare \['row'\].*Give `predict` ready tensors"):
        found = export(small, tmp_path / "x.tflite", samples={"number": [1.0, 2.0]}, verbose=False)
    assert found["edge"] == {"not prepared": ["row"]} and found["metrics"] == {}
    model = edge.Model(tmp_path / "x.tflite")
    with pytest.raises(ValueError, match=r"\['row'\], from another layer"):
        model({"number": 1.0})
    row = np.array([[2.0]], "float32")
    assert model.decode(model.predict({"row": row})) == {
        "price": pytest.approx(float(small[1]({"row": row})["price"][0, 0]))
    }
    assert time_files([(tmp_path / "x.tflite", {"row": row}), (tmp_path / "none", {})], 3)[1].startswith("Could not")
    assert len(time_files([(tmp_path / "x.tflite", {"row": row})], 3)[0]) == 3


@pytest.mark.parametrize("fault", ["tolerance", "crash"])
def test_a_failure_leaves_nothing_and_older_files_as_they_were(small, tmp_path, monkeypatch, fault):
    def refuse(*_):
        raise RuntimeError("no memory")

    options = {"samples": {"number": [1.0, 2.0]}, "verbose": False, "overwrite": True}
    for name in ("x.tflite", "x.parity.json", "x.preprocess.json"):
        (tmp_path / name).write_text("older")
    if fault == "crash":
        monkeypatch.setattr(report_module, "compared", refuse)
    else:
        options["tolerance"] = -1.0
    for folder in (tmp_path, tmp_path / "new"):
        with pytest.raises((RuntimeError, ValueError), match="no memory|within tolerance=-1.0"):
            export(small, folder / "x.tflite", **options)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == dict.fromkeys(
        ("x.tflite", "x.parity.json", "x.preprocess.json"), "older"
    )


@pytest.mark.parametrize("name", ["x.parity.json", "x.preprocess.json"])
def test_files_beside_it_are_not_overwritten_unasked(small, tmp_path, name):
    (tmp_path / name).write_text("older")
    with pytest.raises(FileExistsError, match=name):
        export(small, tmp_path / "x.tflite", samples={"number": [1.0]})


def test_agreement_counts_examples_of_the_same_class():
    heads = [mm.heads.classification("one", classes=["a", "b"]),
             mm.heads.classification("many", classes=["a", "b"], multi_label=True),
             mm.heads.regression("size", mean=0.0, std=0.5)]  # fmt: skip
    python = {"one": [[0.9, 0.1], [0.4, 0.6]], "many": [[0.9, 0.9], [0.1, 0.6]], "size": [[1.0], [2.0]]}
    other = {"one": [[0.6, 0.4], [0.6, 0.4]], "many": [[0.6, 0.6], [0.6, 0.6]], "size": [[1.5], [2.0]]}
    both = {"keras": python, "x": other}
    answers = {who: {key: np.array(value) for key, value in each.items()} for who, each in both.items()}
    labels = {"one": np.array([0]), "size": np.array([[1.0]])}
    found = compared(heads, answers, labels)
    assert found["agreement"] == {"x": {"one": 0.5, "many": 0.5}}
    # In standard deviations, and relative to the error of always answering 1.5.
    assert found["mean_difference"]["x"]["size"] == pytest.approx(0.5)
    assert found["max_difference"]["x"]["size"] == pytest.approx(1.0)
    assert found["relative_difference"]["x"]["size"] == pytest.approx(0.5)
    # Only of the examples with labels: the last one, in which everything is absent, has none.
    assert found["metrics"]["keras"]["one"]["accuracy"] == 1.0
    assert found["metrics"]["x"]["size"]["mae"] == 0.5 and found["metrics"]["keras"]["size"]["mae"] == 0.0
    assert found["metrics"]["x"]["size"]["r2"] is None  # undefined for a single example
    json.dumps(found, allow_nan=False)


def test_labels_are_taken_where_they_are_encoded(tmp_path):
    heads = [mm.heads.classification("answer", classes=mm.data.generate.ANSWERS), mm.heads.regression("size")]
    specs = [mm.Text("question")]
    raw = mm.data.from_csv(mm.data.generate.scenes(tmp_path, n=6), specs, heads[:1])
    preprocess = mm.preprocessor(specs)
    labels = raw.table["answer"].tolist()
    assert read_once(raw, preprocess, heads, 4)[1]["answer"].tolist() == labels[:4]
    assert read_once(raw.skip(1), preprocess, heads, 2)[1]["answer"].tolist() == labels[1:3]
    strings = tf.data.Dataset.from_tensor_slices({"question": ["a"], "answer": ["red"]})
    for samples in (strings, {"answer": [1]}, None):
        assert read_once(samples, preprocess, heads, 4)[1] == {}


def test_labels_stay_with_their_examples_where_the_samples_are_shuffled():
    head, n = mm.heads.classification("kind", classes=range(100)), 100
    numbered = {"question": [str(i) for i in range(n)], "kind": np.arange(n, dtype="int32")}
    shuffled = tf.data.Dataset.from_tensor_slices(numbered).shuffle(n)
    examples, labels = read_once(shuffled, mm.preprocessor([mm.Text("question")]), [head], n)
    assert [int(text) for text in examples["question"]] == labels["kind"].tolist() != list(range(n))


def test_it_warns_where_edge_prepares_something_else():
    entry = {"kind": "text", "name": "q", "vocabulary": ["[PAD]", "[UNK]", "a"], "max_tokens": 2}
    description = {"inputs": [entry], "unprepared": []}
    raw = {"q": np.array([b"a a", b"a"], object)}
    ready = {"q": np.array([[2, 2], [2, 0]]), "q_mask": np.array([[True, True], [True, False]])}
    assert check_prepared(description, raw, ready)["q"] == {"max_difference": 0.0, "allowed": 0.0}
    with pytest.warns(UserWarning, match="makes other ready tensors than preprocess: .*'q'"):
        assert check_prepared(description, raw, ready | {"q": ready["q"] + 1})["q"]["max_difference"] == 1.0
    with pytest.warns(UserWarning, match="refuses an example that preprocess takes: q: a required text"):
        assert "q: a required" in check_prepared(description, raw | {"q": np.array([b""], object)}, ready)["refused"]


def test_packing_twice_is_the_same(small, tmp_path):
    """Every byte follows from the model: no time, no chance."""
    function = tf.function(lambda row: {"price": row + 1.0}, input_signature=[tf.TensorSpec((1, 1), name="row")])
    tf.saved_model.save(tf.Module(), str(tmp_path / "m"), {"serving_default": function.get_concrete_function()})
    data = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path / "m")).convert()
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(data)
        pack(tmp_path / name, "x", "1", {"inputs": [], "unprepared": ["row"], "outputs": []})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() != data
