"""`datasets` is no dependency: `Table` below stands in for its `Dataset`, with the storage and the calls that are used.

Its cells are stored as the library stores them: files as {"bytes", "path"}, classes as numbers.
"""

import copy
import dataclasses
import io
import re

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

import mmkeras as mm
from mmkeras.data.faults import cause_of

PIXELS = np.random.default_rng(0).integers(0, 256, (3, 6, 5, 3), "uint8")
PNG = [tf.io.encode_png(pixels).numpy() for pixels in PIXELS]
KINDS = ["ant", "bee", "cat"]
PHOTO, KIND = mm.Image("photo", size=(6, 5)), mm.heads.classification("kind", KINDS)


@dataclasses.dataclass
class Image:
    decode: bool = True


@dataclasses.dataclass
class Value:
    dtype: str


@dataclasses.dataclass
class ClassLabel:
    names: list
    dtype: str = "int64"


@dataclasses.dataclass
class Sequence:
    feature: object
    dtype: str = "list"


class Table:
    """A stand-in for `datasets.Dataset`."""

    def __init__(self, features, columns, fingerprint="f0"):
        self.features, self.columns, self._fingerprint, self.format = features, columns, fingerprint, {"type": None}

    def __len__(self):
        return len(next(iter(self.columns.values())))

    def __getitem__(self, rows):
        for feature in self.features.values():
            assert not getattr(feature, "decode", False), "files need not be decoded"
        return {name: cells[rows] for name, cells in self.columns.items()}

    def with_format(self, kind):
        return copy.copy(self)

    def select_columns(self, names):
        chosen = {name: self.features[name] for name in names}
        return Table(chosen, {name: self.columns[name] for name in names}, self._fingerprint + "+")

    def cast_column(self, name, feature):
        return Table(self.features | {name: feature}, self.columns, self._fingerprint + "+")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MMKERAS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def rows(raw):
    return list(raw.as_numpy_iterator())


def table(cells, feature=None, **more):
    features = {"image": feature or Image(), "label": ClassLabel(["cat", "ant", "bee"]), "speaker": Value("string")}
    return Table(features, {"image": cells, "label": [0, 2, 1], "speaker": ["x", "x", "y"]}, **more)


COLUMNS = {"photo": "image", "kind": "label"}


def test_hugging_face_files_within_and_beside_the_data_set(tmp_path, cache, capsys):
    (tmp_path / "1.png").write_bytes(PNG[1])
    cells = [{"bytes": PNG[0], "path": "0.png"}, {"bytes": None, "path": str(tmp_path / "1.png")}, None]
    optional = mm.Image("photo", size=(6, 5), optional=True)
    raw = mm.data.from_dataset(table(cells), [optional], [KIND], columns=COLUMNS)
    assert [(row["photo"], KINDS[row["kind"]]) for row in rows(raw)] == [(PNG[0], "cat"), (PNG[1], "bee"), (b"", "ant")]
    assert "Extracted image" in capsys.readouterr().out
    assert raw.table["photo"][1] == str(tmp_path / "1.png")
    first, second = mm.data.split(raw, (0.6, 0.4), group="speaker", stratify=None)
    assert not set(first.frame.speaker) & set(second.frame.speaker)
    mm.data.from_dataset(table(cells), [optional], [KIND], columns=COLUMNS)
    assert capsys.readouterr().out == "" and len(list(cache.iterdir())) == 1
    mm.data.from_dataset(table(cells, fingerprint="f1"), [optional], [KIND], columns=COLUMNS)
    assert len(list(cache.iterdir())) == 2


