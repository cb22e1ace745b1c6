"""What is built again from its configuration, with the same weights, computes the same."""

import numpy as np


def test_config_round_trip(case_, run):
    model = case_.build()
    again = type(model).from_config(model.get_config())
    again.set_weights(model.get_weights())
    feed = case_.feed(model)
    for a, b in zip(run(model, feed), run(again, feed), strict=True):
        np.testing.assert_array_equal(a, b)


def test_layers_keep_every_argument(case_):
    for layer in case_.build().layers:
        if type(layer).__module__.startswith("mmkeras"):
            again = type(layer).from_config(layer.get_config())
            assert again.get_config() == layer.get_config()
