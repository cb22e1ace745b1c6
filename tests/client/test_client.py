"""The client against recorded answers of TF Serving, from its documentation, and against servers that misbehave.

Source: TensorFlow Serving, "RESTful API", "Make REST API calls to ModelServer".
"""

import contextlib
import http.server
import json
import socket
import subprocess
import sys
import threading

import numpy as np
import pytest

from mmkeras.client import Client, RequestError, ServerError

STATUS = """{
 "model_version_status": [
  {
   "version": "123",
   "state": "AVAILABLE",
   "status": {
    "error_code": "OK",
    "error_message": ""
   }
  }
 ]
}"""
PREDICTED = '{\n    "predictions": [3.5, 4.0, 5.5]\n}'
NOT_FOUND = '{ "error": "Servable not found for request: Latest(half)" }'


def tensors(**dtypes):
    """Entries of a SignatureDef: name -> dtype, or (dtype, sizes of an example)."""
    entries = {}
    for name, dtype in dtypes.items():
        dtype, sizes = dtype if isinstance(dtype, tuple) else (dtype, ())
        shape = {"dim": [{"size": str(size), "name": ""} for size in (-1, *sizes)], "unknown_rank": False}
        entries[name] = {"dtype": dtype, "tensor_shape": shape, "name": f"{name}:0"}
    return entries


def metadata(inputs, outputs, *others):
    method = {"method_name": "tensorflow/serving/predict"}
    signature = {"inputs": tensors(**inputs), "outputs": tensors(**outputs)} | method
    signatures = {"serving_default": signature} | {name: {"inputs": {}, "outputs": {}} | method for name in others}
    spec = {"name": "half_plus_three", "signature_name": "", "version": "123"}
    return json.dumps({"model_spec": spec, "metadata": {"signature_def": {"signature_def": signatures}}})


HALF = metadata({"x": "DT_FLOAT"}, {"y": "DT_FLOAT"}, "__saved_model_init_op")
# "Specifying input tensors in row format"
THREE = {"tag": "DT_STRING", "signal": ("DT_FLOAT", (5,)), "sensor": ("DT_INT32", (2, 2))}
ROWS = [
    {"tag": "foo", "signal": [1, 2, 3, 4, 5], "sensor": [[1, 2], [3, 4]]},
    {"tag": "bar", "signal": [3, 4, 1, 2, 5], "sensor": [[4, 5], [6, 8]]},
]
# What this package exports has two more signatures.
EXPORT = metadata({"review": "DT_STRING", "photo": "DT_STRING", "price": "DT_FLOAT", "code": ("DT_FLOAT", (3,))},
                  {"mood": "DT_STRING", "mood_scores": "DT_FLOAT"}, "ready", "examples")  # fmt: skip


@pytest.fixture
def serve():
    """Function (metadata, *answers) -> (URL, requests, connections); an answer is (status, headers, body).

    A function as an answer is given the "instances" and returns one. None closes the connection without an answer. The
    last one is given again and again.
    """
    with contextlib.ExitStack() as stack:
        yield lambda meta, *answers: stack.enter_context(_serving(meta, list(answers)))


@contextlib.contextmanager
def _serving(meta, answers, tls=None):
    requests, connections = [], {}

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version, wbufsize = "HTTP/1.1", -1  # an answer is one packet

        def do_GET(self):
            self._give(200, {}, meta if self.path.endswith("/metadata") else STATUS)

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            requests.append((self.path, body))
            connections[self.client_address] = self.headers
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
            answer = answer(body["instances"]) if callable(answer) else answer
            if answer is None:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
            else:
                self._give(*answer)

        def _give(self, status, headers, body):
            self.send_response(status)
            for name, value in ({"Content-Length": len(body.encode())} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}", requests, connections
        server.shutdown()


@pytest.fixture
def waits(monkeypatch):
    """Seconds that were waited, which takes no time."""
    found = []
    monkeypatch.setattr("mmkeras.client.connection.time.sleep", found.append)
    return found