def test_hugging_face_stored_pixels_samples_and_nested_columns():
    raw = mm.data.from_dataset(table([pixels.tolist() for pixels in PIXELS], Sequence(Value("uint8"))), [PHOTO],
                               [KIND], columns=COLUMNS)  # fmt: skip
    np.testing.assert_array_equal([tf.io.decode_png(row["photo"]) for row in rows(raw)], PIXELS)
    sounds = [{"array": np.array([0.5, -0.25]), "sampling_rate": 8000}, [16384, -8192]]
    features = {
        "q": {"text": Value("string"), "sound": Sequence(Value("float32"))},
        "tags": Sequence(ClassLabel(KINDS)),
    }
    nested = Table(features, {"q": [{"text": "a", "sound": sounds[0]}, {"text": "b", "sound": sounds[1]}],
                              "tags": [[0, 2], []]})  # fmt: skip
    raw = mm.data.from_dataset(nested, [mm.Text("title"), mm.Audio("voice")],
                               [mm.heads.classification("tags", KINDS, multi_label=True)],
                               columns={"title": "q.text", "voice": "q.sound"}, sample_rate=8000)  # fmt: skip
    assert [row["title"] for row in rows(raw)] == [b"a", b"b"]
    assert [row["tags"].tolist() for row in rows(raw)] == [[1, 0, 1], [0, 0, 0]]
    ready = mm.preprocessor([mm.Audio("voice", seconds=2 / 8000, sample_rate=8000)])
    for row in rows(raw):
        assert ready({"voice": tf.constant([row["voice"]])})["voice"].numpy().tolist() == [[0.5, -0.25]]


@pytest.mark.parametrize(
    ("classes", "labels", "expected"),
    [(KINDS, [2, 0, 1], [2, 0, 1]), ([1, 2, 3], [2, 1, 3], [1, 0, 2]), (KINDS, ["cat", "ant", "bee"], [2, 0, 1]),
     (["True", "False"], [True, False, True], [0, 1, 0]), (["true", "false"], [True, False, True], [0, 1, 0]),
     (["1.0", "2.0", "3.0"], [2, 1, 3], [1, 0, 2]), (["cafe\u0301", "tea"], ["tea", "caf\u00e9", "tea"], [1, 0, 1])],
)  # fmt: skip
def test_class_numbers_and_names(classes, labels, expected):
    head = mm.heads.classification("kind", classes)
    texts = {"title": ["a", "b", "c"]}
    hugging = Table({"title": Value("string"), "kind": Value("x")}, texts | {"kind": labels})
    stream = tf.data.Dataset.from_tensor_slices(texts | {"kind": labels})
    for dataset in (hugging, stream):
        raw = mm.data.from_dataset(dataset, [mm.Text("title")], [head])
        assert [row["kind"] for row in rows(raw)] == expected


def test_hugging_face_errors(tmp_path):
    cells = [{"bytes": content, "path": None} for content in PNG]

    def read(dataset, **arguments):
        return mm.data.from_dataset(dataset, [PHOTO], [KIND], **({"columns": COLUMNS} | arguments))

    with pytest.raises(
        ValueError, match=r"'photo' \(for 'photo'\).*'kind' \(for 'kind'\).*Received: \['image', 'label'"
    ):
        read(table(cells), columns=None)
    with pytest.raises(TypeError, match=r"one datasets.Dataset or tf.data.Dataset. Received: a dict with \['train'\]"):
        read({"train": table(cells)})
    with pytest.raises(TypeError, match="Received: builtins.list"):
        read([1])
    custom = table(cells)
    custom.format = {"type": "custom"}
    with pytest.raises(ValueError, match="reads stored columns only"):
        read(custom)
    lost = [*cells[:2], {"bytes": None, "path": str(tmp_path / "no.png")}]
    with pytest.raises(ValueError, match=r"row 2, 'photo', \S*no.png: there is no such file"):
        read(table(lost, fingerprint="lost"))
    with pytest.raises(ValueError, match="on this machine. Received: 'hf://x' as 'photo' in row 0"):
        read(table([{"bytes": None, "path": "hf://x"}] * 3, fingerprint="far"))
    with pytest.raises(ValueError, match="Head 'kind': a label must be one of .*'bee' in row 1"):
        mm.data.from_dataset(table(cells), [PHOTO], [mm.heads.classification("kind", ["ant", "cat"])], columns=COLUMNS)
    numbers = Table({"title": Value("string"), "kind": Value("int64")}, {"title": ["a"], "kind": [3]})
    with pytest.raises(ValueError, match="one of 0 to 2, .* Received: 3 in row 0"):
        mm.data.from_dataset(numbers, [mm.Text("title")], [KIND])


