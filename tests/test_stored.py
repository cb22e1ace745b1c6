"""`.keras` files of earlier versions load, and answer as they did. `tests/stored/make.py` wrote them."""

import base64
import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import mmkeras as mm

FOLDERS = sorted(path.parent for path in (Path(__file__).parent / "stored").glob("*/answers.json"))


def test_there_are_some():
    assert [folder.name for folder in FOLDERS][:1] == ["0.1.0"]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_stored_files_answer_as_they_did(folder):
    told = json.loads((folder / "answers.json").read_text())
    raw = {name: tf.constant([base64.b64decode(value) if isinstance(value, str) else value for value in values])
           for name, values in told["raw"].items()}  # fmt: skip
    preprocess, model = (mm.load_model(folder / f"{name}.keras") for name in ("preprocess", "model"))
    answers = model(preprocess(raw))
    assert {name: values.shape[1:] for name, values in answers.items()} == {"mood": (3,), "price": (1,)}
    for name, values in told["answers"].items():
        np.testing.assert_allclose(answers[name], values, rtol=1e-4, atol=1e-5)
    assert [list(head.classes) for head in model.heads] == [["bad", "good", "mixed"], []]
    assert [spec.kind for spec in preprocess.specs] == ["text", "image", "table"]
