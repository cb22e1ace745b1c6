"""From raw values to answers without TensorFlow, beside Keras and the heads' own decoding."""

import json
import pickle
import shutil
import subprocess
import sys
import types
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import mmkeras as mm
from mmkeras import edge
from mmkeras.edge import runner
from mmkeras.export import litert
from mmkeras.export.fit import decoded

COLUMNS = ["question", "photo", "voice", "pitch", "room"]


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """Rows of a generated set with every modality, what Keras answers to them, and the file that was exported.

    Its waveforms are int16, and its quantised forms need the same steps of `mmkeras.edge`.
    """
    folder = tmp_path_factory.mktemp("scenes")
    frame = pd.read_csv(mm.data.generate.scenes(folder, n=12, seed=1, size=24))
    frame["pitch"], frame["room"] = np.arange(len(frame)) / 7 - 1, ["attic", "Küche", "yard"] * (len(frame) // 3)
    frame["stars"] = 1e4 + 1e3 * frame["pitch"]
    frame["topics"] = ["a|b", "b", ""] * (len(frame) // 3)
    specs = [mm.Text("question", max_tokens=24, vocabulary_size=60), mm.Image("photo", size=(16, 20), optional=True),
             mm.Audio("voice", seconds=0.3, sample_rate=8000, optional=True),
             mm.Table("row", numeric=["pitch"], categorical=["room"], optional=True)]  # fmt: skip
    heads = [mm.heads.classification("answer", classes=mm.data.generate.ANSWERS),
             mm.heads.classification("topics", classes=["a", "b"], multi_label=True),
             mm.heads.regression("stars", mean=1e4, std=1e3)]  # fmt: skip
    raw = mm.data.from_dataframe(frame, specs, heads, root=folder)
    preprocess = mm.adapt(mm.preprocessor(specs), raw, verbose=False)
    branches = {"question": mm.branches.text.gru(specs[0], units=8, embed_dim=8),
                "photo": mm.branches.image.conv2d(specs[1], filters=(8,)),
                "voice": mm.branches.audio.conv2d(specs[2], filters=(8,), mel_bands=16),
                "row": mm.branches.table.mlp(specs[3], units=(8,))}  # fmt: skip
    model = mm.fusion_model(specs, branches, mm.fusion.Attention(dim=16), heads)
    path = folder / "scenes.tflite"
    report = litert(preprocess, model, path, heads=heads, samples=raw, waveform="int16", verbose=False)
    rows = [{name: row[name] for name in COLUMNS} for row in raw.as_numpy_iterator()]
    nothing = {"photo": b"", "voice": b"", "pitch": np.float32("nan"), "room": b""}
    rows += [rows[0] | nothing, rows[1] | {"voice": b""}, rows[2] | {"photo": b"", "pitch": np.float32("nan")}]
    tensors = {name: tf.constant([row[name] for row in rows]) for name in COLUMNS}
    ready = preprocess(tensors, training=False)
    answers = {key: value.numpy() for key, value in decoded(heads, model(ready, training=False)).items()}
    return types.SimpleNamespace(path=path, rows=rows, answers=answers, heads=heads, report=report)


def test_its_answers_are_those_of_keras_for_every_example_and_absence(scenes):
    model = edge.Model(scenes.path)
    for i, row in enumerate(scenes.rows):
        answer = model({name: value.decode() if name in ("question", "room") else value for name, value in row.items()})
        assert answer["answer"] == scenes.answers["answer"][i].decode()
        assert set(answer) == set(scenes.answers) and "topics" not in answer
        for name in ("answer", "topics"):
            np.testing.assert_allclose(answer[f"{name}_scores"], scenes.answers[f"{name}_scores"][i], atol=1e-4)
            assert answer[f"{name}_classes"] == [c.decode() for c in scenes.answers[f"{name}_classes"][i]]
        assert answer["stars"] == pytest.approx(scenes.answers["stars"][i, 0], rel=1e-4)


def test_what_is_left_out_is_absent(scenes):
    model = edge.Model(scenes.path)
    question = scenes.rows[0]["question"]
    assert model({"question": question}) == model({**scenes.rows[len(scenes.rows) - 3]})
    assert model({"question": question}) != model(scenes.rows[0])
    with pytest.raises(ValueError, match="question: a required text must not be empty"):
        model({"photo": scenes.rows[0]["photo"]})


@pytest.mark.parametrize("wrong", [np.nan, -np.inf, 3e38])
def test_ready_numbers_are_finite_unless_masked(scenes, wrong):
    model = edge.Model(scenes.path)
    ready = model.preprocess(scenes.rows[0])
    ready["row"][0, 0] = wrong
    with pytest.raises(ValueError, match="row: ready numbers must be finite, within -1e12 and 1e12. Received: "):
        model.predict(ready)
    ready["row_mask"][0, 0] = False
    assert np.isfinite(model.predict(ready)["answer"]).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda ready: ready.pop("voice_mask"), "Received: .*, without .'voice_mask'.* `model.preprocess.raw.`"),
        (lambda ready: ready.update(photo=ready["photo"][0]), r"photo: .* shape \[1, 16, 20, 3\], uint8, is needed"),
        (lambda ready: ready.update(voice=ready["voice"][:, :9]), r"voice: .* Received: \[1, 9\], float32"),
        (lambda ready: ready.update(voice=ready["voice"].astype("float64")), "voice: .* int16, .* float64"),
        (lambda ready: ready.update(question=ready["question"].astype("int64")), r"\[1, -1\], int32, .*any length"),
    ],
)
def test_ready_tensors_of_another_kind_are_refused_and_leave_the_model_usable(scenes, change, message):
    model = edge.Model(scenes.path)
    ready = model.preprocess(scenes.rows[0])
    wanted, changed = model.predict(ready), dict(ready)
    change(changed)
    with pytest.raises(ValueError, match=message):
        model.predict(changed)
    np.testing.assert_array_equal(model.predict(ready)["answer"], wanted["answer"])