def elements():
    """What tensorflow-datasets gives: decoded pictures, samples, texts, numbers, classes, dicts within."""
    return tf.data.Dataset.from_tensor_slices({
        "image": PIXELS, "audio": np.array([[16384, -8192, 1]] * 3, "int64"), "label": np.array([2, 0, 1]),
        "meta": {"title": ["a", "b", ""], "age": [1, 2, 3], "price": np.array([[1.0, 2.0]] * 3)},
    })  # fmt: skip


def test_tensorflow_data_sets_are_encoded_without_loss():
    specs = [PHOTO, mm.Audio("voice", seconds=3 / 8000, sample_rate=8000), mm.Text("title", optional=True),
             mm.Table("t", numeric="age")]  # fmt: skip
    heads = [KIND, mm.heads.regression("price", size=2, mean=0.0, std=1.0)]
    columns = {"photo": "image", "voice": "audio", "title": "meta.title", "age": "meta.age", "kind": "label",
               "price": "meta.price"}  # fmt: skip
    raw = mm.data.from_dataset(elements(), specs, heads, columns=columns, sample_rate=8000)
    assert len(raw) == 3 and isinstance(raw, tf.data.Dataset)
    preprocess = mm.adapt(mm.preprocessor(specs), raw, verbose=False)
    ((ready, labels),) = mm.data.eval_batches(raw, preprocess, heads, batch_size=3)
    np.testing.assert_array_equal(ready["photo"], PIXELS)
    np.testing.assert_array_equal(ready["voice"] * 32768, [[16384, -8192, 1]] * 3)
    np.testing.assert_array_equal(ready["title_mask"].numpy().any(1), [True, True, False])
    np.testing.assert_array_equal(labels["kind"], [2, 0, 1])
    np.testing.assert_array_equal(labels["price"], [[1, 2]] * 3)
    batches = mm.data.train_batches(raw, preprocess, heads, batch_size=2, cache="memory", verbose=False)
    assert len(batches) == 1
    with pytest.raises(TypeError, match="split needs mm.data.Examples.*Received: Stream.*tfds.load"):
        mm.data.split(raw)


def test_adapting_to_texts_does_not_encode_pictures():
    raw = mm.data.from_dataset(
        elements(), [PHOTO, mm.Text("title")], (), columns={"photo": "image", "title": "meta.title"}
    )
    assert rows(raw.select(["title"])) == [{"title": b"a"}, {"title": b"b"}, {"title": b""}]


