import numpy as np
import pytest

from mmkeras.export.parity import check_differences, difference


def test_difference_is_absolute_below_one_and_relative_above():
    received = {"score": np.array([0.5, 0.1]), "price": np.array([300_000.0, 10.0])}
    expected = {"score": np.array([0.5, 0.2]), "price": np.array([300_003.0, 10.0])}
    found = difference(received, expected)
    assert found["score"] == pytest.approx(0.1) and found["price"] == pytest.approx(1e-5, rel=1e-3)


def test_names_are_equal_or_infinitely_far():
    names = {"kind": np.array([b"cat", b"dog"], object)}
    assert difference(names, {"kind": np.array([b"cat", b"dog"], object)}) == {"kind": 0.0}
    assert difference(names, {"kind": np.array([b"cat", b"cow"], object)}) == {"kind": float("inf")}


def test_difference_refuses_other_names_and_sees_other_shapes():
    with pytest.raises(ValueError, match=r"names \['a'\]. Received: \['b'\]"):
        difference({"b": np.zeros(1)}, {"a": np.zeros(1)})
    assert difference({"a": np.zeros((2, 1))}, {"a": np.zeros(2)})["a"] == float("inf")


@pytest.mark.parametrize("value", [2e-5, float("nan"), float("inf")])
def test_check_differences_names_run_and_answer(value):
    check_differences({"ready": {"mood": 1e-6}}, 1e-5)
    with pytest.raises(ValueError, match="'ready: mood'"):
        check_differences({"ready": {"mood": value, "fine": 0.0}}, 1e-5)