def test_raw_values_are_a_dict(scenes):
    with pytest.raises(TypeError, match="a dict by name. Received: bytes. Call it with .'question': value"):
        edge.Model(scenes.path)(scenes.rows[0]["voice"])


def test_on_error(scenes):
    model, row = edge.Model(scenes.path), scenes.rows[0]
    broken = row | {"photo": b"no picture", "pitch": float("inf")}
    refused = model(broken, on_error="skip")
    assert list(refused) == ["status"] and refused["status"].startswith("refused: photo: ")
    assert "; row: column 'pitch' holds finite numbers." in refused["status"]
    found = model(broken, on_error="absent")
    missing = {name: value for name, value in row.items() if name not in ("photo", "pitch", "room")}
    assert found.pop("status") == refused["status"].replace("refused: ", "absent: ", 1)
    assert found == model(missing)
    assert model(row, on_error="absent") == model(row) | {"status": ""}
    required = model(broken | {"question": ""}, on_error="absent")
    assert required["status"].startswith("refused: question: ") and list(required) == ["status"]
    with pytest.raises(ValueError, match="^photo: "):
        model(broken)
    with pytest.raises(ValueError, match=r"Expected: \['question'.*Received: \['fish'\]"):
        model({"fish": 1}, on_error="skip")
    with pytest.raises(ValueError, match="on_error is 'raise', 'skip' or 'absent'. Received: 'ignore'"):
        model(row, on_error="ignore")


def test_an_outlier_is_clipped(scenes):
    model = edge.Model(scenes.path)
    far, mean = (model.preprocess(scenes.rows[0] | {"pitch": pitch})["row"][0, 0] for pitch in (1e30, None))
    assert (far, mean) == (10, 0)
    one, other = (model(scenes.rows[0] | {"pitch": pitch})["answer_scores"] for pitch in (1e30, 3e38))
    assert one == other and np.isfinite(one).all()


def test_calls_leave_no_trace(scenes):
    model = edge.Model(scenes.path)
    first = model.predict(model.preprocess(scenes.rows[0]))
    kept = {name: value.copy() for name, value in first.items()}
    model(scenes.rows[4])
    again = model.predict(model.preprocess(scenes.rows[0]))
    for name, value in kept.items():
        np.testing.assert_array_equal(first[name], value)  # a copy, not a view that the next call overwrites
        np.testing.assert_array_equal(again[name], value)


def test_padding_is_cut_where_the_length_is_free(scenes):
    model, fed = edge.Model(scenes.path), []
    signature = model._signature
    model._signature = lambda **inputs: fed.append(inputs) or signature(**inputs)
    ready = model.preprocess({"question": "which shape is on the left?"})
    model.predict(ready)
    assert ready["question"].shape == (1, 24) and ready["question_mask"].sum() == 7
    assert fed[0]["question"].shape == fed[0]["question_mask"].shape == (1, 16)
    model.predict(model.preprocess({"question": "which " * 17}))
    assert fed[1]["question"].shape == (1, 24)
    assert fed[0]["voice"].dtype == np.int16 and fed[0]["voice_mask"].shape == (1, 2400)