def test_as_supervised_files_and_floats():
    pairs = tf.data.Dataset.from_tensor_slices((PNG, ["cat", "ant ", "bee"]))
    raw = mm.data.from_dataset(pairs, [PHOTO], [KIND], columns={"photo": 0, "kind": 1})
    assert [(row["photo"], row["kind"]) for row in rows(raw)] == list(zip(PNG, [2, 0, 1], strict=True))
    samples = np.random.default_rng(0).uniform(-1, 1, (1, 400)).astype("float32")
    voice = mm.Audio("voice", seconds=0.025)
    raw = mm.data.from_dataset(tf.data.Dataset.from_tensor_slices({"voice": samples}), [voice], sample_rate=16000)
    ready = mm.preprocessor([voice])({"voice": tf.stack([row["voice"] for row in raw])})
    np.testing.assert_array_equal(ready["voice"], samples)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [([[1, 0, 1], [0, 0, 0]], [[1, 0, 1], [0, 0, 0]]), ([["cat", "cat"], ["ant", "bee"]], [[0, 0, 1], [1, 1, 0]]),
     ([[2, 0], [1, 1]], [[1, 0, 1], [0, 1, 0]])],
)  # fmt: skip
def test_several_labels(labels, expected):
    stream = tf.data.Dataset.from_tensor_slices({"title": ["a", "b"], "tags": labels})
    head = mm.heads.classification("tags", KINDS, multi_label=True)
    raw = mm.data.from_dataset(stream, [mm.Text("title")], [head])
    assert [row["tags"].tolist() for row in rows(raw)] == expected


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"photo": PIXELS / 255}, r"pixels \(H, W\) or \(H, W, C\) of uint8.*'photo'. Received: .*float64"),
        ({"photo": PIXELS[None], "title": [["a"]]}, "for 'photo'. Received: .*Unbatch"),
        ({"voice": np.zeros((1, 9))}, "Received: samples for 'voice', and sample_rate=None"),
        ({"voice": np.zeros((1, 9), "uint8")}, "int16 to int64 or float.*for 'voice'"),
        ({"title": [["a", "b"]]}, r"one value in each example for 'title'.*unbatch\(\)"),
        ({"title": [0.5]}, "a text, or an integer for 'title'"),
        ({"age": ["a"]}, "a number for 'age'"),
        ({"kind": [[["ant"]]], "title": ["a"]}, r"one label in each example for 'kind'.*unbatch\(\)"),
        ({"titel": ["a"]}, r"Missing: 'title' \(for 'title'\) Did you mean 'titel'"),
    ],
)
def test_columns_of_the_wrong_kind(columns, message):
    specs = {"photo": PHOTO, "voice": mm.Audio("voice"), "title": mm.Text("title"), "titel": mm.Text("title"),
             "age": mm.Table("t", numeric="age")}  # fmt: skip
    heads = {"kind": KIND, "price": mm.heads.regression("price", size=2)}
    with pytest.raises(ValueError, match=message):
        mm.data.from_dataset(tf.data.Dataset.from_tensor_slices(columns), [specs[n] for n in columns if n in specs],
                             [heads[n] for n in columns if n in heads])  # fmt: skip


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"kind": ["dog"]}, r"Head 'kind': a label must be one of \['ant', 'bee', 'cat'\]. Received: 'dog' in row 0"),
        ({"kind": [3]}, "Head 'kind': a label's number must be one of 0 to 2, .* Received: 3 in row 0"),
        ({"kind": [0.5]}, "Head 'kind': a label must be one of .* Received: '0.5' in row 0"),
        ({"price": [["a"]]}, r"Head 'price': a label must be 2 finite number\(s\)"),
        ({"price": [[1.0, np.nan]]}, r"Head 'price': labels must be finite numbers. Received: 1\S*\|nan in example 0"),
        ({"voice": [[40000]]}, "voice: a sound is given in 16-bit integers.*Received: 40000"),
        ({"voice": [[3000.0]]}, "voice: a sound is given in .*floats from -1 to 1. Received: 3000"),
    ],
)
def test_values_of_the_wrong_kind(columns, message):
    specs = [mm.Text("title")] + [mm.Audio("voice")] * ("voice" in columns)
    heads = [head for head in (KIND, mm.heads.regression("price", size=2)) if head.name in columns]
    stream = tf.data.Dataset.from_tensor_slices({"title": ["a"]} | columns)
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        rows(mm.data.from_dataset(stream, specs, heads, sample_rate=8000))
    assert re.match(message, cause_of(caught.value))


def test_kinds_of_files_are_told_by_more_than_the_first():
    png, webp = io.BytesIO(), io.BytesIO()
    PIL.Image.new("RGB", (4, 4), "red").save(png, "PNG")
    PIL.Image.new("RGB", (4, 4), "red").save(webp, "WEBP", lossless=True)
    photo = mm.Image("photo", size=4, optional=True)
    stream = tf.data.Dataset.from_tensor_slices({"photo": [b"", png.getvalue(), webp.getvalue()]})
    files = [example["photo"].numpy() for example in mm.data.from_dataset(stream, [photo])]
    pixels = mm.preprocessor([photo])({"photo": tf.constant(files)})["photo"].numpy()
    assert pixels[:, 0, 0].tolist() == [[0, 0, 0], [255, 0, 0], [255, 0, 0]]
