"""TF Serving's REST protocol, as its documentation has it."""

import json

import numpy as np
import pytest
import tensorflow as tf

from mmkeras.serve import protocol

# "RESTful API", Specifying input tensors in row format, and the same in column format.
SPECS = {
    "tag": tf.TensorSpec((None,), tf.string),
    "signal": tf.TensorSpec((None, 5), tf.float32),
    "sensor": tf.TensorSpec((None, 2, 2), tf.int32),
}
ROWS = [
    {"tag": "foo", "signal": [1, 2, 3, 4, 5], "sensor": [[1, 2], [3, 4]]},
    {"tag": "bar", "signal": [3, 4, 1, 2, 5], "sensor": [[4, 5], [6, 8]]},
]
COLUMNS = {name: [row[name] for row in ROWS] for name in SPECS}


@pytest.mark.parametrize("rows", [True, False])
def test_rows_and_columns_are_the_same_tensors(rows):
    body = json.dumps({"instances": ROWS} if rows else {"inputs": COLUMNS}).encode()
    name, values, is_rows = protocol.parsed(body)
    found = protocol.arrays(values, is_rows, SPECS)
    assert name == "serving_default" and is_rows is rows
    assert found["tag"].tolist() == [b"foo", b"bar"]
    assert found["signal"].dtype == "float32" and found["signal"].tolist() == COLUMNS["signal"]
    assert found["sensor"].dtype == "int32" and found["sensor"].tolist() == COLUMNS["sensor"]


def test_a_single_input_needs_no_name():
    number, text = {"x": tf.TensorSpec((None,), tf.float32)}, {"image": tf.TensorSpec((None,), tf.string)}
    for values in ([1.0, 2.0, 5.0], [{"x": 1.0}, {"x": 2.0}, {"x": 5.0}]):
        assert protocol.arrays(values, True, number)["x"].tolist() == [1.0, 2.0, 5.0]
    assert protocol.arrays([1.0, 2.0], False, number)["x"].tolist() == [1.0, 2.0]
    assert protocol.arrays([{"b64": "aW1hZ2UgYnl0ZXM="}, "sea"], True, text)["image"].tolist() == [
        b"image bytes",
        b"sea",
    ]
    values = json.loads("[NaN, Infinity, 1e3]")
    assert np.isnan(protocol.arrays(values, True, number)["x"][0])


def test_answers_are_written_as_the_documentation_says():
    one = {"y": np.array([3.5, 4.0, 5.5], "float32")}
    assert json.loads(protocol.answered(one, True)) == {"predictions": [3.5, 4.0, 5.5]}
    assert json.loads(protocol.answered(one, False)) == {"outputs": [3.5, 4.0, 5.5]}
    two = {"a": np.array(["é".encode(), b"b"], object), "raw_bytes": np.array([[b"\xff"], [b"x"]], object)}
    rows = [{"a": "é", "raw_bytes": [{"b64": "/w=="}]}, {"a": "b", "raw_bytes": [{"b64": "eA=="}]}]
    assert json.loads(protocol.answered(two, True)) == {"predictions": rows}
    assert json.loads(protocol.answered(two, False)) == {"outputs": {key: [row[key] for row in rows] for key in two}}


@pytest.mark.parametrize("body, message", [
    (b"{", r"The body must be JSON. Received: b'\{', Expecting .* Encode it"),
    (b"\xff", "The body must be JSON. Received"),
    (b"[]", r'with either "instances".* or "inputs".*Received: list. Send'),
    (b'{"instances": [], "inputs": []}', r"Received: \['instances', 'inputs'\]"),
])  # fmt: skip
def test_what_is_no_request_is_refused(body, message):
    with pytest.raises(protocol.Refused, match=message):
        protocol.parsed(body)


@pytest.mark.parametrize("change, name, message", [
    ({"tga": "x"}, None, r"instances\[1\] must have the inputs .* unknown \['tga'\]\. Remove what is unknown"),
    ({"tag": 3}, "tag", r'instances\[1\], tag: must be a string, or \{"b64": ...\} for bytes. Received: int 3'),
    ({"tag": None}, "tag", r"Received: null. For an optional input that is missing, send"),
    ({"tag": {"b64": "a*b"}}, "tag", r"instances\[1\], tag: the value of b64 must be Base64. Received: 'a\*b'"),
    ({"signal": [1, 2]}, "signal", r"instances\[1\], signal: must have the shape \[5\]. Received: \[2\]"),
    ({"signal": ["1"] * 5}, "signal", r"signal: must be float32, a number or nested lists of them. Received: list"),
    ({"signal": [None] * 5}, "signal", "signal: must be float32.*Received: list"),
    ({"sensor": [[1, 2], [3]]}, "sensor", "sensor: must be int32.*Received: list"),
    ({"sensor": [[1, 2], [3, 0.5]]}, "sensor", "sensor: must be int32.*Received: list"),
    ({"sensor": [[1, 2], [3, 2**40]]}, "sensor", "sensor: must fit into int32. Received: list"),
])  # fmt: skip
def test_a_wrong_value_is_refused_by_name_and_number(change, name, message):
    with pytest.raises(protocol.Refused, match=message) as caught:
        protocol.arrays([ROWS[0], ROWS[1] | change], True, SPECS)
    assert caught.value.input == name


@pytest.mark.parametrize("values, rows, message", [
    ({"tag": "x"}, True, r'"instances" must be a list of examples. Received: dict'),
    (["x", "y"], True, r"instances\[0\] must be an object with \['tag', 'signal', 'sensor'\]. Received: str 'x'"),
    ([{"tag": "x"}], True, r"Received: missing \['signal', 'sensor'\]\. For an optional input"),
    ([{"tag": "x", "signl": 1}], True, r"missing .*'sensor'\], unknown \['signl'\]\. Did you mean 'signal'\?$"),
    (["x"], False, r'"inputs" must be an object with'),
    (COLUMNS | {"tag": "x"}, False, r"tag: must be a list, a value for each example. Received: str 'x'"),
    (COLUMNS | {"tag": ["x"]}, False, r"number of values. Received: \{'tag': 1, 'signal': 2, 'sensor': 2\}"),
    ({name: [] for name in SPECS}, False, "at least one example. Received: none"),
])  # fmt: skip
def test_a_wrong_form_is_refused(values, rows, message):
    with pytest.raises(protocol.Refused, match=message):
        protocol.arrays(values, rows, SPECS)