def test_the_documented_example(serve):
    url, requests, connections = serve(HALF, (200, {}, PREDICTED))
    with Client(url, "half_plus_three", version=123) as client:
        assert client.status() == {123: "AVAILABLE"}
        assert client.predict([{"x": 1.0}, {"x": np.float32(2)}, {"x": 5}]) == [{"y": 3.5}, {"y": 4.0}, {"y": 5.5}]
        assert client.predict([]) == []
        with pytest.raises(ServerError, match="an answer for each row. Received: 3 for 1 rows"):
            client.predict({"x": 1})
        assert client.metadata() == json.loads(HALF)
    instances = [{"x": 1.0}, {"x": 2.0}, {"x": 5}]
    path = "/v1/models/half_plus_three/versions/123:predict"
    assert requests[0] == (path, {"signature_name": "serving_default", "instances": instances})
    assert len(requests) == 2 and len(connections) == 1


def test_a_row_of_several_inputs_is_sent_as_documented(serve):
    answers = [{"a": 1, "b": "é"}, {"a": 2, "b": "x"}]
    meta = metadata(THREE, {"a": "DT_INT32", "b": "DT_STRING"})
    url, requests, _ = serve(meta, (200, {}, json.dumps({"predictions": answers})))
    rows = [ROWS[0] | {"signal": np.arange(1, 6, dtype="float32")}, ROWS[1] | {"sensor": ((4, 5), (6, 8))}]
    assert Client(url, "m").predict(rows) == answers
    assert requests[0][1]["instances"] == ROWS


def test_bytes_files_and_what_is_absent(serve, tmp_path):
    (tmp_path / "a.png").write_bytes(b"image bytes")
    url, requests, _ = serve(EXPORT, lambda rows: (200, {}, json.dumps({"predictions": [{}] * len(rows)})))
    rows = [
        {"review": "sea", "photo": tmp_path / "a.png", "price": 3, "code": np.ones(3)},
        {"review": "", "photo": b"image bytes", "price": np.nan, "code": None},
        {"photo": np.nan, "price": None},
    ]
    with Client(url, "m") as client:
        assert client.predict(iter(rows), batch_size=2) == [{}] * 3
    photo = {"b64": "aW1hZ2UgYnl0ZXM="}  # of the documentation
    (_, first), (_, second) = requests
    assert first["instances"][0] == {"review": "sea", "photo": photo, "price": 3, "code": [1, 1, 1]}
    assert first["instances"][1]["photo"] == photo and np.isnan(first["instances"][1]["price"])
    assert np.isnan(first["instances"][1]["code"]).all() and len(first["instances"][1]["code"]) == 3
    assert second["instances"][0]["review"] == second["instances"][0]["photo"] == ""


@pytest.mark.parametrize("row, message", [
    ({"tga": "x"}, r"row 1: The model has the inputs \['tag', .*Received: 'tga' \(did you mean 'tag'\?\). Remove it"),
    ({"tag": None}, r"row 1: .*Received: no value for \['tag'\], which cannot be absent. Give one"),
    ({"tag": 3}, "row 1: tag: must be a str, bytes, or a pathlib.Path of a file. Received: int 3. Convert it"),
    ({"signal": "loud"}, "row 1: signal: must be a number of float, .* Received: str 'loud'. Convert"),
    ({"sensor": [[1, 2], [3]]}, "row 1: sensor: must be a number of int32, or an array"),
])  # fmt: skip
def test_a_row_that_cannot_be_sent_is_refused(serve, row, message):
    url, requests, _ = serve(metadata(THREE, {"y": "DT_FLOAT"}), (200, {}, '{"predictions": [1.0]}'))
    rows = [ROWS[0], ROWS[1] | row]
    with pytest.raises(RequestError, match=message) as caught:
        Client(url, "m").predict(rows)
    assert caught.value.row == 1 and caught.value.status is None and requests == []
    first, second = Client(url, "m").predict(rows, on_error="skip")
    assert first == {"y": 1.0, "status": ""} and second == {"status": f"refused: {caught.value.cause}"}


def test_nan_is_a_number_where_a_model_does_not_know_what_is_absent(serve):
    meta = metadata({"x": "DT_FLOAT", "t": "DT_STRING"}, {"y": "DT_FLOAT"})
    url, requests, _ = serve(meta, (200, {}, '{"predictions": [1.0]}'))
    with Client(url, "m") as client:
        client.predict({"x": np.nan, "t": ""})
        assert np.isnan(requests[0][1]["instances"][0]["x"])
        with pytest.raises(RequestError, match=r"no value for \['t'\], which cannot be absent"):
            client.predict({"x": 1.0, "t": np.float32("nan")})
        with pytest.raises(RequestError, match=r"no value for \['x'\], which cannot be absent"):
            client.predict({"t": "a"})


