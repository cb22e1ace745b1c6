"""The Open Inference Protocol, as its specification has it, and over HTTP."""

import base64
import json
import types

import numpy as np
import pytest
import tensorflow as tf

import mmkeras as mm
from mmkeras.serve import open_inference
from mmkeras.serve.protocol import Refused

# "Inference Request Examples", with as many examples in both inputs.
SPECS = {"input0": tf.TensorSpec((None, 2), tf.uint32), "input1": tf.TensorSpec((None,), tf.bool),
         "photo": tf.TensorSpec((None,), tf.string)}  # fmt: skip
INPUTS = [
    {"name": "input0", "shape": [2, 2], "datatype": "UINT32", "data": [1, 2, 3, 4]},
    {"name": "input1", "shape": [2], "datatype": "BOOL", "data": [True, False]},
    {"name": "photo", "shape": [2], "datatype": "BYTES", "data": ["aW1hZ2UgYnl0ZXM=", ""],
     "parameters": {"content_type": "base64"}},
]  # fmt: skip
VERSION = types.SimpleNamespace(name="mymodel", number=3)


def test_tensors_are_read_flat_or_nested():
    for data in ([1, 2, 3, 4], [[1, 2], [3, 4]]):
        given = open_inference.parsed(json.dumps({"inputs": [INPUTS[0] | {"data": data}, *INPUTS[1:]]}).encode())
        found = open_inference.arrays(given, SPECS)
        assert found["input0"].dtype == "uint32" and found["input0"].tolist() == [[1, 2], [3, 4]]
        assert found["input1"].tolist() == [True, False] and found["photo"].tolist() == [b"image bytes", b""]
    text = {"name": "photo", "shape": [1], "datatype": "BYTES", "data": ["é"]}
    assert open_inference.arrays({"inputs": [text]}, {"photo": SPECS["photo"]})["photo"].tolist() == ["é".encode()]


def test_answers_are_those_that_are_asked_for():
    answers = {"output0": np.array([[1.0, 1.5], [2.0, 2.5]], "float32"), "text": np.array([b"a", b"b"], object),
               "raw_bytes": np.array([b"\xff", b""], object)}  # fmt: skip
    given = {"id": "42", "inputs": [], "outputs": [{"name": "output0"}]}
    tensor = {"name": "output0", "shape": [2, 2], "datatype": "FP32", "data": [1.0, 1.5, 2.0, 2.5]}
    common = {"model_name": "mymodel", "model_version": "3"}
    assert json.loads(open_inference.answered(given, VERSION, answers)) == {**common, "id": "42", "outputs": [tensor]}
    found = json.loads(open_inference.answered({"inputs": []}, VERSION, answers))
    assert "id" not in found and [each["name"] for each in found["outputs"]] == list(answers)
    assert found["outputs"][1] == {"name": "text", "shape": [2], "datatype": "BYTES", "data": ["a", "b"]}
    assert found["outputs"][2]["data"] == ["/w==", ""]
    assert found["outputs"][2]["parameters"] == {"content_type": "base64"}
    for wrong in ([{"name": "outptu0"}], ["output0"], "output0"):
        with pytest.raises(Refused, match=r"has the outputs \['output0', 'text', .*Received: .* Send"):
            open_inference.answered({"outputs": wrong}, VERSION, answers)


@pytest.mark.parametrize("body, message", [
    ("{", "The body must be JSON"),
    ('{"instances": []}', r"a list of \"inputs\". Received: \['instances'\]. Send"),
    ("[]", "Received: list. Send"),
])  # fmt: skip
def test_what_is_no_request_is_refused(body, message):
    with pytest.raises(Refused, match=message):
        open_inference.parsed(body.encode())


