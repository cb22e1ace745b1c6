"""Recipes are run with the arguments that a user gives, in a folder of their own."""

import contextlib
import functools
import io
import json
import logging
import os
import runpy
import subprocess
import sys
import types
import warnings
from pathlib import Path

import pytest

import mmkeras as mm

# TensorFlow 2.21 prints it at each start, before anything could hide it.
_OF_TENSORFLOW = "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR"

RECIPES = Path(__file__).parents[2] / "recipes"


@pytest.fixture(scope="session")
def start():
    """Function: (recipe, folder, arguments) -> what it printed and said, and its report, of a run in that folder."""

    def start(recipe, folder, *arguments):
        environment = os.environ | {"MMKERAS_CACHE": str(folder / "archives")}
        command = [sys.executable, *_command(recipe, arguments)]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr[-3000:]
        return _run(folder, done.stdout, done.stderr.replace(_OF_TENSORFLOW, ""))

    return start


@pytest.fixture(scope="session")
def start_here(patches):
    """As `start`, in this process, where TensorFlow is imported already, and so are the checks of its exports.

    On tiny data, importing it three times takes much of the time, and so does TensorFlow's graph optimizer, which is
    off here. Others show that recipes and checks run alone, and with it.
    """

    def start(recipe, folder, *arguments):
        printed, said, command = io.StringIO(), io.StringIO(), _command(recipe, arguments)
        with pytest.MonkeyPatch.context() as patch, _written_to(printed, said):
            patch.setattr(mm.distribute, "strategy", functools.partial(mm.distribute.strategy, "one_device"))
            patches.convert(patch)
            patches.load(patch)
            patch.chdir(folder)
            patch.syspath_prepend(RECIPES)  # one imports another
            patch.setattr(sys, "argv", command)
            patch.setenv("MMKERAS_CACHE", str(folder / "archives"))
            runpy.run_path(command[0], run_name="__main__")
        return _run(folder, printed.getvalue(), said.getvalue())

    return start


def _command(recipe, arguments):
    return [str(RECIPES / f"{recipe}.py"), "--out", "runs/tiny", *map(str, arguments)]


@contextlib.contextmanager
def _written_to(printed, said):
    """Where the output, warnings and TensorFlow's log go for a while."""
    log, handler = logging.getLogger("tensorflow"), logging.StreamHandler(said)
    level = log.level
    log.addHandler(handler)
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(said), warnings.catch_warnings():
            warnings.simplefilter("default")
            for hidden in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
                warnings.simplefilter("ignore", hidden)  # as Python does
            # pytest collects warnings otherwise.
            warnings.showwarning = lambda *told, **_: said.write(warnings.formatwarning(*told[:4]))
            yield
    finally:
        log.removeHandler(handler)
        log.setLevel(level)


def _run(folder, printed, said):
    report = json.loads((folder / "runs/tiny/report.json").read_text())
    return types.SimpleNamespace(folder=folder, printed=printed, said=said, report=report)


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
