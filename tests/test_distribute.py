"""Two replicas train as one device does."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from mmkeras import distribute


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    script = Path(__file__).with_name("two_devices.py")
    subprocess.run([sys.executable, str(script), str(folder)], env=environment, check=True)
    return np.load(folder / "found.npz")


def test_devices_become_replicas(found):
    assert found["replicas"].tolist() == [1, 2, 2, 1]


# 6e-7 at most was seen; the order of sums differs. The model has no dropout and no batch normalisation.
@pytest.mark.parametrize("what", ["losses", "weights", "answers"])
def test_two_replicas_equal_one_device(found, what):
    one, two = found[what]
    np.testing.assert_allclose(two, one, rtol=0, atol=1e-5)


def test_losses_went_down(found):
    assert found["losses"][0][-1] < found["losses"][0][0]


def test_strategy_is_passed_through():
    given = tf.distribute.OneDeviceStrategy("CPU:0")
    assert distribute.strategy(given) is given
    assert distribute.strategy("none") is tf.distribute.get_strategy()
    with pytest.raises(ValueError, match="Drop devices="):
        distribute.strategy(given, devices=["CPU:0"])


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"name": "mirored"}, ValueError, r"Received: 'mirored'.*Did you mean 'mirrored'"),
        ({"name": "multi_worker"}, NotImplementedError, r"not supported yet.*'multi_worker'.*Use 'mirrored'"),
        ({"devices": ["GPU:77"]}, ValueError, r"visible ones: .*Received: \['GPU:77'\]"),
        ({"name": "one_device", "devices": ["CPU:0", "CPU:0"]}, ValueError, r"One device was asked for"),
        ({"mixed_precision": "float61"}, ValueError, r"Received: 'float61'.*Did you mean 'float16'"),
    ],
)
def test_errors_name_the_remedy(arguments, error, message):
    with pytest.raises(error, match=message):
        distribute.strategy(**arguments)


@pytest.mark.parametrize(
    ("given", "policy"), [("float16", "mixed_float16"), ("bfloat16", "mixed_bfloat16"), (False, "float32")]
)
def test_mixed_precision_sets_the_policy(given, policy):
    before = keras.config.dtype_policy()
    try:
        distribute.strategy(mixed_precision=given)
        assert keras.config.dtype_policy().name == policy
        distribute.strategy()
        assert keras.config.dtype_policy().name == policy
    finally:
        keras.config.set_dtype_policy(before)
