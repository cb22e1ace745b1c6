"""MLflow's server gives the recorded answers; MMKERAS_MLFLOW_PYTHON names the Python of an environment with MLflow."""

import json
import os
import subprocess
from pathlib import Path

import pytest

import mmkeras as mm

RECIPE = Path(__file__).parents[2] / "recipes" / "serve_with_mlflow.py"


@pytest.mark.slow
def test_mlflow_answers_the_recorded_request(shapes, tmp_path):
    python = os.environ.get("MMKERAS_MLFLOW_PYTHON")
    if not python:
        pytest.skip("MMKERAS_MLFLOW_PYTHON names no Python with MLflow; the recipe says how to make one")
    mm.export.saved_model(shapes.preprocess, shapes.model, tmp_path / "shapes" / "1", samples=shapes.raw)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([python, RECIPE, tmp_path / "shapes" / "1", "--out", tmp_path / "out"], cwd=tmp_path,
                          env=environment, capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["n"] == 2 and report["largest_difference"] <= 1e-5
    assert set(report["answers"][0]) == {"shape", "shape_scores", "shape_classes"}
