"""recipes/browser: a LiteRT file in Chromium gives Python's outputs. It needs npm, Chromium and a package registry."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import mmkeras as mm

RECIPE = Path(__file__).parents[2] / "recipes" / "browser"


def check(path, folder):
    command = [sys.executable, str(RECIPE / "check.py"), str(path), "--folder", str(folder)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.slow
def test_chromium_gives_the_outputs_of_python(shapes, tmp_path):
    if not (shutil.which("npm") and shutil.which("chromium")):
        pytest.skip("there is no npm or no Chromium")
    shutil.copytree(RECIPE, tmp_path / "page", ignore=shutil.ignore_patterns("node_modules"))
    subprocess.run(["npm", "install", "--legacy-peer-deps"], cwd=tmp_path / "page", check=True, capture_output=True)
    for name, fixed in (("fixed", True), ("free", False)):
        mm.export.litert(shapes.preprocess, shapes.model, tmp_path / f"{name}.tflite", samples=shapes.raw,
                         fixed_length=fixed, verbose=False)  # fmt: skip
    done = check(tmp_path / "fixed.tflite", tmp_path / "page")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("2 examples in Chromium, ")
    done = check(tmp_path / "free.tflite", tmp_path / "page")
    assert done.returncode == 1 and "whose ['question', 'question_mask'] have any length" in done.stderr
