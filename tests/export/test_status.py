"""One broken example must not fail the others of its batch."""

import importlib
import json
import types

import keras
import numpy as np
import pytest
import tensorflow as tf

import mmkeras as mm
from mmkeras.export import saved_model
from mmkeras.export._saved_model.serving import serialized_examples
from mmkeras.export.process.scripts import fresh
from mmkeras.export.record import compared
from tests.export.conftest import png, wav
from tests.fuzz import clips

REQUIRED = ("text", "photo", "row")
CLIPS = list(clips.samples(np.random.default_rng(0)).values())


@pytest.fixture(scope="module")
def every():
    """A model with a required and an optional modality of nearly every kind."""
    specs = [
        mm.Text("text", vocabulary=("good", "bad"), max_tokens=4),
        mm.Image("photo", size=(8, 8)),
        mm.Table("row", numeric=["price"], dates=["day"], categorical=["city"]),
        mm.Image("scan", size=(8, 8), optional=True),
        mm.Audio("voice", seconds=0.4, sample_rate=1000, optional=True),
        mm.Video("clip", frames=2, size=(8, 8), optional=True),
        mm.Vector("face", size=2, optional=True),
    ]
    heads = [mm.heads.classification("mood", ["a", "b"]), mm.heads.regression("stars", mean=0.0, std=1.0)]
    frame = {"price": [1.0, 2.0], "day": ["2024-01-02", "2023-05-06"], "city": ["Rome", "Oslo"]}
    preprocess = mm.adapt(mm.preprocessor(specs), _rows(frame), verbose=False)
    keras.utils.set_random_seed(0)
    branches = {
        "text": mm.branches.text.gru(specs[0], units=4, embed_dim=4),
        "photo": mm.branches.image.conv2d(specs[1], filters=(4,)),
        "row": mm.branches.table.mlp(specs[2], units=(4,)),
        "scan": mm.branches.image.conv2d(specs[3], filters=(4,)),
        "voice": mm.branches.audio.conv2d(specs[4], filters=(4,), mel_bands=8),
        "clip": mm.branches.video.frames(specs[5], filters=(4,)),
        "face": mm.branches.vector.linear(specs[6], dim=4),
    }
    model = mm.fusion_model(specs, branches, mm.fusion.Attention(dim=8), heads)
    return types.SimpleNamespace(preprocess=preprocess, model=model, specs=specs, heads=heads)


def _rows(columns):
    filled = {"text": "good", "photo": b"", "scan": b"", "voice": b"", "clip": b"", "face": [0.0, 0.0]}
    count = len(columns["price"])
    return tf.data.Dataset.from_tensor_slices({**{name: [value] * count for name, value in filled.items()}, **columns})


