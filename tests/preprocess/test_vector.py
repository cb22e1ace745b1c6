import keras
import numpy as np
import pytest
import tensorflow as tf

import mmkeras as mm

NAN = float("nan")
ROWS = np.array([[0.1, -2e-38, 3e38], [NAN, NAN, NAN], [-0.0, 1e-45, 7.0]], "float32")
OPTIONAL = mm.Vector("face", size=3, optional=True)


def test_numbers_stay_and_nan_is_absent(tmp_path):
    model = mm.preprocessor([OPTIONAL])  # nothing to learn
    model.save(tmp_path / "p.keras")
    rows = tf.data.Dataset.from_tensor_slices({"face": ROWS})
    found = [model({"face": ROWS}), keras.models.load_model(tmp_path / "p.keras")({"face": ROWS})]
    found.append(next(iter(rows.batch(2).map(model).unbatch().batch(3))))
    for ready in found:
        assert ready["face"].numpy()[[0, 2]].tobytes() == ROWS[[0, 2]].tobytes()
        assert ready["face"].numpy()[1].tolist() == [0, 0, 0]
        assert ready["face_mask"].numpy().tolist() == [[True], [False], [True]]


@pytest.mark.parametrize(
    ("spec", "row", "message"),
    [
        (OPTIONAL, [1.0, NAN, 2.0], "face: a vector must be finite"),
        (OPTIONAL, [1.0, float("inf"), 2.0], "face: a vector must be finite"),
        (mm.Vector("face", size=3), [NAN] * 3, "face: a required vector is missing. Give it, or declare it"),
    ],
)
def test_errors(spec, row, message):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        mm.preprocessor([spec])({"face": np.array([[1, 2, 3], row], "float32")})


def test_another_size_is_refused_by_name():
    with pytest.raises(ValueError, match=r"'face' of model 'preprocess'.*Expected: shape \(None, 3\)"):
        mm.preprocessor([OPTIONAL])({"face": np.zeros((2, 4), "float32")})
