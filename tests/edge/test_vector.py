import numpy as np
import pytest

import mmkeras as mm
from mmkeras import edge
from mmkeras.export._litert.package.describe import describe

NAN = float("nan")


def test_ready_vectors_are_those_of_preprocess():
    spec = mm.Vector("face", size=3, optional=True)
    model = mm.preprocessor([spec])
    prepare = edge.Preprocess(describe(model, [])["inputs"])
    for row in ([0.1, -2e-38, 3e38], [NAN] * 3):
        theirs, ours = model({"face": np.array([row], "float32")}), prepare({"face": row})
        for name, value in theirs.items():
            assert ours[name].dtype == value.numpy().dtype and ours[name].tobytes() == value.numpy().tobytes()
    assert prepare({})["face_mask"].tolist() == [[False]]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([1.0, 2.0], r"face: a vector is a list of 3 numbers. Received: shape \(2,\)"),
        ("a.npy", "face: a vector is a list of 3 numbers. Received: str"),
        ([1.0, NAN, 2.0], r"face: a vector must be finite. Received: \[nan\]"),
        ([1.0, 1e39, 2.0], r"face: a vector must be finite. Received: \[inf\]"),
        ([10**400, 1, 2], "face: a vector is a list of 3 numbers. Received: list"),
        (None, "face: a required vector is missing"),
        ([NAN] * 3, "face: a required vector is missing"),
    ],
)
def test_errors(value, message):
    with pytest.raises(ValueError, match=message):
        edge.Vector("face", size=3)(value)
