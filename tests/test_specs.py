import dataclasses

import pytest

import mmkeras as mm
from mmkeras.specs import Tensor, check_specs


def test_raw_and_ready_of_each_modality():
    assert mm.Text("q").ready == {"q": Tensor((None,), "int32"), "q_mask": Tensor((None,), "bool")}
    assert mm.Image("p", size=(4, 6)).ready == {"p": Tensor((4, 6, 3), "uint8")}
    assert mm.Image("p", size=4, channels=1, optional=True).ready == {
        "p": Tensor((4, 4, 1), "uint8"),
        "p_mask": Tensor((1,), "bool"),
    }
    assert mm.Audio("v", seconds=0.5, sample_rate=8000).ready["v"] == Tensor((4000,), "float32")
    assert mm.Video("c", frames=3, size=4).raw == {"c": Tensor((), "string")}
    assert mm.Video("c", frames=3, size=4).ready == {
        "c": Tensor((3, 4, 4, 3), "uint8"),
        "c_mask": Tensor((3,), "bool"),
    }
    table = mm.Table("t", numeric=["a"], categorical=["b"])
    assert table.raw == {"a": Tensor((), "float32"), "b": Tensor((), "string")}
    assert mm.Table("t", numeric="age", categorical="city").columns == ("age", "city")
    assert mm.Vector("v", size=8).raw == {"v": Tensor((8,), "float32")}
    assert mm.Vector("v", size=8).ready == {"v": Tensor((8,), "float32"), "v_mask": Tensor((1,), "bool")}
    assert table.ready == {"t": Tensor((2,), "float32"), "t_mask": Tensor((2,), "bool")}


def test_specs_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        mm.Text("q").max_tokens = 3


def test_vocabulary_from_file_and_tuple(tmp_path):
    (tmp_path / "vocab.txt").write_text("[PAD]\n[UNK]\nhello\nwörld\n", encoding="utf-8")
    spec = mm.Text("q", vocabulary=str(tmp_path / "vocab.txt"))
    assert spec.vocabulary == ("hello", "wörld")
    assert spec.vocabulary_size == 4
    (tmp_path / "vocab.txt").write_text("hello\nwörld\n", encoding="utf-8-sig")  # with a byte order mark
    assert mm.Text("q", vocabulary=tmp_path / "vocab.txt").vocabulary == ("hello", "wörld")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: mm.Text("my text"), "Python identifier.*Received: 'my text'"),
        (lambda: mm.Text("x_mask"), r"does not end in '_mask'.*give the readers columns=\{name: column\}"),
        (lambda: mm.Text("q", max_tokens=0), "max_tokens of 'q' must be positive. Received: max_tokens=0"),
        (lambda: mm.Text("q", tokenizer="word"), "tokenizer of 'q' must be one of.*Did you mean 'words'"),
        (lambda: mm.Text("q", vocabulary=("a", "a")), r"each once. Received: \['a'\]"),
        (lambda: mm.Image("p", resize="crop_to_fit"), "resize of 'p' must be one of"),
        (lambda: mm.Image("p", channels=4), "channels of 'p' must be one of"),
        (lambda: mm.Image("p", size=(1, 2, 3)), "size of 'p' must be"),
        (lambda: mm.Video("c", frames=0), "frames of 'c' must be positive. Received: frames=0"),
        (lambda: mm.Video("c", channels=2), "channels of 'c' must be one of"),
        (lambda: mm.Text("q", max_tokens=10.5), "max_tokens of 'q' must be a whole number. Received: max_tokens=10.5"),
        (lambda: mm.Text("q", vocabulary_size=99.5), "vocabulary_size of 'q' must be a whole number"),
        (
            lambda: mm.Audio("v", sample_rate=16000.5),
            "sample_rate of 'v' must be a whole number. Received: sample_rate=",
        ),
        (lambda: mm.Audio("v", seconds=float("inf")), "seconds of 'v' must be positive. Received: seconds=inf"),
        (lambda: mm.Audio("v", seconds="1"), "seconds of 'v' must be positive. Received: seconds='1'"),
        (lambda: mm.Image("p", channels=3.0), "channels of 'p' must be a whole number"),
        (lambda: mm.Table("t", numeric=["a"], max_categories=9.5), "max_categories of 't' must be a whole number"),
        (lambda: mm.Vector("v", size=True), "size of 'v' must be a whole number. Received: size=True"),
        (lambda: mm.Audio("v", seconds=-1), "seconds of 'v' must be positive"),
        (lambda: mm.Vector("v", size=2.5), "size of 'v' must be .* Received: size=2.5"),
        (lambda: mm.Vector("v", size=0), "size of 'v' must be positive. Received: size=0"),
        (lambda: mm.Text("q", learned=0), r"learned of 'q' must be 1 number.*from 2 to 20000. Received: \[0\]"),
        (
            lambda: mm.Table("t", numeric=[], categorical=["a", "b"], learned=(3,)),
            "learned of 't' must be 2 number.*preprocess.specs",
        ),
        (
            lambda: mm.Table("t", numeric=[], categorical=["a"], max_categories=9, learned=(10,)),
            r"from 2 to 9. Received: \[10\]",
        ),
        (lambda: mm.Table("t"), "Table 't' needs columns"),
        (lambda: mm.Table("t", numeric=["a"], categorical=["a"]), r"takes each column once. Received: \['a'\] twice"),
        (lambda: check_specs([]), "At least one spec is needed"),
        (
            lambda: check_specs([mm.Text("q"), mm.Image("q")]),
            r"Each raw name may belong to one spec only.*\['q'\] twice",
        ),
        (lambda: check_specs([mm.Text("a"), mm.Table("t", numeric=["a"])]), "raw name may belong to one"),
    ],
)
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()
