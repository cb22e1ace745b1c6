"""A `preprocess.json` that was changed is refused before anything is built from it."""

import inspect
import json
import zipfile

import pytest

from mmkeras import edge
from mmkeras.edge import description

ENTRIES = {
    "text": {"kind": "text", "name": "q", "vocabulary": ["[PAD]", "[UNK]", "a"], "max_tokens": 4},
    "wordpiece": {"kind": "wordpiece", "name": "p", "vocabulary": ["[UNK]", "[CLS]"], "ends": [0, 1], "max_tokens": 4},
    "image": {"kind": "image", "name": "photo", "size": [4, 5]},
    "audio": {"kind": "audio", "name": "voice", "samples": 8, "sample_rate": 16000},
    "video": {"kind": "video", "name": "clip", "frames": 2, "size": [4, 5], "channels": 1},
    "table": {"kind": "table", "name": "row", "numeric": ["age"], "mean": [0.5], "std": [1], "categories": {"x": []}},
    "vector": {"kind": "vector", "name": "face", "size": 3},
}
SHAPES = {"q": [4], "q_mask": [-1], "p": [4], "photo": [4, 5, 3], "photo_mask": [1], "voice": [8], "voice_mask": [8],
          "clip": [2, 4, 5, 1], "clip_mask": [2], "row": [2], "row_mask": [2], "face": [3],
          "face_mask": [1]}  # fmt: skip
HEADS = [{"name": "answer", "kind": "classification", "classes": ["a", "b"], "multi_label": False},
         {"name": "stars", "kind": "regression", "size": 1}]  # fmt: skip


def test_every_kind_is_taken():
    assert edge.Preprocess(list(ENTRIES.values())).names == ["q", "p", "photo", "voice", "clip", "age", "x", "face"]


def test_every_argument_has_a_rule():
    for kind, of_kind in description.KINDS.items():
        assert kind in ENTRIES
        for name in inspect.signature(of_kind).parameters:
            assert name in description._RULES, f"{name} of {kind} needs a rule in edge/description.py"


@pytest.mark.parametrize(
    ("kind", "change", "message"),
    [
        ("text", {"kind": "smell"}, r"a kind, one of \['text', .*Received: smell.*export the file again"),
        ("text", {"kind": ["text"]}, "a kind, one of"),
        ("text", {"name": "a b"}, "name of 'a b' as a name. Received: a b"),
        ("text", {"vocabulary": []}, "vocabulary of 'q' as a list of different strings"),
        ("text", {"vocabulary": ["a", "a"]}, "vocabulary of 'q' as a list of different strings"),
        ("text", {"max_tokens": -1}, "max_tokens of 'q' as a whole number from 1 to 2.20. Received: -1"),
        ("text", {"max_tokens": 2**31 - 1}, "max_tokens of 'q' as a whole number from 1 to"),
        ("text", {"max_tokens": 1e9}, "max_tokens of 'q' as a whole number from 1 to"),
        ("text", {"tokenizer": "eval"}, r"tokenizer of 'q' as one of \['words'"),
        ("text", {"optional": "no"}, "optional of 'q' as true or false"),
        ("text", {"colour": 1}, "an input of kind 'text' its own arguments.* Received: colour"),
        ("wordpiece", {"ends": [0, 9]}, "ends and an unknown token of the vocabulary"),
        ("wordpiece", {"unknown": "?"}, "ends and an unknown token of the vocabulary"),
        ("image", {"size": [4, 5, 6]}, "size of 'photo' as height and width"),
        ("image", {"size": 4}, "size of 'photo' as height and width"),
        ("image", {"channels": True}, "channels of 'photo' as one of"),
        ("audio", {"samples": None}, "samples of 'voice' as a whole number above 0. Received: None"),
        ("audio", {"sample_rate": 2**40}, "sample_rate of 'voice' as a whole number above 0"),
        ("table", {"std": [0.0]}, "std of 'row' as a list of numbers above 0"),
        ("table", {"mean": [float("nan")]}, "mean of 'row' as a list of finite numbers"),
        ("table", {"mean": []}, "each numeric column a mean and a deviation"),
        ("table", {"categories": {"x": "abc"}}, "categories of 'row' as lists of different strings"),
        ("vector", {"size": [3]}, "size of 'face' as a whole number above 0"),
    ],
)  # fmt: skip
def test_what_a_class_cannot_take_is_refused(kind, change, message):
    with pytest.raises(ValueError, match=message):
        edge.Preprocess([ENTRIES[kind] | change])


def test_arguments_must_be_there_and_names_differ():
    with pytest.raises(ValueError, match="samples of 'voice' as a whole number above 0. Received: nothing"):
        edge.Preprocess([{"kind": "audio", "name": "voice", "sample_rate": 8000}])
    with pytest.raises(ValueError, match="must name each input once"):
        edge.Preprocess([ENTRIES["text"], ENTRIES["text"]])
    for inputs in ({}, ["text"], None):
        with pytest.raises(ValueError, match="a list of dicts as its inputs"):
            edge.Preprocess(inputs)


GIVEN = {"answer": {"shape": [1, 2]}, "stars": {"shape": [1, 1]}}


def check(inputs=SHAPES, given=GIVEN, **changes):
    described = {"inputs": [*ENTRIES.values()], "outputs": HEADS, "unprepared": []} | changes
    details = {name: {"shape_signature": [1, *shape]} for name, shape in inputs.items()}
    description.check_description(described)
    modalities = edge.Preprocess(described["inputs"]).modalities
    description.check_signature(described, modalities, details, given)


def test_names_and_shapes_are_those_of_the_file():
    check()
    check(SHAPES | {"own": [7]}, unprepared=["own"])
    with pytest.raises(ValueError, match=r"the input 'own' of shape \[7\]. Received: nothing"):
        check(SHAPES | {"own": [7]})
    with pytest.raises(ValueError, match=r"the input 'voice' of shape \[9\]. Received: \(8,\)"):
        check(SHAPES | {"voice": [9]})
    with pytest.raises(ValueError, match=r"'answer' of shape none. Received: 2 values"):
        check(given={})
    with pytest.raises(ValueError, match=r"'answer' of shape \[3\]. Received: 2 values"):
        check(given={"answer": {"shape": [1, 3]}})


@pytest.mark.parametrize("head", [{}, {"name": "a", "kind": "x"}, HEADS[0] | {"classes": []}, HEADS[1] | {"size": 0}])
def test_heads_are_whole(head):
    with pytest.raises(ValueError, match="each of its outputs a name, a kind and its classes or size"):
        check(outputs=[head])


@pytest.mark.parametrize("text", ["[]", '{"inputs": []}', "not json", "[" * 100_000, "\udcff", '"x"'])
def test_what_is_no_description_is_refused(tmp_path, text):
    with zipfile.ZipFile(path := tmp_path / "x.tflite", "w") as archive:
        archive.writestr("preprocess.json", text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ValueError, match=r"mmkeras.export.litert is needed|'inputs', 'outputs' and 'unprepared'"):
        edge.describe(path)


def test_a_huge_description_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(description, "_LARGEST", 99)
    with zipfile.ZipFile(path := tmp_path / "x.tflite", "w") as archive:
        archive.writestr("preprocess.json", json.dumps(["a"] * 100))
    with pytest.raises(ValueError, match="must not be larger than 0 MiB. Received: 500 bytes"):
        edge.describe(path)