def test_a_host_that_has_no_address_is_told_at_once(waits, monkeypatch):
    def unknown(*args, **kwargs):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr("socket.create_connection", unknown)
    with pytest.raises(ServerError, match="cannot be reached. Received: .*not known. Correct the URL"):
        Client("http://nowhere", "m").status()
    assert waits == []


def test_a_row_must_be_a_dict_and_its_file_must_be_there(serve, tmp_path):
    url, _, _ = serve(EXPORT, (200, {}, '{"predictions": [{}]}'))
    with pytest.raises(RequestError, match=r"row 0: A row must be a dict with \['review', .* Received: str 'x'"):
        Client(url, "m").predict(["x"])
    with pytest.raises(RequestError, match="row 0: .*No such file .*none.png"):
        Client(url, "m").predict({"review": "x", "photo": tmp_path / "none.png"})


def test_an_error_of_the_server_is_told(serve):
    url, _, _ = serve(HALF, (404, {}, NOT_FOUND))
    with pytest.raises(RequestError, match="^Servable not found for request: Latest.half.$") as caught:
        Client(url, "half").predict([{"x": 1.0}, {"x": 2.0}])
    assert caught.value.status == 404 and caught.value.row is None
    url, _, _ = serve(HALF, (500, {}, "<html>Oops"))
    with pytest.raises(ServerError, match="^<html>Oops$") as caught:
        Client(url, "half").predict({"x": 1.0})
    assert caught.value.status == 500
    url, _, _ = serve(HALF, (200, {}, "<html>Welcome"))
    with pytest.raises(ServerError, match="must be JSON. Received: b'<html>Welcome'. Is it TF Serving's REST port"):
        Client(url, "half").predict({"x": 1.0})


def refusing(name):
    """An answer that refuses negative numbers, and names the first one as `name` says; at most 4 examples."""

    def answer(rows):
        bad = [number for number, row in enumerate(rows) if row["x"] < 0]
        if len(rows) > 4:
            return 413, {}, '{"error": "too large"}'
        if bad:
            return 400, {}, json.dumps({"error": f"{name(bad[0]) if len(rows) > 1 else ''}x: negative"})
        return 200, {}, json.dumps({"predictions": [row["x"] / 2 for row in rows]})

    return answer


@pytest.mark.parametrize("name", [
    "example {}: ".format,
    "instances[{}], ".format,
    lambda number: "",
    lambda number: "example 0: ",  # which is wrong, or means something else
    lambda number: "example 77: ",
])  # fmt: skip
def test_the_refused_rows_are_found_and_the_others_answered(serve, name):
    url, _, _ = serve(HALF, refusing(name))
    values = [1, 2, -3, 4, 5, 6, -7, -8, 9]
    rows = [{"x": x} for x in values]
    answers = Client(url, "m").predict(rows, batch_size=8, on_error="skip")
    assert answers == [{"status": "refused: x: negative"} if x < 0 else {"y": x / 2, "status": ""} for x in values]
    with pytest.raises(RequestError, match="^row 2: x: negative$") as caught:
        Client(url, "m").predict(rows)
    assert (caught.value.row, caught.value.status, caught.value.cause) == (2, 400, "x: negative")


def test_inputs_are_asked_for_once_and_after_a_refusal(serve, monkeypatch):
    url, _, _ = serve(HALF, refusing("example {}: ".format))
    client, asked = Client(url, "m"), []
    monkeypatch.setattr(client, "metadata", lambda: asked.append(1) or json.loads(HALF))
    client.predict({"x": 1})
    client.predict({"x": 2})
    assert len(asked) == 1
    client.predict({"x": -1}, on_error="skip")
    with pytest.raises(RequestError):
        client.predict({"x": -1})
    client.predict({"x": 1})
    assert len(asked) == 3


def test_a_row_that_the_server_names_costs_few_requests(serve):
    url, requests, _ = serve(HALF, refusing("example {}: ".format))
    Client(url, "m").predict([{"x": x} for x in (1, -2, 3, 4)], on_error="skip")
    assert [len(body["instances"]) for _, body in requests] == [4, 1, 1, 2]


