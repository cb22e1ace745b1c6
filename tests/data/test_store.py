import errno
import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import mmkeras as mm
from mmkeras.data.batches import memory
from mmkeras.data.batches.fingerprint import fingerprint
from mmkeras.data.batches.packed import pack
from mmkeras.data.batches.store import _in_memory, materialise


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
    with pytest.raises(ValueError, match="cache must be None, 'memory' or the path of a folder. Received: True"):
        make(cache=True)


def test_an_interrupted_writing_leaves_nothing_that_is_taken_for_whole(make, raw, tmp_path, monkeypatch):
    monkeypatch.setattr("mmkeras.data.batches.cache_folder.json.dumps", lambda told: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        make()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_other_files_is_not_touched(make, tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache/thesis.txt").write_text("do not delete")
    with pytest.raises(ValueError, match="a folder of its own"):
        make()
    assert (tmp_path / "cache/thesis.txt").read_text() == "do not delete"


def _spoil(path, at, junk):
    content = bytearray(path.read_bytes())
    content[at : at + len(junk)] = junk
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("file", "spoil"),
    [
        ("question.npy", lambda path: path.write_bytes(path.read_bytes()[:-100])),
        ("question.npy", lambda path: _spoil(path, 20, b"<i8")),  # within the header
        ("question.npy", lambda path: path.write_bytes(b"")),
        ("question.npy", lambda path: path.unlink()),
        ("store.json", lambda path: path.write_text(path.read_text()[:-9])),
        ("store.json", lambda path: path.write_text(path.read_text().replace('"rows": 120', '"rows": 100'))),
        ("store.json", lambda path: path.write_bytes(b"\xff\xfe\x00")),
    ],
)
def test_a_damaged_folder_is_noticed_and_made_anew(make, tmp_path, capsys, file, spoil):
    before = rows(make())
    spoil(tmp_path / "cache" / file)
    capsys.readouterr()
    same(rows(make()), before)
    assert f"The cache in '{tmp_path / 'cache'}' is damaged and will be rebuilt: " in capsys.readouterr().out
    same(rows(make()), before)
    assert capsys.readouterr().out == ""


def test_a_full_disk_is_told_and_nothing_is_left(make, raw, tmp_path, monkeypatch):
    make()
    before = sorted(tmp_path.rglob("*"))
    no_room = OSError(errno.ENOSPC, "No space left on device")
    monkeypatch.setattr("mmkeras.data.batches.cache_folder._reserve", lambda *args: (_ for _ in ()).throw(no_room))
    rule = rf"The cache needs 0.0 MB in '{tmp_path}'. Received: No space left on device; [\d,.]+ MB are free there"
    with pytest.raises(OSError, match=rule):
        make(raw=raw.subset(range(40)))
    assert sorted(tmp_path.rglob("*")) == before


def test_a_cache_beyond_what_may_be_written_kills_nothing(scenes, tmp_path):
    """A file with holes would be a bus error at the first row that the disk has no room for."""
    code = f"""
import resource, mmkeras as mm
specs = [mm.Image("photo", size=(96, 96), optional=True)]
raw = mm.data.from_csv({str(scenes)!r}, specs)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
try:
    mm.data.eval_batches(raw, mm.preprocessor(specs), cache={str(tmp_path / "cache")!r}, verbose=False)
except OSError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "The cache needs 3.3 MB in" in done.stdout and "Nothing was left behind" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_memory_holds_the_examples_once(monkeypatch, make):
    """The tensors that batches are gathered from lie where the arrays do."""
    kept = []
    monkeypatch.setattr(
        "mmkeras.data.batches.feeds.materialise", lambda *args: kept.append(materialise(*args)) or kept[0]
    )
    batches = make(cache="memory")
    for name, array in kept[0].arrays.items():
        there = np.asarray(memoryview(kept[0]._tensors[name]))
        assert np.shares_memory(there, array)
    assert not batches.options().experimental_optimization.apply_default_optimizations
    with pytest.raises(MemoryError, match=r"cache='memory' needs memory.*Received: 8,000,000,000.*cache= a folder"):
        _in_memory({"x": ((10**15,), np.dtype("int64"))})


def test_the_size_is_told_before_it_is_filled(raw, preprocess, heads, tmp_path, capsys):
    for cache, place in (("memory", "memory"), (tmp_path / "c", f"'{tmp_path / 'c'}'")):
        mm.data.eval_batches(raw, preprocess, heads, cache=cache)
        assert f"Cache of 120 examples: 0.0 MB in {place}" in capsys.readouterr().out


def test_a_home_folder_is_written_short(make, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    make(cache="~/mine")
    assert (tmp_path / "mine/store.json").exists()


def test_a_file_is_no_folder(make, tmp_path):
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(ValueError, match="a folder of its own.*Name a folder that is new or empty"):
        make()


@pytest.fixture
def sounds():
    """Waveforms of 16-bit files and of one that is resampled, for a cache of 64 examples and then of another."""

    def sounds(odd):
        clips = np.random.default_rng(0).integers(-(2**15), 2**15, (70, 40)).astype("int16")
        values = [(8000, clip[: 40 - i % 9]) for i, clip in enumerate(clips)]
        values[69] = (11025, clips[69]) if odd else None
        spec, head = mm.Audio("voice", seconds=0.005, sample_rate=8000, optional=True), mm.heads.regression("y")
        frame = pd.DataFrame({"voice": values, "y": np.linspace(-1, 1, 70).round(4)})
        return mm.data.from_dataframe(frame, [spec], [head]), mm.preprocessor([spec])

    return sounds


@pytest.mark.parametrize(("place", "odd"), [("memory", False), ("cache", True)])
def test_waveforms_and_masks_are_stored_small_and_restored_exactly(sounds, odd, place, tmp_path, monkeypatch):
    kept, (raw, preprocess) = [], sounds(odd)
    monkeypatch.setattr(
        "mmkeras.data.batches.feeds.materialise", lambda *args: kept.append(materialise(*args)) or kept[0]
    )
    cache = place if place == "memory" else tmp_path / place
    make = lambda cache: mm.data.eval_batches(raw, preprocess, batch_size=32, cache=cache, verbose=False)  # noqa: E731
    same(rows(make(cache)), rows(make(None)))
    wide = {"voice": ((70, 40), np.float32), "voice_mask": ((70,), np.int32)}
    small = wide | {"voice": ((70, 40), np.int16)}
    got = {name: (kept[0].arrays[name].shape, kept[0].arrays[name].dtype) for name in wide}
    assert got == (wide if odd else small)


def test_a_mask_with_gaps_is_stored_as_it_is():
    gaps = np.array([[True, False, True, True, False]])
    assert pack(gaps) is None and pack(~gaps[:, :3]) is None
    assert pack(np.array([[1.0]], "float32")) is None and pack(np.array([[np.nan]], "float32")) is None


def test_a_cache_beyond_the_free_memory_is_refused_before_it_is_filled(make, monkeypatch):
    monkeypatch.setattr("mmkeras.data.batches.store.free_memory", lambda: 1_000)
    rule = r"cache='memory'.*Received: 0.0 MB, which is not available; 0.0 MB are free, of which it may take 80%. Give"
    with pytest.raises(MemoryError, match=rule):
        make(cache="memory")


def test_free_memory_is_that_of_the_machine_or_of_its_container(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "_GROUP", tmp_path)
    monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "meminfo")
    assert memory.free_memory() is None
    (tmp_path / "meminfo").write_text("MemTotal:  9000 kB\nMemAvailable:   5000 kB\n")
    assert memory.free_memory() == 5_120_000
    for name, content in {"max": "max", "current": "700000", "stat": "anon 1\ninactive_file 50000\n"}.items():
        (tmp_path / f"memory.{name}").write_text(content)
    assert memory.free_memory() == 5_120_000
    (tmp_path / "memory.max").write_text("1000000\n")
    assert memory.free_memory() == 350_000
