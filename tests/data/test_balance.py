import dataclasses

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import mmkeras as mm
from mmkeras.data import order
from mmkeras.data.batches import balance

KIND = mm.heads.classification("kind", list("abcd"))  # d never occurs
TAGS = mm.heads.classification("tags", list("xyz"), multi_label=True)
HEADS = [KIND, TAGS, mm.heads.regression("price", mean=0, std=1)]
SPECS = [mm.Text("text", max_tokens=12)]


@pytest.fixture(scope="module")
def raw():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"kind": rng.choice(list("abc"), 600, p=[0.9, 0.07, 0.03])})
    frame["tags"] = rng.choice(["", "x", "x|y", "z"], 600, p=[0.7, 0.2, 0.05, 0.05])
    frame["text"] = ["w " * n for n in rng.integers(1, 12, 600)]
    frame["price"] = np.arange(600)
    return mm.data.from_dataframe(frame, SPECS, HEADS)


@pytest.fixture(scope="module")
def ids(raw):
    return mm.adapt(mm.preprocessor(SPECS), raw, verbose=False)


def rows(batches):
    return np.concatenate([y["price"][:, 0] for *_, y in batches]).astype(int)


@pytest.mark.parametrize("cache", [None, "memory"])
def test_every_class_comes_equally_often(raw, ids, cache):
    batches = mm.data.train_batches(raw, ids, HEADS, batch_size=50, balance="kind", cache=cache, verbose=False)
    assert int(batches.cardinality()) == 12
    for _ in range(2):
        drawn = rows(batches)
        assert np.bincount(raw.table["kind"][drawn]).tolist() == [200, 200, 200]  # d has no rows
        size = np.bincount(raw.table["kind"])
        times = np.bincount(drawn, minlength=600)
        for number, n in enumerate(size):
            few, many = np.floor(200 / n), np.ceil(200 / n)
            assert set(times[raw.table["kind"] == number]) <= {few, many}


def test_no_row_waits_long(raw, ids):
    batches = mm.data.train_batches(raw, ids, HEADS, batch_size=50, balance="kind")
    common = np.flatnonzero(raw.table["kind"] == 0)  # about 540 rows, 200 of them in an epoch
    epochs = [set(rows(batches)) & set(common) for _ in range(5)]
    assert epochs[0] != epochs[1]
    assert set.union(*epochs) == set(common)
    assert all(len(epoch) == 200 for epoch in epochs)


def test_order_is_a_function_of_seed_and_epoch(raw, ids):
    make = lambda seed=1: mm.data.train_batches(raw, ids, HEADS, batch_size=50, seed=seed, balance=["kind", "tags"])  # noqa: E731
    first = make()
    epochs = [rows(first).tolist() for _ in range(3)]
    again = make()
    assert epochs == [rows(again).tolist() for _ in range(3)]
    assert sorted(epochs[0]) != sorted(epochs[1]) and epochs[0] != rows(make(2)).tolist()
    first.epoch.assign(1)
    assert epochs[1:] == [rows(first).tolist() for _ in range(2)]


def test_several_labels_and_several_heads(raw, ids):
    drawn = rows(mm.data.train_batches(raw, ids, HEADS, batch_size=50, balance="tags"))
    tags = raw.table["tags"][drawn]
    counts = [*tags.sum(0), (~tags.any(1)).sum()]
    # x|y is drawn for y alone (150) and for x (150 * share of those with y among those with x).
    every = raw.table["tags"]
    both = np.sum(every[:, 0] * every[:, 1])
    along = 150 * both / np.sum(every[:, 0])
    np.testing.assert_allclose(counts, [300, 150 + along, 150, 150], atol=2)
    drawn = rows(mm.data.train_batches(raw, ids, HEADS, batch_size=50, balance=["kind", "tags"]))
    assert np.bincount(raw.table["kind"][drawn]).min() >= 100 - 1
    assert raw.table["tags"][drawn].sum(0).min() >= 75 - 8


