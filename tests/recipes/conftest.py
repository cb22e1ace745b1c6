"""Recipes are run as a user runs them: in a process and a folder of their own."""

import json
import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

RECIPES = Path(__file__).parents[2] / "recipes"


@pytest.fixture(scope="session")
def start():
    """Function: (recipe, folder, arguments) -> what it printed and said, and its report, of a run in that folder."""

    def start(recipe, folder, *arguments):
        command = [sys.executable, str(RECIPES / f"{recipe}.py"), "--out", "runs/tiny", *map(str, arguments)]
        environment = os.environ | {"MMKERAS_CACHE": str(folder / "archives")}
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr[-3000:]
        report = json.loads((folder / "runs/tiny/report.json").read_text())
        return types.SimpleNamespace(folder=folder, printed=done.stdout, said=done.stderr, report=report)

    return start


@pytest.fixture(scope="session")
def shapes():
    """A tiny model of a text, a picture and a sound, not trained: preprocess, model and two raw examples."""
    import keras
    import numpy as np
    import tensorflow as tf

    import mmkeras as mm

    specs = [mm.Text("question", vocabulary=("what", "shape"), max_tokens=4), mm.Image("photo", size=(8, 8)),
             mm.Audio("voice", seconds=0.1, sample_rate=8000, optional=True)]  # fmt: skip
    sound = np.sin(np.arange(800)[:, None] / 3).astype("float32")
    raw = {"question": ["what shape", "shape"],
           "photo": [tf.io.encode_png(np.full((60, 80, 3), grey, "uint8")).numpy() for grey in (90, 200)],
           "voice": [tf.audio.encode_wav(sound, 8000).numpy(), b""]}  # fmt: skip
    keras.utils.set_random_seed(0)
    branches = {"question": mm.branches.text.lstm(specs[0], units=4, embed_dim=4),
                "photo": mm.branches.image.conv2d(specs[1], filters=(4,)),
                "voice": mm.branches.audio.conv2d(specs[2], filters=(4,))}  # fmt: skip
    heads = [mm.heads.classification("shape", ["circle", "Würfel"])]
    model = mm.fusion_model(specs, branches, mm.fusion.Attention(8), heads)
    return types.SimpleNamespace(preprocess=mm.preprocessor(specs), model=model, raw=raw)
