"""Each of several workers caches its own part, and gets the batches that it gets without a cache.

The workers are cuts of one process here; test_multi_worker.py starts processes.
"""

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import mmkeras as mm
from mmkeras.data import order
from mmkeras.distribute import Cluster

ROWS, BATCH = 215, 8  # the last batch in order has 7 rows; the shuffle has 2 lanes


@pytest.fixture(scope="module")
def raw():
    rng = np.random.default_rng(0)
    words = [" ".join(["word"] * n) for n in rng.integers(1, 7, ROWS)]
    frame = pd.DataFrame(
        {"note": words, "size": np.arange(ROWS, dtype="float32"), "kind": rng.choice(["a", "b"], ROWS)}
    )
    specs = [mm.Text("note", max_tokens=6), mm.Table("facts", numeric=["size"])]
    return mm.data.from_dataframe(frame, specs, [mm.heads.classification("kind", classes=["a", "b"])])


@pytest.fixture(scope="module")
def preprocess(raw):
    return mm.adapt(mm.preprocessor(raw.specs), raw, verbose=False)


@pytest.fixture
def stores(monkeypatch):
    """Numbers of examples in the caches that are made."""
    kept = []

    def materialise(*args):
        store = original(*args)
        kept.append(store.rows)
        return store

    original = mm.data.batches.feeds.materialise
    monkeypatch.setattr("mmkeras.data.batches.feeds.materialise", materialise)
    return kept


@pytest.fixture
def as_worker(monkeypatch):
    """Makes this process a worker of several, as far as caches are concerned."""

    def become(worker, workers):
        cluster = Cluster([f"host:{i}" for i in range(workers)], worker=worker)
        monkeypatch.setattr("mmkeras.data.batches.share.cluster", lambda: cluster)

    return become


def rows(batches, epochs=1):
    """The rows of each batch, by their numbers in the table, which its standardised column tells."""
    std, mean = np.std(range(ROWS)), (ROWS - 1) / 2
    found = [x["facts"][:, 0].numpy() for _ in range(epochs) for x, _ in batches]
    return [np.rint(values * std + mean).astype(int).tolist() for values in found]


def parts_of(batches, workers, replicas=1):
    """What each worker reads of the first epoch."""
    for worker in range(workers):
        if batches.epoch is not None:
            batches.epoch.assign(0)
        yield batches.of_worker(worker, workers, replicas)