@pytest.mark.parametrize("inputs, name, message", [
    ([*INPUTS, INPUTS[0]], None, r"inputs\[3\] must be an object with \['name', .* of a name of its own"),
    (["x"], None, r"inputs\[0\] must be an object.*Received: str"),
    (INPUTS[1:], "input0", r"inputs must have the inputs .*missing \['input0'\]"),
    ([INPUTS[0] | {"datatype": "FP32"}, *INPUTS[1:]], "input0", "must have the datatype UINT32. Received: 'FP32'"),
    ([INPUTS[0] | {"shape": [4]}, *INPUTS[1:]], "input0", r"must have the shape \[-1, 2\], -1 .*Received: \[4\]"),
    ([INPUTS[0] | {"shape": "x"}, *INPUTS[1:]], "input0", "must have the shape .*Received: 'x'"),
    ([INPUTS[0] | {"data": [1, 2]}, *INPUTS[1:]], "input0", r"must have 4 values for the shape \[2, 2\]. Received: 2"),
    ([INPUTS[0] | {"data": [1, 2, 3, -4]}, *INPUTS[1:]], "input0", "must fit into uint32"),
    ([*INPUTS[:2], INPUTS[2] | {"data": ["a*b", ""]}], "photo", "photo: the value of b64 must be Base64"),
    ([*INPUTS[:2], INPUTS[2] | {"data": [1, 2]}], "photo", "photo: must be a string"),
    ([*INPUTS[:2], INPUTS[2] | {"shape": [1], "data": [""]}], None, "All inputs must have the same number of values"),
])  # fmt: skip
def test_a_wrong_tensor_is_refused_by_name(inputs, name, message):
    with pytest.raises(Refused, match=message) as caught:
        open_inference.arrays({"inputs": inputs}, SPECS)
    assert caught.value.input == name


def test_a_served_model_answers_by_both_protocols(exported, expected, url, ask):
    photos = [base64.b64encode(photo).decode() for photo in exported.raw["photo"]]
    tensor = lambda name, kind, data, **more: {"name": name, "shape": [4], "datatype": kind, "data": data} | more  # noqa: E731
    inputs = [tensor("review", "BYTES", exported.raw["review"]), tensor("price", "FP32", exported.raw["price"]),
              tensor("photo", "BYTES", photos, parameters={"content_type": "base64"})]  # fmt: skip
    body = {"id": "7", "inputs": inputs, "outputs": [{"name": "mood_scores"}]}
    status, _, found = ask(url, "/v2/models/scenes/infer", body)
    assert status == 200 and found["id"] == "7" and found["model_version"] == "2"
    (scores,) = found["outputs"]
    rows = [{name: values[i] for name, values in exported.raw.items()} for i in range(4)]
    np.testing.assert_allclose(np.reshape(scores["data"], scores["shape"]), [expected(row) for row in rows], atol=1e-6)
    assert ask(url, "/v2/models/scenes/versions/1/infer", body)[2]["outputs"] != found["outputs"]
    inputs[2]["data"] = [photos[0], "AAAA", photos[1], photos[3]]
    status, _, found = ask(url, "/v2/models/scenes/infer", body)
    assert status == 400 and found["error"].startswith("example 1: photo: ")
    assert ask(url, "/v2/models/half/infer", body)[0] == 404


def test_what_is_served_is_described(url, ask):
    assert ask(url, "/v2")[2] == {"name": "mmkeras", "version": mm.__version__, "extensions": []}
    assert ask(url, "/v2/health/live")[2] == {"live": True} and ask(url, "/v2/health/ready")[2] == {"ready": True}
    assert ask(url, "/v2/models/scenes/ready")[2] == {"name": "scenes", "ready": True}
    assert ask(url, "/v2/models/scenes/versions/9/ready")[0] == 404
    found = ask(url, "/v2/models/scenes/versions/1")[2]
    assert found["name"] == "scenes" and found["platform"] == "tensorflow_savedmodel"
    assert {"name": "price", "datatype": "FP32", "shape": [-1]} in found["inputs"] and len(found["inputs"]) == 3
    assert {"name": "mood_scores", "datatype": "FP32", "shape": [-1, 3]} in found["outputs"]
