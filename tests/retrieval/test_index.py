import numpy as np
import pytest

import mmkeras as mm
from mmkeras.retrieval import _index, _search


def colours(squares, found):
    names = dict(zip(squares.frame.key, squares.frame.colour, strict=True))
    return [[names[each] for each in line] for line in found.identifiers]


def test_any_modality_finds_any_other(index, squares):
    photos = index.search({"caption": ["a red square", "a blue square"]}, find="photo", k=3)
    assert colours(squares, photos) == [["red"] * 3, ["blue"] * 3]
    picture = squares.frame.photo[1]
    assert colours(squares, index.search({"photo": [picture]}, find="caption", k=2)) == [["green"] * 2]
    same = index.search({"photo": [picture]}, find="photo", k=1)
    assert same.identifiers.tolist() == [["n1"]] and same.scores[0, 0] == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("block", [5, 1000])
def test_search_is_exact(index, block, monkeypatch):
    monkeypatch.setattr(_index, "BLOCK", block)
    queries = np.random.default_rng(0).normal(size=(4, 8)).astype("float32")
    items = index.vectors("photo")
    expected = np.argsort(-(queries @ items.T), axis=1, kind="stable")[:, :7]
    found = index.search(queries, find="photo", k=7)
    assert found.identifiers.tolist() == [[f"n{i}" for i in line] for line in expected]
    np.testing.assert_allclose(found.scores, np.take_along_axis(queries @ items.T, expected, 1), atol=1e-6)
    scores, rows = _search.search(queries, items, 7, block)
    np.testing.assert_array_equal(rows, expected)
    np.testing.assert_allclose(scores, found.scores, atol=1e-6)


def test_what_is_absent_is_not_found(index):
    found = index.search({"caption": ["a red square"]}, find="caption", k=100)
    assert found.identifiers.shape == (1, 47) and "n47" not in found.identifiers
    assert index.search({"caption": [""]}, find="photo", k=2).scores.tolist() == [[0.0, 0.0]]


def test_add_and_remove(trained, squares, index):
    preprocess, model = trained
    grown = mm.retrieval.Index(model, preprocess)
    assert len(grown) == 0
    grown.add(squares.subset(range(20)), identifiers="key", verbose=False)
    grown.add(squares.subset(range(20, 48)), identifiers="key", verbose=False)
    assert grown.identifiers == index.identifiers
    np.testing.assert_allclose(grown.vectors("photo"), index.vectors("photo"), atol=1e-6)
    grown.remove(["n0", "n30"])
    assert len(grown) == 46
    everything = grown.search({"caption": ["a red square"]}, find="photo", k=48).identifiers
    assert everything.shape == (1, 46) and not {"n0", "n30"} & set(everything[0])
    assert len(grown.vectors("photo")) == 46
    grown.add(squares.subset([0]), identifiers=["again"], verbose=False)
    assert grown.search({"photo": [squares.frame.photo[0]]}, find="photo", k=1).identifiers.tolist() == [["again"]]


def test_examples_of_one_modality_are_enough(trained, squares):
    preprocess, model = trained
    photos = mm.retrieval.Index(model, preprocess, squares.select(["photo"]), identifiers="key", verbose=False)
    assert photos.search({"caption": ["a red square"]}, find="photo", k=1).identifiers.shape == (1, 1)
    assert photos.search({"caption": ["a red square"]}, find="caption").identifiers.shape == (1, 0)


def test_saved_and_loaded_from_disk(index, tmp_path):
    index.remove(["n3"])
    index.save(tmp_path / "index")
    again = mm.retrieval.Index.load(tmp_path / "index")
    assert isinstance(again._parts[0]["photo"], np.memmap)
    query = {"caption": ["a green square"]}
    for one, two in zip(index.search(query, find="photo"), again.search(query, find="photo"), strict=True):
        np.testing.assert_array_equal(one, two)
    again.remove(["n1"])
    assert len(mm.retrieval.Index.load(tmp_path / "index")) == 47
    with pytest.raises(FileExistsError, match=r"not overwritten. Received: '.*index', which exists. Give a new name"):
        index.save(tmp_path / "index")
    with pytest.raises(
        FileNotFoundError, match=r"a folder that Index.save wrote. Received: '.*nowhere', which is not one"
    ):
        mm.retrieval.Index.load(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda i, s: i.search({"caption": ["a"]}, find="foto"), r"find is one of .*Received: 'foto'. Did you mean"),
        (lambda i, s: i.search({"text": ["a"]}, find="photo"), r"raw values of one modality: .*Received: \['text'\]"),
        (
            lambda i, s: i.search({"caption": ["a"]}, find="photo", k=0),
            r"k of 'search' must be positive. Received: k=0",
        ),
        (
            lambda i, s: i.remove(["n99"]),
            r"Only what is in the index can be removed. Received: \['n99'\]. Did you mean",
        ),
        (lambda i, s: i.add(s, identifiers="key"), r"An identifier may come once. Received: \['n0', 'n1'"),
        (
            lambda i, s: i.add(s, identifiers="kee"),
            r"identifiers is a column of the table, or a list. Received: 'kee'. Did you mean",
        ),
        (lambda i, s: i.add(s, identifiers=["a"]), r"an identifier for each example. Received: 1 for 48 examples"),
        (lambda i, s: i.add(s.select(["colour"])), r"must hold one of the modalities .*Received: \['colour'\]"),
        (lambda i, s: mm.retrieval.Index(i.preprocess, i.preprocess), r"An index needs a mm.dual_encoder. Received: "),
    ],
)
def test_errors_name_the_remedy(index, squares, call, message):
    with pytest.raises(ValueError, match=message):
        call(index, squares)
