"""One model of a server that speaks TF Serving's gRPC protocol, for `pip install "mmkeras[grpc]"`."""

import random
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from mmkeras.client.connection import FIRST_WAIT, LONGEST_WAIT
from mmkeras.client.errors import RequestError, ServerError
from mmkeras.client.tls import REMEDY, context_of

try:
    import grpc
    from google.protobuf.json_format import MessageToDict
    from tensorflow import as_dtype, make_ndarray, make_tensor_proto  # noqa: TID251 - the protos below need it, too
    from tensorflow.core.framework.types_pb2 import DataType  # noqa: TID251
    from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2, predict_pb2
    from tensorflow_serving.apis.model_service_pb2_grpc import ModelServiceStub
    from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub
except ImportError as error:
    raise ImportError(
        "A client of gRPC needs grpcio and tensorflow-serving-api. "
        f"Received: {error}. Install them: pip install 'mmkeras[grpc]', or ask the REST port, http://HOST:8501."
    ) from error

# As the REST protocol answers: codes that are about the request.
_REFUSED = {
    grpc.StatusCode.INVALID_ARGUMENT: 400, grpc.StatusCode.DATA_LOSS: 400, grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.UNAUTHENTICATED: 401, grpc.StatusCode.PERMISSION_DENIED: 403, grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 413,
}  # fmt: skip
# How gRPC says that it does not trust a server, or that the certificate is of another one.
_UNTRUSTED = ("CERTIFICATE_VERIFY_FAILED", "peer certificate")
_UNLIMITED = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]


