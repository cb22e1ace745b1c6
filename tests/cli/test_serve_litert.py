"""A LiteRT file in a served version answers single examples, as the SavedModel beside it does.

It is here because the exports of these tests have every kind of input and answer.
"""

import shutil
import types

import numpy as np
import pytest

from mmkeras.serve import litert
from mmkeras.serve.protocol import SIGNATURE, Refused
from mmkeras.serve.versions import Versions
from tests.cli.conftest import png


@pytest.fixture(autouse=True)
def _seeded():
    """Nothing here is random; a new seed would make TensorFlow optimize the served graph again in each test."""


@pytest.fixture(scope="module")
def version(exported, tmp_path_factory):
    """A version that was loaded again because it got a LiteRT file."""
    folder = tmp_path_factory.mktemp("single")
    shutil.copytree(exported.folder / "scenes" / "2", folder / "scenes" / "2")
    versions = Versions(folder)
    before = versions.get("scenes")
    shutil.copy(exported.folder / "scenes.tflite", folder / "scenes" / "2" / "assets.extra")
    versions.look()
    assert versions.get("scenes") is before and before.file is None  # it may still be copied
    versions.look()
    after = versions.get("scenes")
    assert after.file == "scenes.tflite" and versions.states("scenes") == {2: ""}
    yield after
    versions.close()


@pytest.fixture
def sizes(version, monkeypatch):
    """Of the batches that the SavedModel is asked."""
    found, answer = [], version.model._answer
    monkeypatch.setattr(version.model, "_answer", lambda name, x: found.append(len(x["review"])) or answer(name, x))
    return found


FULL = {"review": b"a good day", "photo": png(3), "price": 2.5, "city": b"Rome", "face": (0.5, 1.0)}
ABSENT = {"review": b"day", "photo": b"", "price": np.nan, "city": b"Oslo", "face": (np.nan, np.nan)}


def arrays(*rows):
    return {name: np.array([row[name] for row in rows], object if isinstance(value, bytes) else "float32")
            for name, value in rows[0].items()}  # fmt: skip


@pytest.mark.parametrize("row", [FULL, ABSENT], ids=["full", "absent"])
def test_a_single_example_is_answered_alike(version, sizes, row):
    found = version.batcher.submit(SIGNATURE, arrays(row)).result(60)
    assert sizes == []
    wanted = version.model(SIGNATURE, arrays(row))
    assert list(found) == list(wanted) and sizes == [1]
    for name, value in wanted.items():
        assert (found[name].dtype, found[name].shape) == (value.dtype, value.shape)
        near = np.testing.assert_array_equal if value.dtype == object else np.testing.assert_allclose
        near(found[name], value, **({} if value.dtype == object else {"atol": 1e-5, "rtol": 1e-5}))


def test_several_examples_and_refusals_are_the_saved_models(version, sizes):
    version.batcher.submit(SIGNATURE, arrays(FULL, ABSENT)).result(60)
    assert sizes == [2]
    asked = version.batcher.submit(SIGNATURE, arrays(FULL | {"photo": b"no picture"}))
    with pytest.raises(Refused) as own:
        version.model(SIGNATURE, arrays(FULL | {"photo": b"no picture"}))
    assert str(asked.exception(60)) == str(own.value) and asked.exception().input == "photo"


def test_a_file_that_answers_otherwise_is_refused(exported, version, tmp_path):
    file = exported.folder / "scenes.tflite"
    answers = version.model(SIGNATURE, version.model.recorded[1])

    def other(**changed):
        return type("Saved", (), {"recorded": version.model.recorded, "__call__": lambda *_: answers | changed})()

    with pytest.raises(ValueError, match=r"'scenes.tflite', where \['mood_scores'\] of example 0 differ. Export it"):
        litert.Single(file, other(mood_scores=answers["mood_scores"] + np.float32(3e-4)))
    with pytest.raises(ValueError, match=r"where \['more'\] of example 0"):
        litert.Single(file, other(more=answers["mood"]))
    with pytest.raises(ValueError, match=r"Received: 'scenes.tflite', and no request.json. Export the SavedModel"):
        litert.Single(file, types.SimpleNamespace(recorded=None))
    (tmp_path / "assets.extra").mkdir()
    assert litert.file_of(tmp_path) is None
    for name in ("a", "b"):
        (tmp_path / "assets.extra" / f"{name}.tflite").touch()
    with pytest.raises(ValueError, match=r"one LiteRT file in assets.extra. Received: \['a.tflite', 'b.tflite'\]"):
        litert.file_of(tmp_path)


def test_the_status_is_that_of_the_saved_model(exported, version):
    answers = version.model(SIGNATURE, version.model.recorded[1])
    told = answers | {"status": np.array([b""] * len(answers["mood"]), object)}
    saved = type("Saved", (), {"recorded": version.model.recorded, "__call__": lambda *_: told})()
    single = litert.Single(exported.folder / "scenes.tflite", saved)
    assert single(SIGNATURE, arrays(FULL))["status"].tolist() == [b""]
    assert single(SIGNATURE, arrays(FULL | {"photo": b"broken"})) is told