def test_chances_are_those_of_the_definition(raw):
    drawn, ends = balance.line(raw.table, [KIND, TAGS], 0)
    chances = np.diff(ends, prepend=0)
    kind, tags = raw.table["kind"], raw.table["tags"]
    tags = np.column_stack([tags, ~tags.any(1)])
    expected = (1 / np.bincount(kind)[kind] / 3 + (tags / tags.sum(0)).sum(1) / 4) / 2
    np.testing.assert_allclose(chances, expected[drawn], rtol=1e-5)
    assert sorted(drawn) == list(range(600)) and (np.diff(kind[drawn]) >= 0).all()


def test_lengths_still_go_together(raw, ids):
    waste = lambda **more: np.mean(  # noqa: E731
        [1 - x["text_mask"].numpy().mean()
         for x, _ in mm.data.train_batches(raw, ids, HEADS, batch_size=20, balance="kind", **more)]
    )  # fmt: skip
    batches = mm.data.train_batches(raw, ids, HEADS, batch_size=20, balance="kind", bucket_by="text")
    assert np.bincount(raw.table["kind"][rows(batches)]).tolist() == [200, 200, 200]
    assert waste(bucket_by="text") < 0.5 * waste()


def test_points_at_the_end_of_the_line_meet_the_last_row():
    for seed in range(20):
        batches, epoch = order.epochs(3, 3, seed, line=(np.array([2, 0, 1]), np.array([0.2, 0.4, 1.0])))
        epoch.assign(10**6)
        assert all(0 <= row < 3 for _, drawn in batches for row in drawn.numpy())


def test_a_run_knows_that_it_was_balanced(raw, ids):
    make = lambda **more: mm.data.train_batches(raw, ids, HEADS, batch_size=50, **more).fingerprint  # noqa: E731
    assert len({make(), make(balance="kind"), make(balance=["kind", "tags"])}) == 3
    assert make(balance="kind") == make(balance=["kind"])


def test_class_weights_of_several_heads_in_one_fit(raw, ids):
    weighted = [dataclasses.replace(head, class_weights="balanced") for head in (KIND, TAGS)]
    weighted = mm.heads.adapt([*weighted, HEADS[2]], raw)
    branch = {"text": mm.branches.text.lstm(SPECS[0], units=4, embed_dim=4)}
    model = mm.fusion_model(SPECS, branch, mm.fusion.Concatenate(4), weighted)
    model.compile("sgd", **mm.heads.compile_for(weighted))
    batches = mm.data.train_batches(raw, ids, weighted, batch_size=600)
    x, y, weights = next(iter(batches))
    found = model.evaluate(x, y, sample_weight=weights, batch_size=600, verbose=0, return_dict=True)
    right = np.take_along_axis(model(x)["kind"].numpy(), y["kind"].numpy()[:, None], axis=1)[:, 0]
    np.testing.assert_allclose(found["kind_loss"], np.mean(weights["kind"] * -np.log(right)), rtol=1e-4)
    assert set(weights) == {"kind", "tags", "price"} and len(set(weights["tags"].numpy())) > 2
    assert np.isfinite(model.fit(batches, verbose=0).history["loss"][0])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("price", "balance must name classification heads, each once. Received: 'price'"),
        ("kinds", "Received: 'kinds'. Did you mean 'kind'"),
        (["kind", "kind"], "each once"),
    ],
)
def test_other_heads_are_refused(raw, ids, name, message):
    with pytest.raises(ValueError, match=message):
        mm.data.train_batches(raw, ids, HEADS, batch_size=50, balance=name)


def test_streams_and_class_weights_are_refused(raw, ids):
    stream = tf.data.Dataset.from_generator(raw.as_numpy_iterator, output_signature=raw.element_spec)
    with pytest.raises(ValueError, match="balance='kind' needs all labels in advance.*cache='memory'"):
        mm.data.train_batches(stream, ids, HEADS, batch_size=50, balance="kind")
    cached = mm.data.train_batches(stream, ids, HEADS, batch_size=50, balance="kind", cache="memory", verbose=False)
    assert np.bincount(raw.table["kind"][rows(cached)]).tolist() == [200, 200, 200]
    weighted = mm.heads.adapt([mm.heads.classification("kind", list("abcd"), class_weights="balanced")], raw)
    with pytest.raises(ValueError, match="would both correct the imbalance of head 'kind'"):
        mm.data.train_batches(raw, ids, weighted, batch_size=50, balance="kind")
