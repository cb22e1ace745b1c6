"""A `.keras` file holds all there is: what is loaded computes the same."""

import keras
import numpy as np


def test_keras_file_round_trip(case_, run, tmp_path):
    model = case_.build()
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    feed = case_.feed(model)
    for a, b in zip(run(model, feed), run(again, feed), strict=True):
        np.testing.assert_array_equal(a, b)
