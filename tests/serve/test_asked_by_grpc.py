"""The client over gRPC, against a server of TF Serving's own protos that answers by an export."""

import concurrent.futures
import contextlib
import types
from pathlib import Path

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2, predict_pb2
from tensorflow_serving.apis.model_service_pb2_grpc import ModelServiceServicer, add_ModelServiceServicer_to_server
from tensorflow_serving.apis.prediction_service_pb2_grpc import (
    PredictionServiceServicer,
    add_PredictionServiceServicer_to_server,
)

from mmkeras.client import Client, RequestError, ServerError
from tests.serve.test_asked_by_client import rows_of

PEM = Path(__file__).parents[1] / "client" / "localhost.pem"  # a certificate of its own and the key


class Servicer(PredictionServiceServicer, ModelServiceServicer):
    """One version of one model, as TF Serving answers."""

    def __init__(self, signature, path):
        self.signature, self.seen, self.fails = signature, [], []
        self.definitions = saved_model_pb2.SavedModel.FromString(path.joinpath("saved_model.pb").read_bytes())

    def _begin(self, request, context):
        self.seen.append((request, dict(context.invocation_metadata())))
        if self.fails:
            context.abort(*self.fails.pop(0))
        if request.model_spec.name != "scenes":
            context.abort(grpc.StatusCode.NOT_FOUND, f"Servable not found for request: {request.model_spec.name}")

    def Predict(self, request, context):
        self._begin(request, context)
        try:
            found = self.signature(**{name: tf.constant(tf.make_ndarray(x)) for name, x in request.inputs.items()})
        except tf.errors.InvalidArgumentError as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, error.message)
        response = predict_pb2.PredictResponse()
        for name, value in found.items():
            response.outputs[name].CopyFrom(tf.make_tensor_proto(value.numpy()))
        return response

    def GetModelMetadata(self, request, context):
        self._begin(request, context)
        assert list(request.metadata_field) == ["signature_def"]
        signatures = get_model_metadata_pb2.SignatureDefMap()
        for name, definition in self.definitions.meta_graphs[0].signature_def.items():
            signatures.signature_def[name].CopyFrom(definition)
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.model_spec.name, response.model_spec.version.value = "scenes", 2
        response.metadata["signature_def"].Pack(signatures)
        return response

    def GetModelStatus(self, request, context):
        self._begin(request, context)
        state = get_model_status_pb2.ModelVersionStatus.AVAILABLE
        found = get_model_status_pb2.ModelVersionStatus(version=2, state=state)
        return get_model_status_pb2.GetModelStatusResponse(model_version_status=[found])


@pytest.fixture(scope="module")
def served(exported):
    """`url` of the server, `secure` for TLS, and its `servicer`."""
    servicer = Servicer(exported.signature, exported.folder / "scenes" / "2")
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(4))
    add_PredictionServiceServicer_to_server(servicer, server)
    add_ModelServiceServicer_to_server(servicer, server)
    port, pem = server.add_insecure_port("127.0.0.1:0"), PEM.read_bytes()
    secure = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(pem, pem)]))
    server.start()
    yield types.SimpleNamespace(url=f"grpc://127.0.0.1:{port}", secure=f"grpcs://127.0.0.1:{secure}", servicer=servicer)
    server.stop(None)


@pytest.fixture
def waits(monkeypatch):
    found = []
    monkeypatch.setattr("mmkeras.client.rpc.time.sleep", found.append)
    return found


def test_answers_are_those_of_rest(served, exported, url, tmp_path):
    rows = rows_of(exported, tmp_path, 7)
    with Client(served.url, "scenes") as by_grpc, Client(url, "scenes") as by_rest:
        assert by_grpc.status()[2] == by_rest.status()[2] == "AVAILABLE"
        inputs = [each.metadata()["metadata"]["signature_def"]["signature_def"]["serving_default"]["inputs"]
                  for each in (by_grpc, by_rest)]  # fmt: skip
        assert {name: each["dtype"] for name, each in inputs[0].items()} == {
            name: each["dtype"] for name, each in inputs[1].items()
        }
        for size in (3, 32):
            found, wanted = (each.predict(rows, batch_size=size) for each in (by_grpc, by_rest))
            for one, other in zip(found, wanted, strict=True):
                assert one.keys() == other.keys() and one["mood"] == other["mood"]
                assert one["mood_classes"] == other["mood_classes"] == ["good", "bad", "grün"]
                np.testing.assert_allclose(one["mood_scores"], other["mood_scores"], atol=1e-6)
        by_grpc.close()
        assert by_grpc.predict(rows[0])[0]["mood"] == wanted[0]["mood"]  # it connects again


