"""An approximate index behaves as the exact one does, and says how much it misses."""

import sys

import numpy as np
import pytest

import mmkeras as mm
from mmkeras.retrieval._approximate import Graph

QUERY = {"caption": ["a red square", "a blue square"]}


@pytest.fixture
def near(trained, squares):
    preprocess, model = trained
    return mm.retrieval.Index(model, preprocess, squares, identifiers="key", verbose=False, search="usearch")


def test_few_examples_are_all_found(near, index):
    queries = np.random.default_rng(0).normal(size=(6, 8)).astype("float32")
    for query, k in ((queries, 7), (queries[:1], 48)):
        found, exact = (each.search(query, find="photo", k=k) for each in (near, index))
        np.testing.assert_array_equal(found.identifiers, exact.identifiers)
        np.testing.assert_allclose(found.scores, exact.scores, atol=1e-6)
    assert near.search(QUERY, find="caption", k=100).identifiers.shape == (2, 47)  # one has no caption
    assert near.recall(QUERY, find="photo", k=5) == index.recall(QUERY, find="photo", k=5) == 1.0


def test_changes_are_seen_and_a_saved_graph_is_not_built_again(near, squares, tmp_path, monkeypatch):
    best = near.search(QUERY, find="photo", k=1).identifiers[0, 0]
    near.remove([best])
    assert best not in near.search(QUERY, find="photo", k=48).identifiers
    near.add(squares.subset([int(best[1:])]), identifiers=["again"], verbose=False)
    assert near.search(QUERY, find="photo", k=1).identifiers[0, 0] == "again"
    near.save(tmp_path / "index")
    loaded = mm.retrieval.Index.load(tmp_path / "index", search="usearch")
    monkeypatch.setattr(loaded, "vectors", None)  # a graph would be built of these
    assert loaded.search(QUERY, find="photo", k=1).identifiers[0, 0] == "again"


def test_most_of_many_rows_are_found():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(2000, 16)).astype("float32")
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[::2] = 0  # absent
    scores, rows = Graph(vectors).search(vectors[1:100:2], k=10)
    expected = np.argsort(-(vectors[1:100:2] @ vectors.T), axis=1, kind="stable")[:, :10]
    assert np.mean([len({*one} & {*two}) / 10 for one, two in zip(rows, expected, strict=True)]) > 0.9
    assert (rows % 2).all() and (np.diff(scores, axis=1) <= 0).all()


def test_errors_name_the_remedy(trained, near, monkeypatch):
    preprocess, model = trained
    with pytest.raises(ValueError, match=r'search is "exact" or "usearch". Received: \'fast\''):
        mm.retrieval.Index(model, preprocess, search="fast")
    with pytest.raises(ValueError, match="Recall is of results. Received: none. Add examples with 'photo'"):
        mm.retrieval.Index(model, preprocess).recall(QUERY, find="photo")
    monkeypatch.setitem(sys.modules, "usearch.index", None)
    with pytest.raises(ImportError, match=r'Received: an environment without it. Run pip install "mmkeras\[search\]"'):
        near.search(QUERY, find="photo")
