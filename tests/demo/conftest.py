"""Inputs of every kind, and an answer that tells what it was asked."""

import numpy as np
import pytest

import mmkeras as mm
from mmkeras.cli._signatures import inputs_of_specs

STATISTICS = {"numeric": ["price"], "mean": [5.0], "std": [2.0], "categories": {"city": ["Oslo", "Rome"]}}


@pytest.fixture(scope="session")
def inputs():
    specs = [
        mm.Text("review"),
        mm.Image("photo", size=(8, 8), optional=True),
        mm.Audio("voice", seconds=1.0, sample_rate=8000, optional=True),
        mm.Video("clip", frames=2, size=(8, 8), optional=True),
        mm.Table("row", numeric=["price"], categorical=["city"], dates=["sold"]),
        mm.Vector("face", size=2, optional=True),
    ]
    configs = [{"kind": spec.kind, **spec.get_config()} for spec in specs]
    configs[4]["statistics"] = STATISTICS
    return inputs_of_specs(configs)


@pytest.fixture
def answer():
    """Function (rows) -> answers; those that were asked are in its `rows`."""

    def answer(rows):
        answer.rows += rows
        if any(row["photo"] == b"broken" for row in rows):
            raise ValueError(
                "photo: a whole JPEG, PNG, GIF or BMP file is needed. Received: <6 bytes> (example 0 of the batch)."
            )
        good = [0.9 if row["photo"] else 0.4 for row in rows]
        return {
            "mood": np.array([b"good" if score > 0.5 else b"bad" for score in good], object),
            "mood_scores": np.array([[1 - score, score] for score in good], "float32"),
            "mood_classes": np.array([[b"bad", b"good"]] * len(rows), object),
            "cost": np.array([[1.25]] * len(rows), "float32"),
        }

    answer.rows = []
    return answer