def rewritten(path, target, **changes):
    """The file with another description of its preprocessing."""
    shutil.copy(path, target)
    description = json.dumps(edge.describe(path) | changes)
    data = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        target.write_bytes(data[: min(info.header_offset for info in archive.infolist())])
    with zipfile.ZipFile(target, "a") as archive:
        archive.writestr("preprocess.json", description)
    return target


THREADS = """
import concurrent.futures, pickle, sys
from mmkeras import edge

path, rows = pickle.load(sys.stdin.buffer)
models = [edge.Model(path), edge.Model(path)]  # two at once, too
expected = [models[0](row) for row in rows]
with concurrent.futures.ThreadPoolExecutor(8) as pool:
    answers = list(pool.map(lambda i: models[i % 2](rows[i % len(rows)]), range(600)))
print(sum(answer != expected[i % len(rows)] for i, answer in enumerate(answers)), "mixed up")
"""


def test_eight_threads_get_their_own_answers(scenes):
    """In a process of its own: without the lock it crashes, or mixes up answers."""
    request = pickle.dumps((str(scenes.path), scenes.rows))
    run = subprocess.run([sys.executable, "-c", THREADS], input=request, capture_output=True)
    assert (run.returncode, run.stdout.strip()) == (0, b"0 mixed up"), run.stderr


def test_its_own_distribution_answers_without_the_package(scenes, tmp_path):
    """The wheel of mmkeras/edge holds all that a device needs, and no `mmkeras/__init__.py`."""
    source = tmp_path / "source"
    shutil.copytree(
        Path(mm.__file__).parent, source, ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__")
    )
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*build, "--wheel-dir", tmp_path, source / "edge"], check=True)
    with zipfile.ZipFile(next(tmp_path.glob("mmkeras_edge-*.whl"))) as wheel:
        rooms = {name.rpartition("/")[0] for name in wheel.namelist() if name.endswith(".py")}
        wheel.extractall(tmp_path / "site")
    assert rooms == {"mmkeras/client", "mmkeras/edge", "mmkeras/formats"}
    assert not (source / "edge" / "build").exists()  # its modules would be taken for those of the full package
    row = {"question": scenes.rows[0]["question"].decode(), "photo": scenes.rows[0]["photo"]}
    (tmp_path / "row.pickle").write_bytes(pickle.dumps(row))
    packages = [str(tmp_path / "site"), str(Path(np.__file__).parents[1])]  # without the .pth files of the latter
    code = f"""
import pickle, sys
sys.path[:0] = {packages!r}
from mmkeras import client, edge
print(edge.Model({str(scenes.path)!r})(pickle.load(open("row.pickle", "rb")))["answer"], "tensorflow" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.split() == [edge.Model(scenes.path)(row)["answer"], "False"], done.stderr


def test_inputs_of_foreign_layers_are_asked_for(scenes, tmp_path):
    inputs = [entry for entry in edge.describe(scenes.path)["inputs"] if entry["name"] != "photo"]
    path = rewritten(scenes.path, tmp_path / "x.tflite", inputs=inputs, unprepared=["photo", "photo_mask"])
    model = edge.Model(path)
    with pytest.raises(ValueError, match=r"\['photo', 'photo_mask'\], from another layer.*predict"):
        model({"question": "what?"})
    ready = model.preprocess({"question": "what?"})
    pixels = {"photo": np.zeros((1, 16, 20, 3), "uint8"), "photo_mask": np.array([[False]])}
    assert model.decode(model.predict(ready | pixels)) == edge.Model(scenes.path)({"question": "what?"})


def test_a_larger_batch_is_for_predict(scenes):
    model = edge.Model(scenes.path)
    model._inputs = {name: details | {"shape": [2, *details["shape"][1:]]} for name, details in model._inputs.items()}
    with pytest.raises(ValueError, match="batch of 2.*batch_size=1"):
        model(scenes.rows[0])


def test_numbers_are_fed_as_the_file_wants_them():
    wave = np.array([0.5, -1.0, 1.0], "float32")
    plain = {"dtype": np.int16, "quantization": (0.0, 0)}
    assert runner._fed(wave, plain).tolist() == [16384, -32768, 32767]
    scaled = {"dtype": np.int8, "quantization": (0.01, -5)}
    assert runner._fed(wave, scaled).tolist() == [45, -105, 95]
    assert runner._fed(wave, {"dtype": np.float32, "quantization": (0.0, 0)}).tolist() == wave.tolist()


def test_another_file_is_refused(tmp_path):
    path = tmp_path / "other.tflite"
    path.write_bytes(b"TFL3" * 100)
    with pytest.raises(ValueError, match=r"mmkeras\.export\.litert is needed.*other\.tflite, which is cut off"):
        edge.describe(path)
