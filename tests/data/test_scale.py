"""What a large table needs, asserted by structure instead of by time."""

import os
import sys

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import mmkeras as mm
from mmkeras.data import retry

ROWS, FILES = 50_000, 20
SPECS = [
    mm.Text("title", max_tokens=4),
    mm.Image("photo", size=(8, 8)),
    mm.Table("meta", numeric=["price"], categorical=["city"]),
]
HEADS = [
    mm.heads.classification("kind", list("abc")),
    mm.heads.classification("tags", list("xy"), multi_label=True),
    mm.heads.regression("value", mean=0, std=1),
]
LIGHT = [SPECS[0], SPECS[2]]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("large"), np.random.default_rng(0)
    grow(folder, 10)
    frame = pd.DataFrame({"title": [f"w{i} w{i % 7}" for i in range(ROWS)]})
    frame["photo"] = [f"{i % FILES}.png" for i in range(ROWS)]
    frame["price"], frame["value"] = rng.normal(size=(2, ROWS))
    frame["city"] = rng.choice(["Rome", "Oslo", ""], ROWS)
    frame["kind"] = rng.choice(list("abc"), ROWS, p=[0.8, 0.15, 0.05])
    frame["tags"] = rng.choice(["", "x", "x|y"], ROWS)
    frame["speaker"] = rng.zipf(1.5, ROWS) % 2_000
    frame.to_csv(folder / "table.csv", index=False)
    frame[:5_000].to_csv(folder / "short.csv", index=False)
    return folder / "table.csv"


@pytest.fixture(scope="module")
def raw(table):
    return mm.data.from_csv(table, SPECS, HEADS)


def grow(folder, size):
    for i in range(FILES):
        with open(folder / f"{i}.png", "wb") as file:
            file.truncate(size)  # a sparse file, which takes no space on the disk


def all_steps(table):
    raw = mm.data.from_csv(table, SPECS, HEADS)
    train, _ = mm.data.split(raw)
    mm.data.split(raw, group="speaker")
    preprocess = mm.adapt(mm.preprocessor(SPECS), train, verbose=False)
    mm.data.train_batches(train, preprocess, HEADS, batch_size=500, balance="kind")


def test_no_step_before_training_reads_a_file(table):
    opened, watching = [], True
    sys.addaudithook(lambda event, arguments: watching and event == "open" and opened.append(str(arguments[0])))
    grow(table.parent, 2**36)  # 64 GB per file: a step that reads one without Python's `open` would not end in time
    opened.clear()
    try:
        all_steps(table.with_name("short.csv"))
    finally:
        watching = False  # audit hooks cannot be removed
        grow(table.parent, 10)
    assert any(path.endswith("short.csv") for path in opened)
    assert not [path for path in opened if path.endswith(".png")]


def test_a_file_is_looked_for_once(table, monkeypatch):
    looked, isfile = [], os.path.isfile
    monkeypatch.setattr(os.path, "isfile", lambda path: looked.append(str(path)) or isfile(path))
    mm.data.from_csv(table, SPECS, HEADS)
    assert sum(path.endswith(".png") for path in looked) == FILES


def test_a_label_is_looked_up_once_however_often_it_is_written():
    class Counting(mm.heads.Classification):
        seen = 0

        def _number(self, *arguments):
            Counting.seen += 1
            return super()._number(*arguments)

    for several, column in ((False, ["a", "b"]), (True, ["a|b", "a", ""])):
        Counting.seen = 0
        encoded = Counting("kind", list("ab"), multi_label=several).encode(column * 5_000)
        assert Counting.seen <= 3
        assert (encoded == Counting("kind", list("ab"), multi_label=several).encode(column).tolist() * 5_000).all()


def test_equal_keys_are_different_labels():
    head = mm.heads.classification("kind", ["1", "True", "1.5"])
    assert head.encode([1, True, 1.0, np.float64(1.5), "True"]).tolist() == [0, 1, 0, 2, 1]
    tags = mm.heads.classification("tags", ["1", "True"], multi_label=True)
    assert tags.encode([[1], {True}, "1|True", [], 1, True]).tolist() == [
        [1, 0],
        [0, 1],
        [1, 1],
        [0, 0],
        [1, 0],
        [0, 1],
    ]


