import json

import numpy as np
import pandas as pd
import pytest

import mmkeras as mm
from mmkeras.data.fingerprint import fingerprint


@pytest.fixture(scope="module")
def specs():
    return [mm.Text("question", max_tokens=24, vocabulary_size=100), mm.Table("meta", numeric=["hour"])]


@pytest.fixture(scope="module")
def raw(scenes, specs, heads):
    return mm.data.from_csv(scenes, specs, heads)


@pytest.fixture(scope="module")
def preprocess(raw, specs):
    return mm.adapt(mm.preprocessor(specs), raw, verbose=False)


@pytest.fixture
def make(raw, preprocess, heads, tmp_path):
    def make(raw=raw, preprocess=preprocess, cache=tmp_path / "cache"):
        return mm.data.eval_batches(raw, preprocess, heads, batch_size=32, cache=cache, verbose=False)

    return make


def rows(batches):
    arrays = {}
    for x, y in batches:
        for name, tensor in (x | y).items():
            arrays.setdefault(name, []).append(tensor.numpy())
    return {name: np.concatenate(parts) for name, parts in arrays.items()}


def same(a, b):
    assert list(a) == list(b)
    for name in a:
        np.testing.assert_array_equal(a[name], b[name])


def test_memory_and_disk_hold_what_is_read_without(make, tmp_path):
    plain = rows(make(cache=None))
    same(rows(make(cache="memory")), plain)
    same(rows(make()), plain)
    assert np.load(tmp_path / "cache/question.npy", mmap_mode="r").dtype == np.int32


def test_a_folder_is_used_again_and_written_anew_when_the_data_change(make, raw, tmp_path):
    make()
    written = (tmp_path / "cache/question.npy").stat().st_mtime_ns
    make()
    assert (tmp_path / "cache/question.npy").stat().st_mtime_ns == written
    part = raw.subset(range(50))
    assert len(rows(make(raw=part))["question"]) == 50
    assert json.loads((tmp_path / "cache/store.json").read_text())["rows"] == 50


def test_another_vocabulary_writes_anew(make, raw, specs, preprocess):
    before = rows(make())
    fewer = mm.adapt(mm.preprocessor(specs), raw.subset(range(3)), verbose=False)
    after = rows(make(preprocess=fewer))
    assert not np.array_equal(before["question"], after["question"])
    same(rows(make()), before)


def test_other_heads_write_anew(make, raw, preprocess, heads, tmp_path):
    one = mm.data.eval_batches(raw, preprocess, heads[:1], cache=tmp_path / "cache", verbose=False)
    assert list(rows(make())) == [*list(rows(one)), *(head.name for head in heads[1:])]


def test_the_ends_of_texts_count():
    spec, head = mm.Text("q", vocabulary=("w1", "w2", "w3")), mm.heads.regression("y", mean=0, std=1)
    make = lambda *texts: mm.data.from_dataframe(pd.DataFrame({"q": texts, "y": 0.0}), [spec], [head])  # noqa: E731
    prints = {fingerprint(raw, mm.preprocessor([spec]), [head]) for raw in (make("w1 w2", "w3"), make("w1", " w2w3"))}
    assert len(prints) == 2


def test_a_changed_file_writes_anew(scenes, tmp_path):
    png = scenes.parent / "images/0000.png"
    (tmp_path / "a.png").write_bytes(png.read_bytes())
    spec = mm.Image("photo", size=(8, 8))
    raw = mm.data.from_dataframe(pd.DataFrame({"photo": ["a.png"]}), [spec], root=tmp_path)
    before = fingerprint(raw, mm.preprocessor([spec]), [])
    (tmp_path / "a.png").write_bytes(png.read_bytes() + b" ")
    assert fingerprint(raw, mm.preprocessor([spec]), []) != before
    assert fingerprint(raw, mm.preprocessor([spec]), [], stamps=False) == fingerprint(
        raw, mm.preprocessor([spec]), [], stamps=False
    )


def test_cache_is_memory_or_a_path(make):
    with pytest.raises(ValueError, match="cache is None, 'memory' or the path of a folder. Received: True"):
        make(cache=True)


def test_an_interrupted_writing_leaves_nothing_that_is_taken_for_whole(make, raw, tmp_path, monkeypatch):
    monkeypatch.setattr("mmkeras.data.store.json.dumps", lambda told: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        make()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_other_files_is_not_touched(make, tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache/thesis.txt").write_text("do not delete")
    with pytest.raises(ValueError, match="a folder of its own"):
        make()
    assert (tmp_path / "cache/thesis.txt").read_text() == "do not delete"