def test_a_refused_row_is_found_and_others_are_answered(served, exported):
    row = {name: values[0] for name, values in exported.raw.items()}
    rows = [row, row | {"photo": b"no picture"}, row, row | {"revue": "x"}]
    with Client(served.url, "scenes") as client:
        with pytest.raises(RequestError, match=r"(?s)row 1: .*photo: .*no picture") as caught:
            client.predict(rows[:3])
        assert (caught.value.row, caught.value.status) == (1, 400)
        found = client.predict(rows, on_error="skip")
    assert [each["status"].partition(": ")[0] for each in found] == ["", "refused", "", "refused"]
    assert "did you mean 'review'" in found[3]["status"] and found[2]["mood"] == found[0]["mood"]


def test_version_label_and_headers_are_sent(served, exported):
    row = {name: values[0] for name, values in exported.raw.items()}
    with Client(served.url, "scenes", version=2, headers={"Authorization": "x"}) as client:
        client.predict(row)
    request, headers = served.servicer.seen[-1]
    assert request.model_spec.version.value == 2 and headers["authorization"] == "x"
    assert request.model_spec.signature_name == "serving_default"
    with Client(served.url, "scenes", label="stable") as client:
        client.status()
    assert served.servicer.seen[-1][0].model_spec.version_label == "stable"


def test_failures_are_those_of_rest(served, exported, waits):
    row, fails = {name: values[0] for name, values in exported.raw.items()}, served.servicer.fails
    with pytest.raises(RequestError, match="^Servable not found for request: other$") as caught:
        Client(served.url, "other").status()
    assert caught.value.status == 404 and waits == []
    busy = (grpc.StatusCode.UNAVAILABLE, "full")
    with Client(served.url, "scenes", retries=2) as client:
        client.predict(row)
        fails += [busy, busy]
        assert client.predict(row)[0]["mood"] and len(waits) == 2 and waits[0] < waits[1]
        fails += [busy] * 3
        with pytest.raises(ServerError, match=r"grpc://.* did not answer. Received: UNAVAILABLE, full. Is it"):
            client.predict(row)
        fails += [(grpc.StatusCode.INTERNAL, "oops")]
        with pytest.raises(ServerError, match="Received: INTERNAL, oops"):
            client.predict(row)
        fails += [(grpc.StatusCode.DEADLINE_EXCEEDED, "slow")]
        with pytest.raises(ServerError, match="within 60 seconds. Received: slow. Give a longer timeout"):
            client.predict(row)
        fails += [(grpc.StatusCode.RESOURCE_EXHAUSTED, "too large")]
        found = client.predict([row, row])  # cut into smaller requests
    assert len(found) == 2 and len(waits) == 4


def test_tls(served, exported, waits, tmp_path):
    row = {name: values[0] for name, values in exported.raw.items()}
    with Client(served.secure, "scenes", ca_file=PEM) as client, Client(served.url, "scenes") as plain:
        assert client.predict(row)[0]["mood"] == plain.predict(row)[0]["mood"]
    rule = r"grpcs://.* has a certificate that is not trusted\. Received: .*Give the certificate of its authority as"
    with pytest.raises(ServerError, match=rule):
        Client(served.secure, "scenes").status()
    assert not waits
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(ValueError, match=r"ca_file must be a PEM file of certificates. Received: '.*ca.pem', "):
        Client(served.secure, "scenes", ca_file=tmp_path / "ca.pem")


@pytest.mark.parametrize("url", ["grpc://", "grpc://host/path"])
def test_a_url_of_grpc_has_a_host_and_no_path(url):
    with pytest.raises(ValueError, match=rf"HOST:PORT, without a path. Received: '{url}'. Write 'grpc://host:8500'"):
        Client(url, "scenes")


def test_rows_of_several_shapes_are_refused_and_bytes_stay(exported):
    from mmkeras.client.rpc import _plain, _tensor

    with pytest.raises(RequestError, match="x: the rows of a request must be float of one shape. .*batch_size=1"):
        _tensor("x", [[1.0], [1.0, 2.0]], "DT_FLOAT")
    assert _tensor("x", ["é", b"\xff"], "DT_STRING").string_val[:] == ["é".encode(), b"\xff"]
    assert tf.make_ndarray(_tensor("x", [[1], [2]], "DT_INT64")).tolist() == [[1], [2]]
    texts = np.array([b"a", b"\xff"], object)
    assert _plain("names", texts) == ["a", "\ufffd"] and _plain("raw_bytes", texts) == [b"a", b"\xff"]


def test_what_is_not_installed_is_told(monkeypatch):
    import builtins
    import sys

    real = builtins.__import__

    def without(name, *args):
        if name.startswith("tensorflow_serving"):
            raise ImportError(f"No module named {name!r}")
        return real(name, *args)

    monkeypatch.delitem(sys.modules, "mmkeras.client.rpc", raising=False)
    monkeypatch.setattr(builtins, "__import__", without)
    with contextlib.suppress(KeyError):
        monkeypatch.delattr("mmkeras.client.rpc", raising=False)
    with pytest.raises(ImportError, match=r"gRPC needs grpcio and .*pip install 'mmkeras\[grpc\]', or ask the REST"):
        Client("grpc://localhost", "scenes")