def test_parts_share_the_tensors_of_the_table(raw):
    train, test = mm.data.split(raw)
    part = test.subset(range(100, 200)).select(["title", "kind"])
    assert all(some._tensors["title"] is raw._tensors["title"] for some in (train, test, part))
    row = next(iter(part))
    assert row["title"].numpy().decode() == part.frame.title.iloc[0] == test.frame.title.iloc[100]
    assert row["kind"] == part.table["kind"][0]


def python_ops(batches):
    definition = tf.compat.v1.GraphDef.FromString(
        tf.raw_ops.DatasetToGraphV2(input_dataset=batches._variant_tensor).numpy()
    )
    functions = [node for function in definition.library.function for node in function.node_def]
    return [node.op for node in [*definition.node, *functions] if "PyFunc" in node.op]


@pytest.fixture(scope="module")
def preprocess(raw):
    return mm.adapt(mm.preprocessor(LIGHT), raw, verbose=False)


@pytest.mark.parametrize("more", [{}, {"balance": ["kind", "tags"]}, {"bucket_by": "title"}])
def test_no_python_runs_for_a_row(raw, preprocess, monkeypatch, more):
    runs, real = [], retry._eagerly
    counted = lambda function: lambda *payload: runs.append(0) or function(*payload)  # noqa: E731
    monkeypatch.setattr(retry, "_eagerly", lambda function, *rest: real(counted(function), *rest))
    batches = mm.data.train_batches(raw, preprocess, HEADS, batch_size=500, **more)
    assert len(python_ops(batches)) == 1  # the function that names the fault if a batch fails
    assert sum(1 for _ in batches) == 100
    assert not runs

    def calls(batches):
        """Calls of Python functions in an epoch."""
        seen = []
        sys.setprofile(lambda frame, event, argument: seen.append(event) if event == "call" else None)
        try:
            for _ in batches:
                pass
        finally:
            sys.setprofile(None)
        return len(seen)

    few = mm.data.train_batches(raw.subset(range(5_000)), preprocess, HEADS, batch_size=50, **more)
    assert abs(calls(batches) - calls(few)) < 100  # as many steps with ten times as many rows


def test_cached_batches_need_no_python_at_all(raw, preprocess):
    few = raw.subset(range(1_000))
    batches = mm.data.train_batches(
        few, preprocess, HEADS, batch_size=500, cache="memory", balance="kind", verbose=False
    )
    assert python_ops(batches) == []


def test_files_of_other_inputs_are_not_read(table, raw, preprocess):
    assert raw.table["photo"][0].endswith(".png")
    batches = mm.data.train_batches(raw, preprocess, HEADS, batch_size=500)
    assert list(batches.element_spec[0]) == ["title", "title_mask", "meta", "meta_mask"]
    assert next(iter(batches))[0]["title"].shape == (500, 4)  # the files are empty, and no pictures


def test_groups_of_very_different_sizes_are_spread(raw):
    parts = mm.data.split(raw, (0.8, 0.1, 0.1), group="speaker", stratify="kind")
    assert [round(len(part) / ROWS, 2) for part in parts] == [0.8, 0.1, 0.1]
    shares = [np.bincount(part.table["kind"], minlength=3) / len(part) for part in parts]
    assert np.ptp(shares, axis=0).max() < 0.01
    speakers = [set(part.frame.speaker) for part in parts]
    assert sum(map(len, speakers)) == len(set.union(*speakers))
    other = mm.data.split(raw, (0.8, 0.1, 0.1), seed=1, group="speaker", stratify="kind")
    assert set(other[1].frame.speaker) != speakers[1]


def test_statistics_of_a_million_rows_are_exact():
    spec = mm.Table("meta", numeric=["far"])
    layer = mm.preprocessor([spec]).get_layer("meta_preprocess")
    far = (1e4 + np.random.default_rng(0).normal(size=1_000_000)).astype("float32")
    layer.reset_state()
    for i in range(0, len(far), 1024):
        layer.update_state({"far": far[i : i + 1024]})
    layer.finalize_state()
    np.testing.assert_allclose(layer.mean.numpy(), [far.astype("float64").mean()], rtol=1e-7)
    np.testing.assert_allclose(layer.std.numpy(), [far.astype("float64").std()], rtol=1e-6)
