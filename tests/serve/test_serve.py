"""The server, over HTTP: answers, versions, refusals, limits, counts."""

import base64
import concurrent.futures
import http.client
import json
import shutil
import socket
import threading
import time
import types
from urllib.parse import urlsplit

import numpy as np
import pytest

import mmkeras as mm
from mmkeras.client import Client
from mmkeras.serve.batching import Batcher, Closed
from mmkeras.serve.protocol import Refused

PREDICT = "/v1/models/scenes:predict"


def row_of(exported, i):
    return {name: values[i] for name, values in exported.raw.items()}


def json_row(row):
    return row | {"photo": {"b64": base64.b64encode(row["photo"]).decode()}}


def test_rows_columns_and_the_request_beside_the_export_are_answered(exported, expected, url, ask):
    rows = [row_of(exported, i) for i in range(4)]
    status, _, found = ask(url, PREDICT, {"instances": [json_row(row) for row in rows]})
    assert status == 200
    for row, answer in zip(rows, found["predictions"], strict=True):
        np.testing.assert_allclose(answer["mood_scores"], expected(row), atol=1e-6)
        assert answer["mood"] in answer["mood_classes"] == ["good", "bad", "grün"]
    columns = {name: [json_row(row)[name] for row in rows] for name in exported.raw}
    _, _, by_column = ask(url, PREDICT, {"inputs": columns})
    assert by_column["outputs"]["mood"] == [answer["mood"] for answer in found["predictions"]]
    own = (exported.folder / "scenes" / "2" / "assets.extra" / "request.json").read_bytes()
    _, _, again = ask(url, PREDICT, own)
    for i, answer in enumerate(again["predictions"]):
        np.testing.assert_allclose(answer["mood_scores"], expected(row_of(exported, i)), atol=1e-6)
    assert len(again["predictions"]) == 2
    _, _, first = ask(url, "/v1/models/scenes/versions/1:predict", own)
    assert first["predictions"][0]["mood_scores"] != again["predictions"][0]["mood_scores"]


def test_status_and_metadata_have_the_form_of_tf_serving(url, ask):
    ok = {"error_code": "OK", "error_message": ""}
    states = [{"version": version, "state": "AVAILABLE", "status": ok} for version in ("2", "1")]
    assert ask(url, "/v1/models/scenes")[2] == {"model_version_status": states}
    assert ask(url, "/v1/models/scenes/versions/1")[2] == {"model_version_status": states[1:]}
    _, _, found = ask(url, "/v1/models/scenes/versions/1/metadata")
    assert found["model_spec"] == {"name": "scenes", "signature_name": "", "version": "1"}
    signature = found["metadata"]["signature_def"]["signature_def"]["serving_default"]
    dimension = {"size": "-1", "name": ""}
    assert signature["inputs"]["review"]["dtype"] == "DT_STRING"
    assert signature["inputs"]["review"]["tensor_shape"] == {"dim": [dimension], "unknown_rank": False}
    assert signature["method_name"] == "tensorflow/serving/predict"


def test_a_refused_input_is_named_with_its_cause(exported, url, ask):
    good = json_row(row_of(exported, 0))
    status, _, found = ask(url, PREDICT, {"instances": [good, good | {"photo": "no picture"}, good]})
    assert status == 400 and found["error"].startswith("example 1: photo: ") and "no picture" in found["error"]
    status, _, found = ask(url, PREDICT, {"instances": [good | {"review": ""}]})
    assert status == 400 and found["error"].startswith("review: ")
    status, _, found = ask(url, PREDICT, {"instances": [{"review": "good"}]})
    assert status == 400 and "missing ['" in found["error"]
    status, _, found = ask(url, PREDICT, {"signature_name": "raedy", "instances": [good]})
    assert status == 400 and "Received: signature_name 'raedy'" in found["error"]
    assert 'mmkeras_refused_inputs_total{input="photo",model="scenes"}' in ask(url, "/metrics")[2]


def test_an_answer_does_not_wait_for_an_acknowledgement(url):
    connection, seconds = http.client.HTTPConnection(urlsplit(url).netloc), []
    for _ in range(10):
        start = time.perf_counter()
        connection.request("GET", "/v1/models/scenes")
        connection.getresponse().read()
        seconds.append(time.perf_counter() - start)
    connection.close()
    assert min(seconds) < 0.03  # with Nagle's algorithm it was 0.044 each time, with load or without