def test_a_full_server_is_asked_again_after_the_wait_it_names(serve, waits):
    full = '{"error": "The server is full"}'
    good = (200, {}, '{"predictions": [3.5]}')
    url, requests, _ = serve(HALF, (503, {"Retry-After": "2"}, full), (503, {}, full), good)
    assert Client(url, "m").predict({"x": 3}) == [{"y": 3.5}]
    assert waits[0] == 2 and 0.1 < waits[1] < 0.3 and len(requests) == 3
    url, requests, _ = serve(HALF, (503, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, full))
    with pytest.raises(ServerError, match="The server is full") as caught:
        Client(url, "m", retries=3).predict({"x": 3})
    assert caught.value.status == 503 and len(requests) == 4 and 0 < waits[2] < waits[3] < waits[4] < 1
    url, requests, _ = serve(HALF, (503, {"Retry-After": "900"}, full))
    with pytest.raises(ServerError):
        Client(url, "m", retries=1, timeout=7).predict({"x": 3})
    assert waits[-1] == 7


def test_a_connection_that_breaks_is_replaced(serve, waits):
    good = (200, {}, '{"predictions": [3.5]}')
    url, requests, connections = serve(HALF, good, None, None, good)
    client = Client(url, "m")
    assert client.predict({"x": 3}) == client.predict({"x": 3}) == [{"y": 3.5}]
    assert len(requests) == 4 and len(connections) == 3
    assert len(waits) == 1  # a kept one may be closed at any time


def test_a_server_that_is_not_there(waits):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServerError, match="did not answer within 0.05 seconds"):
            Client(f"http://127.0.0.1:{port}", "m", timeout=0.05).status()
        assert waits == []
    with pytest.raises(ServerError, match="cannot be reached. Received: ConnectionRefusedError.*Is the server running"):
        Client(f"http://127.0.0.1:{port}", "m", retries=2).status()
    assert len(waits) == 2


def test_a_status_of_the_model_itself_is_understood(serve):
    told = ["", "refused: x: negative", "absent: z: cut off"]
    answers = [{"y": x, "status": status} for x, status in zip([1.0, None, 3.0], told, strict=True)]
    answer = (200, {}, json.dumps({"predictions": answers}))
    url, _, _ = serve(metadata({"x": "DT_FLOAT"}, {"y": "DT_FLOAT", "status": "DT_STRING"}), answer)
    rows = [{"x": x} for x in (1, -2, 3)]
    found = Client(url, "m").predict(rows, on_error="skip")
    assert found == [answers[0], {"status": "refused: x: negative"}, answers[2]]
    with pytest.raises(RequestError, match="^row 1: x: negative$") as caught:
        Client(url, "m").predict(rows)
    assert caught.value.row == 1 and caught.value.status is None


def test_arguments_are_checked(serve):
    for url in ("localhost:8501", "ftp://x", None):
        with pytest.raises(ValueError, match="url must be that of a server. Received: .* Write 'http://localhost:8501"):
            Client(url, "m")
    with pytest.raises(ValueError, match="timeout must be above 0. Received: 0"):
        Client("http://x", "m", timeout=0)
    with pytest.raises(ValueError, match="retries must be a whole number from 0 on. Received: -1"):
        Client("http://x", "m", retries=-1)
    url, _, _ = serve(metadata({"x": "DT_FLOAT"}, {"status": "DT_FLOAT"}), (200, {}, '{"predictions": [0.5]}'))
    client = Client(url, "m")
    assert client.predict({"x": 1}) == client.predict({"x": 1}, on_error="skip") == [{"status": 0.5}]
    with pytest.raises(ValueError, match="on_error must be 'raise' or 'skip'. Received: 'ignore'"):
        client.predict({"x": 1}, on_error="ignore")
    with pytest.raises(ValueError, match="batch_size must be a whole number above 0. Received: 0"):
        client.predict({"x": 1}, batch_size=0)
    with pytest.raises(ValueError, match=r"signatures \['serving_default'\]. Received: 'raedy'. Give one of them"):
        Client(url, "m", signature="raedy").predict({"x": 1})


def test_a_path_and_headers_go_with_each_request(serve):
    url, requests, connections = serve(HALF, (200, {}, '{"predictions": [0.5]}'))
    Client(url + "/team/", "a b", headers={"Authorization": "Bearer x"}).predict({"x": 1})
    assert requests[0][0] == "/team/v1/models/a%20b:predict"
    assert [headers["Authorization"] for headers in connections.values()] == ["Bearer x"]


def test_it_loads_neither_tensorflow_nor_keras():
    names = "('tensorflow', 'keras', 'pandas', 'scipy', 'PIL')"
    code = f"import sys, mmkeras.client; print([m for m in {names} if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
