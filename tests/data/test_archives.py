import io
import multiprocessing
import os
import tarfile
import zipfile

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import mmkeras as mm
from mmkeras.data.files import archives, clips

SPECS = [mm.Image("photo", size=(4, 4))]
FILES = {f"{'in/' * (i > 1)}{i}.png": tf.io.encode_png(np.full((4, 4, 3), i, "uint8")).numpy() for i in range(4)}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MMKERAS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def write(path, files=FILES):
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as made:
            for name, content in files.items():
                made.writestr(name, content)
    else:
        kind = {".gz": "w:gz", ".tgz": "w:gz", ".bz2": "w:bz2", ".xz": "w:xz"}.get(path.suffix, "w")
        with tarfile.open(path, kind) as made:
            for name, content in files.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                made.addfile(member, io.BytesIO(content))
    return path


def photos(names, **root):
    return mm.data.from_dataframe(pd.DataFrame({"photo": names}), SPECS, **root)


@pytest.mark.parametrize("suffix", [".zip", ".ZIP", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz"])
def test_an_archive_is_a_folder(tmp_path, suffix):
    made = write(tmp_path / f"photos{suffix.lower()}").rename(tmp_path / f"photos{suffix}")
    for raw in (photos(list(FILES), root=made), photos([f"photos{suffix}/{name}" for name in FILES], root=tmp_path)):
        assert [row["photo"] for row in raw.as_numpy_iterator()] == list(FILES.values())
    inner = photos(["2.png"], root=tmp_path / f"photos{suffix}" / "in")
    assert [row["photo"] for row in inner.as_numpy_iterator()] == [FILES["in/2.png"]]


def test_every_column_may_have_its_own_root(tmp_path):
    one, two = write(tmp_path / "one.zip"), write(tmp_path / "two.tar", {"x.wav": b"RIFF"})
    (tmp_path / "own.png").write_bytes(b"own")
    specs = [*SPECS, mm.Audio("voice"), mm.Image("other")]
    (tmp_path / "t.csv").write_text("photo,voice,other\n1.png,x.wav,own.png\n")
    raw = mm.data.from_csv(tmp_path / "t.csv", specs, root={"photo": one, "voice": two})
    assert list(raw.as_numpy_iterator()) == [{"photo": FILES["1.png"], "voice": b"RIFF", "other": b"own"}]
    with pytest.raises(
        ValueError, match=r"root must be given by raw names of files.*Received: 'vioce' Did you mean 'voice'"
    ):
        mm.data.from_csv(tmp_path / "t.csv", specs, root={"vioce": two})


def test_it_is_extracted_once_and_again_where_it_changed(tmp_path, cache, capsys):
    path = write(tmp_path / "photos.zip")
    assert photos(["1.png"], root=path).table["photo"][0].startswith(str(cache))
    assert f"Extracted {path}: 4 files, 0.0 MB, into {cache}" in capsys.readouterr().out
    photos(["1.png"], root=path)
    assert capsys.readouterr().out == ""
    os.utime(path, (1, 1))
    photos(["1.png"], root=path)
    assert "Extracted" in capsys.readouterr().out
    assert len(list(cache.iterdir())) == 2


def test_archives_within_archives(tmp_path):
    inner = write(tmp_path / "inner.tar").read_bytes()
    write(tmp_path / "outer.zip", {"a/inner.tar": inner})
    raw = photos(["outer.zip/a/inner.tar/1.png"], root=tmp_path)
    assert next(raw.as_numpy_iterator())["photo"] == FILES["1.png"]
    assert raw.origin(0, "photo") == f"{tmp_path}/outer.zip/a/inner.tar/1.png"


def test_a_folder_may_be_called_like_an_archive(tmp_path):
    (tmp_path / "photos.zip").mkdir()
    (tmp_path / "photos.zip/1.png").write_bytes(b"x")
    assert photos(["1.png"], root=tmp_path / "photos.zip").table["photo"].tolist() == [f"{tmp_path}/photos.zip/1.png"]


def test_missing_files_are_named_within_the_archive_and_archives_once(tmp_path):
    path = write(tmp_path / "photos.zip")
    with pytest.raises(ValueError, match=r"row 1, 'photo', \S*photos\.zip/8\.png: there is no such file\n.*row 2,"):
        photos(["1.png", "8.png", "9.png"], root=path)
    with pytest.raises(ValueError) as caught:
        photos([f"lost.zip/{i}.png" for i in range(10_000)], root=tmp_path)
    assert "10000 example(s)" in str(caught.value)
    assert f"row 0, 'photo', {tmp_path}/lost.zip: there is no such archive (The same in row 1, 2, " in str(caught.value)
    assert len(str(caught.value)) < 500
    with pytest.raises(ValueError, match=r"root must be .* or archive. Received: '\S*lost.zip' for 'photo'"):
        photos(["1.png"], root=tmp_path / "lost.zip")
    with pytest.raises(ValueError, match=r"photos.zip: this is a folder or an archive, not a file in it"):
        photos(["photos.zip"], root=tmp_path)


def test_broken_files_are_named_within_the_archive(tmp_path):
    write(tmp_path / "photos.zip", FILES | {"no.png": b"hello", "none.png": b""})
    preprocess = mm.preprocessor(SPECS)
    for name in ("no.png", "none.png"):
        raw = photos(["1.png", name], root=tmp_path / "photos.zip")
        with pytest.raises(ValueError, match=rf"row 1, 'photo', {tmp_path}/photos.zip/{name}: "):
            list(mm.data.eval_batches(raw, preprocess, cache="memory", verbose=False))


def cut(path):
    path.write_bytes(path.read_bytes()[:-300])


def encrypt(path):
    content = bytearray(path.read_bytes())
    for mark, flags in ((b"PK\1\2", 8), (b"PK\3\4", 6)):
        content[content.index(mark) + flags] |= 1
    path.write_bytes(content)


@pytest.mark.parametrize("name", ["photos.zip", "photos.tar.gz", "photos.tar.xz", "photos.tar.bz2"])
def test_broken_archives(tmp_path, cache, name):
    path = write(tmp_path / name, {str(i): np.random.default_rng(i).bytes(3000) for i in range(3)})
    cut(path)
    with pytest.raises(ValueError, match=rf"An archive must be whole.* Received: {path}: .*copied or downloaded whole"):
        photos(["1"], root=path)
    path.write_text("hello")
    with pytest.raises(ValueError, match="An archive must be whole"):
        photos(["1"], root=path)
    assert not list(cache.iterdir())


@pytest.mark.parametrize(
    ("name", "mark", "offset", "cause"),
    [
        ("a.zip", b"PK\1\2", 33, "its directory lists 1 members instead of 4"),  # with a comment of 4096 bytes
        ("a.tar", b"in/2.png", 0, "its members end at byte 2,048, without an end-of-archive marker"),
    ],
)
def test_members_are_not_passed_over(tmp_path, cache, name, mark, offset, cause):
    content = bytearray(write(tmp_path / name).read_bytes())
    content[content.index(mark) + offset] ^= 16
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=f"An archive must be whole.* Received: .*{name}: {cause}. Was it copied"):
        photos(["1.png"], root=tmp_path / name)
    assert not list(cache.iterdir())


def test_unsafe_and_encrypted_archives(tmp_path):
    encrypt(write(tmp_path / "a.zip", {"x": b"1"}))
    with pytest.raises(ValueError, match="a.zip: its member 'x' is encrypted. Unpack it yourself"):
        photos(["x"], root=tmp_path / "a.zip")
    for name in ("../x", "/x", "a/../../x"):
        for path in (tmp_path / "b.zip", tmp_path / "b.tar"):
            write(path, {name: b"1"})
            if (path.suffix, name) != (".tar", "/x"):  # read as "x", like tar does
                with pytest.raises(ValueError, match=f"its member '{name}' does not belong within a folder"):
                    photos(["x"], root=path)
    with tarfile.open(tmp_path / "c.tar", "w") as made:
        link = tarfile.TarInfo("x")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
        made.addfile(link)
    with pytest.raises(ValueError, match="its member 'x' does not belong"):
        photos(["x"], root=tmp_path / "c.tar")


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz", ".tar.xz"])
def test_an_archive_that_becomes_many_times_as_large_is_refused(tmp_path, cache, monkeypatch, suffix):
    monkeypatch.setattr(archives, "_FREE", 2**20)
    path = tmp_path / f"bomb{suffix}"
    if suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
            for i in range(3):
                made.writestr(f"{i}.csv", bytes(10**6))
    else:
        write(path, {f"{i}.csv": bytes(10**6) for i in range(3)})
    size = path.stat().st_size
    message = rf"{path}: {size:,} bytes that would become [23],000,000 or more; .* 200 times as large, and 1 MiB in any"
    with pytest.raises(ValueError, match=message):
        archives.on_disk(f"{path}/0.csv")
    assert not any(cache.iterdir())
    monkeypatch.setattr(clips, "_FREE", 2**20)
    with pytest.raises(ValueError, match=r"clip: an archive must not unpack.*would become [23],000,000 or more"):
        clips.as_clip("clip", path.read_bytes(), 4)
    monkeypatch.setattr(archives, "_FREE", 2**30)
    assert os.path.getsize(archives.on_disk(f"{path}/2.csv")) == 10**6


def test_a_killed_extraction_leaves_nothing_that_looks_finished(tmp_path, cache, monkeypatch):
    path = write(tmp_path / "photos.zip")

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(archives, "_finish", killed)
        patch.setattr(archives.shutil, "rmtree", lambda *_, **__: None)  # a killed process does not clean up
        with pytest.raises(KeyboardInterrupt):
            photos(["1.png"], root=path)
    assert [folder.name.split("-")[0] for folder in cache.iterdir()] == ["unfinished"]
    assert next(photos(["1.png"], root=path).as_numpy_iterator())["photo"] == FILES["1.png"]


def test_two_processes_at_once(tmp_path, cache):
    path = write(tmp_path / "photos.zip", {f"{i}.png": b"x" for i in range(300)})
    with multiprocessing.get_context("fork").Pool(3) as pool:
        folders = pool.map(archives.on_disk, [str(path)] * 6)
    assert len(set(folders)) == 1
    assert len(os.listdir(folders[0])) == 300
    assert len(os.listdir(cache)) == 1