def test_what_is_not_there_is_404(url, ask):
    for path, message in [
        ("/v1/models/half:predict", "Servable not found for request: Latest(half)"),
        ("/v1/models/scenes/versions/7:predict", "Servable not found for request: Specific(scenes, 7)"),
    ]:
        assert ask(url, path, b"{}")[::2] == (404, {"error": message})
    assert ask(url, "/v1/models/half")[::2] == (404, {"error": "Could not find any versions of model half"})
    assert ask(url, "/v1/models/half/metadata")[0] == 404 and ask(url, "/nowhere")[0] == 404
    assert ask(url, "/v1/models/scenes", b"{}")[0] == 405
    status, _, found = ask(url, "/v1/models/scenes:predict")
    assert status == 405 and found["error"].startswith("Predictions need POST. Received: GET /v1/models/scenes:")


def test_a_request_that_is_too_large_is_413(url, ask):
    status, _, found = ask(url, PREDICT, b" " * 100_001)
    assert status == 413 and found["error"].startswith("A request may have 100,000 bytes. Received: 100,001 or more.")
    connection = socket.create_connection(urlsplit(url).netloc.split(":"))
    with connection:  # a chunked body without Content-Length
        connection.sendall(f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        connection.sendall((b"8000\r\n" + b" " * 0x8000 + b"\r\n") * 4)
        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")


def test_metrics_count_requests_examples_and_absent_inputs(exported, url, ask):
    before = _counts(ask(url, "/metrics")[2])
    ask(url, PREDICT, {"instances": [json_row(row_of(exported, i)) for i in range(4)]})
    after = _counts(ask(url, "/monitoring/prometheus/metrics")[2])
    for name, count in [('requests_total{model="scenes",status="200"}', 1), ('examples_total{model="scenes"}', 4),
                        ('absent_inputs_total{input="photo",model="scenes"}', 1),
                        ('absent_inputs_total{input="price",model="scenes"}', 1),
                        ('request_seconds_count{model="scenes"}', 1)]:  # fmt: skip
        assert after[f"mmkeras_{name}"] - before.get(f"mmkeras_{name}", 0) == count
    assert after["mmkeras_requests_waiting"] == 0 and "half" not in ask(url, "/metrics")[2]


def _counts(text):
    pairs = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in pairs}


def test_versions_come_and_go(two_versions, exported, ask):
    shelf = two_versions.parent / "3"
    shutil.move(two_versions / "scenes" / "2", shelf)
    body = {"instances": [json_row(row_of(exported, 0))]}
    with mm.serve.running(two_versions, poll_seconds=0.02) as url:
        states = lambda: [each["version"] for each in ask(url, "/v1/models/scenes")[2]["model_version_status"]]  # noqa: E731
        first = ask(url, PREDICT, body)[2]
        shutil.move(shelf, two_versions / "scenes" / "3")
        _until(lambda: states() == ["3", "1"])
        assert ask(url, PREDICT, body)[2] != first
        shutil.rmtree(two_versions / "scenes" / "3")
        _until(lambda: states() == ["1"])
        assert ask(url, PREDICT, body)[2] == first
        (two_versions / "scenes" / "4").mkdir()
        (two_versions / "scenes" / "4" / "saved_model.pb").write_bytes(b"not a model")
        _until(lambda: states() == ["4", "1"])
        broken = ask(url, "/v1/models/scenes/versions/4")[2]["model_version_status"][0]
        assert broken["state"] == "END" and broken["status"]["error_message"].startswith("DecodeError: ")
        assert ask(url, PREDICT, body)[2] == first


def _until(true):
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_full_server_is_503_and_loses_nobody(exported, ask, monkeypatch):
    entered, go = threading.Event(), threading.Event()
    from mmkeras.serve.model import SavedModel

    answer = SavedModel._answer

    def slow(self, *args):
        entered.set()
        assert go.wait(60)
        return answer(self, *args)

    body = {"instances": [json_row(row_of(exported, 0))]}
    with (mm.serve.running(exported.folder, max_waiting=2, newest=1) as url,
          concurrent.futures.ThreadPoolExecutor(2) as pool):  # fmt: skip
        assert ask(url, "/v1/models/scenes/versions/1")[0] == 404
        monkeypatch.setattr(SavedModel, "_answer", slow)
        waiting = [pool.submit(ask, url, PREDICT, body) for _ in range(2)]
        _until(lambda: _counts(ask(url, "/metrics")[2])["mmkeras_requests_waiting"] == 2)
        status, headers, found = ask(url, PREDICT, body)
        go.set()
        assert status == 503 and headers["retry-after"] == "1"
        assert found["error"] == "The server is full: 2 requests wait. Ask again in a second."
        assert [future.result()[0] for future in waiting] == [200, 200]
        monkeypatch.undo()
        _clients_wait_for_a_place(url, row_of(exported, 0), monkeypatch)


