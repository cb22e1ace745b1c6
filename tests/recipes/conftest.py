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