def examples(count):
    rng = np.random.default_rng(0)
    return {
        "text": np.array([b"good", b"bad good"] * (count // 2), object),
        "photo": np.array([png(i) for i in range(count)], object),
        "price": rng.normal(size=count).astype("float32"),
        "day": np.array([b"2024-03-04", b""] * (count // 2), object),
        "city": np.array([b"Rome", b"Paris"] * (count // 2), object),
        "scan": np.array([png(i) if i % 3 else b"" for i in range(count)], object),
        "voice": np.array([wav(i) if i % 5 else b"" for i in range(count)], object),
        "clip": np.array([CLIPS[i % len(CLIPS)] if i % 2 else b"" for i in range(count)], object),
        "face": rng.normal(size=(count, 2)).astype("float32"),
    }


# Input, broken value, modality of the status, part of the cause.
BROKEN = [
    ("text", b"\xff\xfe", "text", "text must be UTF-8."),
    ("text", b"", "text", "a required text must not be empty."),
    ("text", b"<br>", "text", "a required text must hold at least one token"),
    ("photo", b"", "photo", "nothing came."),
    ("photo", png(0)[:60] + b"\0\0\0\0IEND", "photo", "its pixels cannot be decoded."),
    ("price", np.inf, "row", "numbers must be finite"),
    ("day", b"tomorrow", "row, column 'day'", "A date is written as"),
    ("city", b"\xff", "row, column 'city'", "a category must be UTF-8."),
    ("scan", b"hello world", "scan", "this looks like text."),
    ("scan", png(0)[:-20], "scan", "the file is cut off"),
    ("voice", wav(0)[:-20], "voice", "the WAV file is cut off"),
    ("clip", CLIPS[0][: len(CLIPS[0]) // 2], "clip", "the ZIP file is cut off or damaged."),
    ("face", [np.nan, 1.0], "face", "a vector must be finite"),
]


@pytest.fixture(scope="module")
def isolated(every, tmp_path_factory):
    """Function (on_error) -> the loaded signatures, and the report."""
    folder, done = tmp_path_factory.mktemp("saved_models"), {}

    def export(on_error):
        if on_error not in done:
            path = folder / on_error / "1"
            with pytest.MonkeyPatch.context() as patch:
                if on_error != "skip":  # that a process without mmkeras answers is shown by one of them
                    patch.setattr(importlib.import_module("mmkeras.export._saved_model.export"), "run_fresh",
                                  lambda path, ops, runs: fresh.answer(lambda: None, str(path), ops, runs))  # fmt: skip
                report = saved_model(every.preprocess, every.model, path, samples=examples(4), on_error=on_error)
            loaded = tf.saved_model.load(str(path))
            done[on_error] = types.SimpleNamespace(
                path=path, loaded=loaded, signatures=loaded.signatures, report=report
            )
        return done[on_error]

    return export


def ask(exported, raw, signature="serving_default"):
    found = exported.signatures[signature](**{name: tf.constant(value) for name, value in raw.items()})
    return {name: value.numpy() for name, value in found.items()}


def broken(raw, faults):
    raw = {name: values.copy() for name, values in raw.items()}
    for row, (name, value, *_) in faults.items():
        raw[name][row] = value
    return raw


def test_three_of_32_are_refused_and_29_answered_as_alone(isolated):
    export, raw = isolated("skip"), examples(32)
    faults = {3: BROKEN[4], 17: BROKEN[10], 31: BROKEN[12]}
    found = ask(export, broken(raw, faults))
    for row in range(32):
        one = {name: values[row : row + 1] for name, values in raw.items()}
        status = found["status"][row].decode()
        if row in faults:
            name, part = faults[row][2:]
            assert status.startswith(f"refused: {name}: ") and part in status, status
            assert found["mood"][row] == b"" and np.isnan(found["mood_scores"][row]).all()
            assert np.isnan(found["stars"][row]).all() and (found["mood_classes"][row] == b"").all()
        else:
            alone = ask(export, one)
            assert status == "" and found["mood"][row] == alone["mood"][0]
            np.testing.assert_allclose(found["mood_scores"][row], alone["mood_scores"][0], atol=1e-6)
            np.testing.assert_allclose(found["stars"][row], alone["stars"][0], atol=1e-5)


@pytest.mark.parametrize("on_error", ["skip", "absent"])
def test_every_kind_of_fault(isolated, on_error):
    export, raw = isolated(on_error), examples(2 * len(BROKEN))
    found = ask(export, broken(raw, dict(enumerate(BROKEN))))
    for row, (name, _, said, part) in enumerate(BROKEN):
        status, optional = found["status"][row].decode(), said.partition(",")[0] not in REQUIRED
        kind = "absent" if on_error == "absent" and optional else "refused"
        assert status.startswith(f"{kind}: {said}: ") and part in status, (name, status)
        if kind == "absent":
            without = {name: values[row : row + 1].copy() for name, values in raw.items()}
            without[name][0] = np.nan if name == "face" else b""
            np.testing.assert_allclose(found["mood_scores"][row], ask(export, without)["mood_scores"][0], atol=1e-6)
        assert np.isnan(found["stars"][row]).all() == (kind == "refused")
    assert (found["status"][len(BROKEN) :] == b"").all() and np.isfinite(found["stars"][len(BROKEN) :]).all()


def test_ready_tensors_and_serialized_examples_are_isolated_too(isolated, every):
    export, raw = isolated("skip"), examples(4)
    expected = ask(export, raw)
    ready = {name: value.numpy() for name, value in every.preprocess(_tensors(raw)).items()}
    ready["face"][1, 0], ready["row"][2, 0] = np.nan, 1e13
    found = ask(export, ready, "ready")
    told = [each.decode().rpartition(" Received:")[0] for each in found["status"]]
    rule = "ready numbers must be finite, within -1e12 and 1e12."
    assert told == ["", f"refused: face: {rule}", f"refused: row: {rule}", ""]
    np.testing.assert_allclose(found["stars"][[0, 3]], expected["stars"][[0, 3]], atol=1e-5)
    protos = serialized_examples(raw, ["scan", "voice", "clip", "face"])
    protos[1], protos[2] = b"no proto", tf.train.Example().SerializeToString()
    found = ask(export, {"examples": protos}, "examples")
    assert found["status"][[0, 3]].tolist() == [b"", b""] and found["mood"][[1, 2]].tolist() == [b"", b""]
    assert found["status"][1].startswith(b"refused: examples: a serialized tf.Example with every required feature is")
    np.testing.assert_allclose(found["stars"][[0, 3]], expected["stars"][[0, 3]], atol=1e-5)


def test_by_default_the_batch_fails_and_there_is_no_status(exported, raw):
    assert json.loads((exported.path / "assets.extra" / "signature.json").read_text())["on_error"] == "raise"
    given = {name: tf.constant(raw[name]) for name in ("review", "note", "photo", "voice", "price", "city")}
    assert "status" not in exported.loaded.signatures["serving_default"](**given)
    with pytest.raises(tf.errors.InvalidArgumentError, match="this looks like text"):
        exported.loaded.signatures["serving_default"](**given | {"photo": tf.constant([b"", b"no picture", b"", b""])})


def test_the_files_beside_an_export_tell_of_the_status(isolated):
    extra = isolated("skip").path / "assets.extra"
    signature, record = (json.loads((extra / f"{name}.json").read_text()) for name in ("signature", "answers"))
    assert signature["on_error"] == "skip" and "status" not in record["answers"]
    for each in signature["signatures"].values():
        assert each["outputs"]["status"] == {"shape": [None], "dtype": "string"}
    received = ask(isolated("skip"), {name: values[:2] for name, values in examples(4).items()})
    assert not any(compared(record, received)[1].values())


def test_what_on_error_cannot_do_is_refused(every, tmp_path):
    path = tmp_path / "m" / "1"
    with pytest.raises(ValueError, match="on_error is 'raise', 'skip' or 'absent'. Received: 'refuse'"):
        saved_model(every.preprocess, every.model, path, on_error="refuse")
    number, row = keras.Input((), name="number"), keras.Input((1,), name="row")
    foreign = keras.Model({"number": number}, {"row": keras.layers.Reshape((1,))(number)})
    head = mm.heads.regression("status", mean=0.0, std=1.0)
    model = keras.Model({"row": row}, {"status": head.output(row)})
    with pytest.raises(ValueError, match="on_error='skip' needs layers that tell what is wrong with an example"):
        saved_model(foreign, model, path, heads=[head], samples={"number": [1.0]}, on_error="skip")
    spec = mm.Vector("row", size=1, optional=False)
    model = keras.Model({"row": row}, {"status": head.output(row)})
    preprocess = mm.preprocessor([spec])
    preprocess = keras.Model(preprocess.input, {"row": preprocess.output["row"]})
    with pytest.raises(ValueError, match="on_error='skip' adds an answer 'status'. Received: an answer of that name"):
        saved_model(preprocess, model, path, heads=[head], on_error="skip")
    assert not list(tmp_path.iterdir())


def _tensors(raw):
    return {name: tf.constant(value) for name, value in raw.items()}