def _clients_wait_for_a_place(url, row, monkeypatch):
    sleep, waits = time.sleep, []
    monkeypatch.setattr("mmkeras.client.connection.time", types.SimpleNamespace(
        sleep=lambda seconds: (waits.append(seconds), sleep(0.005))))  # fmt: skip
    with Client(url, "scenes", retries=10_000) as client, concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: client.predict(row)[0]["mood"], range(40)))
    assert len(answers) == 40 and len(set(answers)) == 1
    assert waits and min(waits) == 1.0  # the server's Retry-After


def test_one_refused_request_of_a_batch_harms_no_other():
    started, go, sizes = threading.Event(), threading.Event(), []

    def answer(signature, arrays):
        started.set()
        assert go.wait(60)
        sizes.append(len(arrays["x"]))
        if (arrays["x"] < 0).any():
            raise Refused("x: negative", "x")
        return {"y": arrays["x"] * 2}

    batcher = Batcher(answer, 8, lambda count: None)
    first = batcher.submit("s", {"x": np.array([0.0])})
    assert started.wait(60)
    futures = [
        batcher.submit("s", {"x": np.array(values)}) for values in ([1.0, 2.0], [3.0, -1.0], [4.0], [-5.0], [6.0])
    ]
    other = batcher.submit("s", {"x": np.ones((1, 3))})  # another shape
    batcher.close()
    go.set()
    assert first.result(60)["y"].tolist() == [0.0]
    assert [futures[i].result(60)["y"].tolist() for i in (0, 2, 4)] == [[2.0, 4.0], [8.0], [12.0]]
    assert str(futures[1].exception(60)) == "example 1: x: negative" and futures[1].exception().input == "x"
    assert str(futures[3].exception(60)) == "x: negative" and other.result(60)["y"].shape == (1, 3)
    assert sizes[:2] == [1, 7]
    with pytest.raises(Closed):
        batcher.submit("s", {"x": np.array([0.0])})


def test_another_failure_reaches_its_request_only():
    def answer(signature, arrays):
        raise MemoryError("too much")

    future = Batcher(answer, 8, lambda count: None).submit("s", {"x": np.array([0.0])})
    with pytest.raises(MemoryError, match="too much"):
        future.result(60)


def test_what_cannot_be_served_is_told_at_once(exported, tmp_path):
    with pytest.raises(
        ValueError, match=r"must hold NAME/VERSION/saved_model.pb.*, where there is none. Export a model"
    ):
        mm.serve.application(tmp_path)
    with pytest.raises(ValueError, match=r"which is no folder"):
        mm.serve.application(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=rf"Did you mean '{exported.folder}'\?"):
        mm.serve.application(exported.folder / "scenes")
    (tmp_path / "bad" / "1").mkdir(parents=True)
    (tmp_path / "bad" / "1" / "saved_model.pb").write_bytes(b"not a model")
    with pytest.raises(ValueError, match="No version could be loaded. Received: bad/1, DecodeError"):
        mm.serve.application(tmp_path)
    with pytest.raises(ValueError, match="max_batch of 'serve' must be positive. Received: max_batch=0"):
        mm.serve.application(exported.folder, max_batch=0)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=rf"The port must be free. Received: 127.0.0.1:{port}, .* Give another port"):
            mm.serve.serve(exported.folder, port=port)
    with pytest.raises(ValueError, match="port must be between 0 and 65535. Received: 99999. Give another"):
        mm.serve.serve(exported.folder, port=99999)
    with pytest.raises(ValueError, match="host must be an address of this machine. Received: '999.1.1.1', .* Give"):
        mm.serve.serve(exported.folder, port=0, host="999.1.1.1")


def test_a_large_request_is_answered_in_parts(exported, url, ask):
    rows = [json_row(row_of(exported, i % 4)) for i in range(70)]
    _, _, found = ask(url, PREDICT, {"instances": rows})
    scores = np.array([each["mood_scores"] for each in found["predictions"]])
    np.testing.assert_allclose(scores, scores[np.arange(70) % 4], atol=1e-6)
    assert len(json.dumps(rows)) < 100_000
