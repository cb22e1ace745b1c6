"""What is no `.keras` file, or half of one, is said to be what it is."""

import shutil
import zipfile

import h5py
import keras
import numpy as np
import pytest

import mmkeras as mm


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The home folder, with a file `model.keras` in it."""
    x = keras.Input((4,), name="x")
    head = mm.heads.classification("kind", ["a", "b"])
    keras.Model({"x": x}, {"kind": head.output(x)}).save(tmp_path / "model.keras")
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def refused(path, message):
    with pytest.raises(
        ValueError, match=rf"takes a whole \.keras file.*Received: '.*{path.name}'.*{message}"
    ) as caught:
        mm.load_model(path)
    assert "not found" not in str(caught.value).lower()


def test_the_home_folder_is_known(folder):
    assert list(mm.load_model("~/model.keras").output) == ["kind"]


class Doubled(keras.layers.Layer):
    """Not registered with Keras."""

    def call(self, inputs):
        return 2 * inputs


def test_what_is_not_registered_is_named(tmp_path):
    path = tmp_path / "own.keras"
    keras.Sequential([keras.Input((4,)), Doubled()]).save(path)
    with pytest.raises(ValueError, match=r"which holds the class 'Doubled'. Decorate it with @keras.saving") as caught:
        mm.load_model(path)
    assert len(str(caught.value)) < 700
    with keras.saving.custom_object_scope({"Doubled": Doubled}):  # as the message says
        assert type(mm.load_model(path).layers[-1]) is Doubled


def test_weights_alone_are_told_from_a_model(folder):
    mm.load_model(folder / "model.keras").save_weights(folder / "model.weights.h5")
    refused(folder / "model.weights.h5", r"holds weights alone\. Build the model as before")


@pytest.mark.parametrize("share", [0.01, 0.5, 0.999])
def test_a_truncated_file_is_damaged(folder, share):
    whole = (folder / "model.keras").read_bytes()
    (folder / "half.keras").write_bytes(whole[: int(share * len(whole))])
    refused(folder / "half.keras", r"\([\d,]+ bytes\), which is damaged: .*zip.*Copy, download or save it again")


@pytest.mark.parametrize("member", ["config.json", "model.weights.h5"])
def test_changed_bytes_are_damage(folder, member):
    data = bytearray((folder / "model.keras").read_bytes())
    with zipfile.ZipFile(folder / "model.keras") as archive:
        info = archive.getinfo(member)
    start = info.header_offset + 30 + len(member)
    data[start : start + info.compress_size] = bytes(info.compress_size)
    (folder / "changed.keras").write_bytes(data)
    refused(folder / "changed.keras", "is damaged: ")


def test_an_error_of_a_whole_file_is_that_of_keras(folder):
    shutil.copy(folder / "model.keras", folder / "foreign.keras")
    with zipfile.ZipFile(folder / "model.keras") as archive, zipfile.ZipFile(folder / "foreign.keras", "w") as other:
        for name in archive.namelist():
            other.writestr(name, archive.read(name).replace(b"Dense", b"Dunce"))
    with pytest.raises(Exception, match="Dunce"):
        mm.load_model(folder / "foreign.keras")


def test_other_kinds_are_named(folder):
    with h5py.File(folder / "weights.keras", "w") as file:
        file["x"] = np.zeros(3)
    refused(folder / "weights.keras", r"is an HDF5 file. Call it \.h5 .*load_weights")
    np.savez(folder / "arrays.keras.npz", x=np.zeros(3))
    (folder / "arrays.keras.npz").rename(folder / "arrays.keras")
    refused(folder / "arrays.keras", r"ZIP archive of something else; it holds \['x.npy'\]")
    shutil.copy(folder / "model.keras", folder / "model.zip")
    refused(folder / "model.zip", r"of another name. Call it 'model\.keras'")
    others = (("a.keras", b"", "is empty"), ("a.tflite", b"\x1c\0\0\0TFL3...", "LiteRT file.*edge.Model"),
              ("b.keras", b"version https://git-lfs", "begins with b'version '.*pointer"))  # fmt: skip
    for name, content, message in others:
        (folder / name).write_bytes(content)
        refused(folder / name, message)


def test_folders_are_told_apart(folder):
    (folder / "version").mkdir()
    (folder / "version" / "saved_model.pb").touch()
    refused(folder / "version", r"is a SavedModel.*tf\.saved_model\.load")
    (folder / "run").mkdir()
    shutil.copy(folder / "model.keras", folder / "run" / "best.keras")
    refused(folder / "run", r"is a folder. Give a file in it: \['best\.keras'\]")


def test_a_file_that_is_not_there_is_not_damaged(folder):
    with pytest.raises(FileNotFoundError, match=r"no such file. Received: '.*modle\.keras'.*\['model\.keras'\]"):
        mm.load_model(folder / "modle.keras")


def test_what_keras_reads_besides_is_left_to_it(folder):
    mm.load_model(folder / "model.keras").save(folder / "model.h5")
    assert list(mm.load_model(folder / "model.h5").output) == ["kind"]