class Rpc:
    """Asks by tensors over gRPC.

    Args:
        url: "grpc://HOST:PORT", or "grpcs://" for TLS; port 8500 by default.
        headers: dict, sent as metadata of each call.
        ca_file: of the certificates to trust; None for those of grpcio.
        model, version, label, timeout, retries: as of `Rest`.

    Raises:
        ValueError: it is no such URL, or `ca_file` no PEM file.

    Source: TensorFlow Serving, `prediction_service.proto`, `model_service.proto`.
    """

    def __init__(self, url, model, version, label, timeout, retries, headers, ca_file):
        parts = urlsplit(url)
        if parts.scheme not in ("grpc", "grpcs") or not parts.hostname or parts.path.strip("/"):
            raise ValueError(
                f"A URL of gRPC is HOST:PORT, without a path. Received: {url!r}. Write 'grpc://host:8500'."
            )
        host = parts.netloc if parts.port else f"{parts.netloc}:8500"
        self._url, self._open = url, _opener(host, parts.scheme == "grpcs", ca_file)
        self._channel, self._alone = None, threading.Lock()
        self._spec = {"name": model, "version": version, "label": label}
        self._timeout, self._retries = timeout, retries
        self._metadata = [(name.lower(), value) for name, value in (headers or {}).items()]

    def metadata(self):
        """As the REST protocol gives it."""
        request = self._filled(get_model_metadata_pb2.GetModelMetadataRequest())
        request.metadata_field.append("signature_def")
        response = self._call(PredictionServiceStub, "GetModelMetadata", request)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        response.metadata["signature_def"].Unpack(signatures)
        spec = response.model_spec
        return {
            "model_spec": {"name": spec.name, "signature_name": "", "version": str(spec.version.value)},
            "metadata": {"signature_def": MessageToDict(signatures, preserving_proto_field_name=True)},
        }

    def states(self):
        """Dict, version -> its state."""
        request = self._filled(get_model_status_pb2.GetModelStatusRequest())
        response = self._call(ModelServiceStub, "GetModelStatus", request)
        names = get_model_status_pb2.ModelVersionStatus.State.Name
        return {each.version: names(each.state) for each in response.model_version_status}

    @staticmethod
    def of_bytes(value):
        """Bytes as they stand in a row."""
        return bytes(value)

    def answers(self, signature, inputs, rows):
        """As of `Rest`."""
        request = self._filled(predict_pb2.PredictRequest())
        request.model_spec.signature_name = signature
        for name in inputs.names:
            request.inputs[name].CopyFrom(_tensor(name, [row[name] for row in rows], inputs.dtype(name)))
        response = self._call(PredictionServiceStub, "Predict", request)
        columns = {name: make_ndarray(response.outputs[name]) for name in inputs.outputs if name in response.outputs}
        counts = {len(array) if array.ndim else 1 for array in columns.values()}
        if counts != {len(rows)}:
            raise ServerError(
                f"The model must give an answer for each row. Received: {sorted(counts)} for {len(rows)} rows."
            )
        return [{name: _plain(name, array[i]) for name, array in columns.items()} for i in range(len(rows))]

    def close(self):
        with self._alone:
            channel, self._channel = self._channel, None
        if channel:
            channel.close()

    def _stub(self, service):
        with self._alone:
            self._channel = self._channel or self._open()
            return service(self._channel)

    def _filled(self, request):
        spec = request.model_spec
        spec.name = self._spec["name"]
        if self._spec["label"] is not None:
            spec.version_label = self._spec["label"]
        elif self._spec["version"] is not None:
            spec.version.value = self._spec["version"]
        return request

    def _call(self, service, name, request):
        """Calls a method of a service, again where the server cannot be reached or is full."""
        method = getattr(self._stub(service), name)
        for attempt in range(self._retries + 1):
            try:
                return method(request, timeout=self._timeout, metadata=self._metadata)
            except grpc.RpcError as error:
                code, message = error.code(), error.details()
                if code in _REFUSED:
                    raise RequestError(message, status=_REFUSED[code]) from error
                if code == grpc.StatusCode.DEADLINE_EXCEEDED:
                    raise ServerError(
                        f"{self._url} did not answer within {self._timeout:g} seconds. Received: {message}. Give a "
                        "longer timeout, or fewer rows at once."
                    ) from error
                if any(words in message for words in _UNTRUSTED):
                    raise ServerError(
                        f"{self._url} has a certificate that is not trusted. Received: {message}. {REMEDY}"
                    ) from error
                failure = ServerError(
                    f"{self._url} did not answer. Received: {code.name}, {message}. Is it a server's gRPC port?"
                )
                failure.__cause__ = error
                if code != grpc.StatusCode.UNAVAILABLE:
                    raise failure from error
            if attempt < self._retries:
                time.sleep(min(FIRST_WAIT * 2**attempt, LONGEST_WAIT, self._timeout) * random.uniform(0.75, 1.25))
        raise failure


def _opener(host, secure, ca_file):
    """Function that opens a channel."""
    if not secure:
        return lambda: grpc.insecure_channel(host, _UNLIMITED)
    if ca_file is not None:
        context_of(ca_file)  # gRPC would say at the first request that it fails, and not why
    roots = None if ca_file is None else Path(ca_file).read_bytes()
    return lambda: grpc.secure_channel(host, grpc.ssl_channel_credentials(roots), _UNLIMITED)


def _tensor(name, values, dtype):
    """The proto of a column; `dtype` is a name such as "DT_FLOAT"."""
    try:
        return make_tensor_proto(np.array(values, as_dtype(DataType.Value(dtype)).as_numpy_dtype))
    except (TypeError, ValueError) as error:
        kind = dtype.removeprefix("DT_").lower()
        rule = f"{name}: the rows of a request must be {kind} of one shape"
        raise RequestError(f"{rule}. Received: {error}. Ask with batch_size=1.", status=400) from error


def _plain(name, value):
    """A value of an answer as JSON has it; strings whose name ends in `_bytes` stay bytes."""
    if isinstance(value, bytes):
        return value if name.endswith("_bytes") else value.decode("utf-8", "replace")
    if value.dtype == object:
        return [_plain(name, each) for each in value]
    return value.tolist()