def test_the_order_is_shuffled_within_lanes():
    batches, _ = order.epochs(431, BATCH, 0)
    first, second = (np.stack([numbers for _, numbers in batches.as_numpy_iterator()]) for _ in range(2))
    assert order.lanes(431, BATCH) == 4 and order.lanes(150, BATCH) == order.lanes(431, 7) == 1
    assert (first != second).mean() > 0.9 and len(set(first.ravel())) == first.size == 424
    assert (first % 4 == np.arange(BATCH) // 2).all() and (second % 4 == np.arange(BATCH) // 2).all()
    assert np.abs(np.corrcoef(first.T)[np.triu_indices(BATCH, 1)]).max() < 0.5  # the lanes are shuffled independently


@pytest.mark.parametrize("cache", ["memory", "folder"])
def test_each_worker_keeps_its_part(raw, preprocess, as_worker, stores, tmp_path, cache):
    cache = tmp_path / "cache" if cache == "folder" else cache
    make = lambda cache: mm.data.train_batches(raw, preprocess, batch_size=BATCH, cache=cache, verbose=False)  # noqa: E731
    whole, parts = rows(make(None), 2), []
    for worker in range(2):
        as_worker(worker, 2)
        parts.append(rows(make(cache).of_worker(worker, 2), 2))
        assert rows(make(None).of_worker(worker, 2), 2) == parts[-1]
    assert [a + b for a, b in zip(*parts, strict=True)] == whole
    assert stores == [108, 107] and sum(stores) == ROWS
    batches = make(cache)
    assert rows(batches) == whole[: len(batches)]  # of all workers; what the cache lacks is decoded
    if cache != "memory":
        assert sorted(path.name for path in cache.iterdir()) == ["worker-0-of-2-shuffled", "worker-1-of-2-shuffled"]


def test_evaluation_keeps_its_part_in_order(raw, preprocess, as_worker, stores):
    make = lambda cache: mm.data.eval_batches(raw, preprocess, batch_size=BATCH, cache=cache, verbose=False)  # noqa: E731
    parts = []
    for worker in range(3):
        as_worker(worker, 3)
        batches = make("memory")
        parts.append(rows(batches.of_worker(worker, 3)))
    joined = [row for batch in zip(*parts, strict=True) for part in batch for row in part]
    assert joined == list(range(ROWS)) == [row for batch in rows(batches) for row in batch]
    assert sum(stores) == ROWS and max(stores) < ROWS / 2


def test_a_worker_without_rows_keeps_all(raw, preprocess, as_worker):
    as_worker(0, 2)
    batches = mm.data.eval_batches(raw.subset([3]), preprocess, cache="memory", verbose=False)
    assert rows(batches.of_worker(0, 2)) == [[]] and rows(batches.of_worker(1, 2)) == [[3]]


@pytest.mark.parametrize("options", [{"bucket_by": "note"}, {"balance": "kind"}, {"on_error": "skip"}])
def test_all_rows_are_kept_where_any_can_be_drawn(raw, preprocess, as_worker, stores, options):
    make = lambda: mm.data.train_batches(raw, preprocess, batch_size=BATCH, cache="memory", verbose=False, **options)  # noqa: E731
    whole, parts = rows(make()), []
    for worker in range(2):
        as_worker(worker, 2)
        parts.append(rows(make().of_worker(worker, 2)))
    assert [a + b for a, b in zip(*parts, strict=True)] == whole and stores == [ROWS] * 3


def test_a_folder_of_workers_is_a_cache(raw, preprocess, as_worker, stores, tmp_path):
    make = lambda count: mm.data.train_batches(  # noqa: E731
        raw.subset(range(count)), preprocess, batch_size=BATCH, cache=tmp_path / "cache", verbose=False
    )
    as_worker(1, 2)
    make(ROWS), make(ROWS)
    as_worker(0, 1)
    make(ROWS)
    assert stores == [107, 107, ROWS]
    as_worker(1, 2)
    assert len(rows(make(ROWS - 10).of_worker(1, 2))) == 25 and stores[-1] == 102


@pytest.mark.parametrize("replicas", [1, 2])
def test_every_part_draws_its_own_augmentation(raw, preprocess, replicas):
    def augment(ready, labels, seed):
        drawn = tf.random.stateless_uniform([1], seed)
        return ready | {"facts": ready["facts"] * 0 + drawn}, labels

    batches = mm.data.train_batches(raw, preprocess, batch_size=BATCH, augment=augment)
    drawn = {float(x["facts"][0, 0]) for part in parts_of(batches, 2, replicas) for x, _ in part}
    assert len(drawn) == ROWS // BATCH * 2 * replicas


def test_several_devices_of_a_worker_get_their_parts_in_turn(raw, preprocess):
    batches = mm.data.train_batches(raw, preprocess, batch_size=BATCH)
    parts = [rows(part) for part in parts_of(batches, 2, 2)]
    whole = rows(mm.data.train_batches(raw, preprocess, batch_size=BATCH))
    assert [a + b for part in parts for a, b in zip(part[::2], part[1::2], strict=True)] == [
        batch[half] for half in (slice(0, 4), slice(4, 8)) for batch in whole
    ]


def pictures(broken, count=24):
    good = tf.io.encode_png(np.zeros((4, 4, 3), "uint8")).numpy()
    photos = [b"\x89PNG broken" if i in broken else good for i in range(count)]
    frame = pd.DataFrame({"photo": photos, "kind": ["a", "b"] * (count // 2)})
    specs, heads = [mm.Image("photo", size=(4, 4))], [mm.heads.classification("kind", classes=["a", "b"])]
    return mm.data.from_dataframe(frame, specs, heads, on_error="skip"), mm.preprocessor(specs)


def counts(batches):
    return [x["photo"].shape[0] for x, _ in batches]


def test_workers_that_skip_examples_make_equally_many_steps():
    train = mm.data.train_batches(*pictures({0, 7, 13}), batch_size=8)
    found = [counts(part) for part in parts_of(train, 2)]
    assert [len(each) for each in found] == [3, 3] and sum(map(sum, found)) == 21
    evaluation = mm.data.eval_batches(*pictures({4, 5, 6, 7}), batch_size=8)
    assert counts(evaluation.of_worker(1, 2)) == [0, 4, 4] and evaluation.of_worker(0, 2).cardinality() == 3


def test_a_part_of_which_all_examples_are_skipped_is_refused():
    train = mm.data.train_batches(*pictures(set(range(12))), batch_size=4)
    refusal = r"(?s)Received: a part of a batch of which all examples were skipped.*photo"
    with pytest.raises(tf.errors.InvalidArgumentError, match=refusal):
        [counts(part) for part in parts_of(train, 2)]


def test_evaluation_examples_are_compared_between_workers(raw, preprocess, monkeypatch):
    make = lambda count: mm.data.eval_batches(raw.subset(range(count)), preprocess, verbose=False)  # noqa: E731
    assert make(9).fingerprint is None
    monkeypatch.setattr("mmkeras.data.batches.pipeline.cluster", lambda: Cluster(["a:1", "b:2"]))
    assert make(9).fingerprint == make(9).fingerprint != make(10).fingerprint
