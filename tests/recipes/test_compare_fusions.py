"""A fusion on tiny data: a row for each and task, a picture, and nothing is trained twice."""

import json

import keras
import numpy as np


def test_a_row_for_each_fusion_and_task_and_a_second_run_goes_on(start_here, tmp_path):
    def run():
        return start_here("compare_fusions", tmp_path, "--smoke", "--only", "hybrid").printed, tmp_path / "runs/tiny"

    printed, out = run()
    rows = json.loads((out / "report.json").read_text())
    assert {(row["task"], row["fusion"]) for row in rows} == {("easy_vqa", "hybrid"), ("digits", "hybrid")}
    for row in rows:
        assert 0 <= row["accuracy"] <= 1 and row["parameters"] > 0 and row["kib"] > 0 and row["ms"] > 0
        assert row["per_cpu_second"] > 0 and row["seeds"] == 1
    assert printed.count("seed 0") == 2
    pixels = np.asarray(keras.utils.load_img(out / "compare_fusions.png"))
    assert min(pixels.shape[:2]) > 400 and pixels.std() > 10
    again, _ = run()
    assert "seed 0" not in again
    assert json.loads((out / "report.json").read_text())[0]["accuracy"] == rows[0]["accuracy"]
