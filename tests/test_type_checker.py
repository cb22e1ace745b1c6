"""What a type checker tells the user of this package."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import mmkeras as mm

CORRECT = """
    import mmkeras as mm
    from mmkeras.branches import audio, image, text

    specs = [
        mm.Text("review", max_tokens=64),
        mm.Image("photo", size=(96, 96), optional=True),
        mm.Audio("voice", seconds=2.0, sample_rate=16_000, optional=True),
    ]
    heads = [mm.heads.classification("sentiment", classes=["negative", "neutral", "positive"])]
    raw = mm.data.from_csv("train.csv", specs, heads)
    train, valid = mm.data.split(raw, (0.9, 0.1), seed=1)
    preprocess = mm.adapt(mm.preprocessor(specs), train)
    review, photo, voice = specs = preprocess.specs
    batches = mm.data.train_batches(train, preprocess, batch_size=64, cache="memory")
    evaluation = mm.data.eval_batches(valid, preprocess)
    with mm.distribute.strategy().scope():
        branches = {"review": text.lstm(review), "photo": image.conv2d(photo), "voice": audio.conv2d(voice)}
        model = mm.fusion_model(specs, branches, mm.fusion.Attention(dim=128), heads)
        model.compile("adam", **mm.heads.compile_for(heads))
    model.fit(batches, validation_data=evaluation, epochs=10, callbacks=mm.train.callbacks("runs/1", batches))
    mm.evaluate.report(model, evaluation, out_dir="runs/1/report", train=train)
    mm.export.saved_model(preprocess, model, "saved_models/sentiment", version="next", samples=valid)
"""
# A line of a user's script -> mypy's message about it.
MISTAKES = {
    'mm.Text("review", max_token=64)': 'did you mean "max_tokens"',
    'mm.Text("review", max_tokens="64")': 'incompatible type "str"; expected "int"',
    'mm.Text("review", 64)': "Too many positional arguments",
    "mm.fusion_modle": 'has no attribute "fusion_modle"',
    "mm.heads.clasification": 'has no attribute "clasification"',
    'mm.branches.text.lstm(mm.Text("t"), unit=3)': 'did you mean "units"',
    'mm.branches.text.lstm(mm.Image("photo"))': 'incompatible type "Image"; expected "Text"',
    "mm.fusion.Attention(dims=3)": 'did you mean "dim"',
    "mm.layers.ModalityDropout(rates=0.1)": 'did you mean "rate"',
    'mm.heads.classification("a", classes=["x", "y"], multilabel=True)': 'did you mean "multi_label"',
    'mm.data.from_dataframe(None, [mm.Text("t")], roots="x")': 'did you mean "root"',
    'mm.data.from_csv(3, [mm.Text("t")])': 'incompatible type "int"',
    'mm.evaluate.report(None, [], out="x")': 'Unexpected keyword argument "out"',
    'mm.export.litert(None, None, "x", quantise="int8")': 'did you mean "quantize"',
    'mm.train.callbacks("runs/1", patients=3)': 'keyword argument "patients"',
    'mm.edge.Model("x.tflite", thread=2)': 'did you mean "threads"',
}


def test_a_type_checker_finds_mistakes_in_a_script_and_none_in_a_correct_one(tmp_path):
    pytest.importorskip("mypy")
    (tmp_path / "correct.py").write_text(textwrap.dedent(CORRECT))
    (tmp_path / "mistaken.py").write_text("\n".join(["import mmkeras as mm", *MISTAKES]))
    # Following the imports of keras alone would take a minute.
    settings = ["[mypy]", "ignore_missing_imports = True", "follow_imports = skip"]
    settings += ["[mypy-mmkeras.*]", "follow_imports = silent"]
    (tmp_path / "mypy.ini").write_text("\n".join(settings))
    command = [sys.executable, "-m", "mypy", "--config-file", "mypy.ini", "correct.py", "mistaken.py"]
    paths = {"MYPYPATH": str(Path(mm.__file__).parents[1]), "PATH": ""}
    said = subprocess.run(command, cwd=tmp_path, env=paths, text=True, capture_output=True, timeout=120).stdout
    assert "correct.py" not in said, said
    for line, (mistake, wanted) in enumerate(MISTAKES.items(), 2):
        found = [error for error in said.splitlines() if error.startswith(f"mistaken.py:{line}: error")]
        assert any(wanted in error for error in found), (mistake, said)


def test_type_checkers_are_told_that_there_are_annotations():
    assert (Path(mm.__file__).parent / "py.typed").is_file()
