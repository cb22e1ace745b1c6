"""Damaged inputs never crash, hang, take much memory or stand for something else, and all ways in agree about them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import mmkeras as mm
from tests.fuzz import targets

SECONDS = float(os.environ.get("MMKERAS_FUZZ_SECONDS", 20))
SEED = os.environ.get("MMKERAS_FUZZ_SEED", "0")
_START = 240  # seconds until TensorFlow is imported and the model is loaded, at most, on a busy machine


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is measured by /proc")
def test_damaged_inputs(tmp_path, one_process):
    mm.export.saved_model(*targets.build(), tmp_path / "model" / "1")
    command = [sys.executable, "-m", "tests.fuzz.run", tmp_path, "--seconds", SECONDS, "--seed", SEED]
    root = Path(__file__).parents[2]
    done = subprocess.run([*map(str, command)], cwd=root, capture_output=True, text=True, timeout=SECONDS + 60 + _START)
    assert done.returncode == 0, (
        f"It ended with {done.returncode} at what lies in {tmp_path}/current: {done.stderr[-3000:]}"
    )
    found = json.loads(done.stdout.splitlines()[-1])
    print(json.dumps({key: found[key] for key in ("inputs", "counts")}, indent=1))
    assert found["inputs"] > SECONDS  # ten times as many on two idle cores
    assert found["faults"] == []
