"""The HTTP routes of TF Serving's REST protocol and of the Open Inference Protocol, as an ASGI application.

Source: TensorFlow Serving, "RESTful API"; the names of the states are those of `get_model_status.proto`.
"""

import asyncio
import contextlib
import logging
import time
from os import PathLike

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mmkeras.checks import check_whole
from mmkeras.serve import labels, open_inference, protocol
from mmkeras.serve.batching import Closed
from mmkeras.serve.metrics import Metrics
from mmkeras.serve.versions import Versions

log = logging.getLogger("mmkeras.serve")


def application(
    folder: str | PathLike[str],
    *,
    newest: int | None = None,
    max_batch: int = 32,
    max_waiting: int = 256,
    max_request_bytes: int = 32 << 20,
    poll_seconds: float = 1.0,
) -> Starlette:
    """An ASGI application that serves every NAME/VERSION below a folder, for uvicorn or any other server.

    Prefer `serve`, which runs it.

    | request | answer |
    |---|---|
    | `POST /v1/models/NAME[/versions/N]:predict` | answers; rows to "instances", columns to "inputs" |
    | `GET /v1/models/NAME[/versions/N]` | the state of each version |
    | `GET /v1/models/NAME[/versions/N]/metadata` | the signatures: names, shapes, dtypes |
    | `.../labels/LABEL` in place of `.../versions/N` | the version that NAME/labels.json gives this label |
    | `POST /v2/models/NAME[/versions/N]/infer` | answers by the Open Inference Protocol |
    | `GET /v2/models/NAME[/versions/N]` | inputs and outputs by the same; `/ready` below it |
    | `GET /v2`, `/v2/health/live`, `/v2/health/ready` | about the server |
    | `GET /metrics`, `/monitoring/prometheus/metrics` | text for Prometheus |

    Where a version has a LiteRT file, NAME/VERSION/assets.extra/*.tflite, a single example is answered by that, which
    takes a fraction of the time; examples that are answered together are answered by the SavedModel. When the version
    is loaded, both answer its request.json; if an answer differs by more than 1e-4, the version is not loaded. So the
    file must be float32: `mm.export.litert(preprocess, model, "saved_models/NAME/1/assets.extra/NAME.tflite")`.

    Errors are `{"error": message}`: 400 with the input and the cause, 404 for a model or version that is not there, 413
    for a request that is too large, and 503, with `Retry-After`, where too many requests wait. An export with
    `on_error="skip"` or "absent" answers with 200 instead of 400: the `status` of each example says what is wrong with
    it.

    Args:
        folder: that holds NAME/VERSION/saved_model.pb, such as `saved_models`; any SavedModel whose ops are
            TensorFlow's or tensorflow-text's.
        newest: how many versions of each name are loaded, the highest ones; None for all.
        max_batch: examples that are answered together.
        max_waiting: requests that are read or wait at once.
        max_request_bytes: of a body.
        poll_seconds: between two looks for versions that are new or gone.

    Returns:
        `starlette.applications.Starlette`. All versions are loaded and have answered their `request.json`.

    Raises:
        ValueError: there is no version, none can be loaded, or an argument is out of range.
    """
    check_whole("serve", max_batch=max_batch, max_waiting=max_waiting, max_request_bytes=max_request_bytes,
                **({} if newest is None else {"newest": newest}))  # fmt: skip
    metrics = Metrics()
    versions = Versions(folder, newest=newest, max_batch=max_batch, seconds=poll_seconds,
                        observe=lambda name, count: metrics.batches.labels(name).observe(count))  # fmt: skip
    routes = _Routes(versions, metrics, max_waiting, max_request_bytes)

    @contextlib.asynccontextmanager
    async def lifespan(app):
        versions.start()
        yield
        await asyncio.to_thread(versions.close)
        log.info("stopped")

    handlers = {HTTPException: _http_error, protocol.Refused: _refused, Exception: _failed}
    return Starlette(routes=routes.table(), lifespan=lifespan, exception_handlers=handlers)


class _Routes:
    def __init__(self, versions, metrics, max_waiting, max_request_bytes):
        self._versions, self._metrics = versions, metrics
        self._max_waiting, self._max_bytes, self._waiting = max_waiting, max_request_bytes, 0

    def table(self):
        model = "/v1/models/{name}"
        paths = (model + "/versions/{number:int}", model + "/labels/{label}", model)
        return [
            *(Route(f"{path}:predict", self.predict, methods=["POST"]) for path in paths),
            *(Route(f"{path}/metadata", self.metadata) for path in paths),
            *(Route(path, self.status) for path in paths),
            *open_inference.routes(self._version, self.infer),
            *(Route(path, self.metrics) for path in ("/metrics", "/monitoring/prometheus/metrics")),
        ]

    async def predict(self, request: Request):
        return await self._counted(request, _tf_serving)

    async def infer(self, request: Request):
        return await self._counted(request, _open_inference)

    async def _counted(self, request, read):
        """A response, counted for Prometheus; `read` is as of `_answer`."""
        started, name = time.perf_counter(), self._version(request).name
        status = 500
        try:
            with self._place():
                response = await self._answer(request, read)
            status = response.status_code
            return response
        except protocol.Refused as error:
            status = 400
            self._metrics.refused.labels(name, error.input or "").inc()
            raise
        except HTTPException as error:
            status = error.status_code
            raise
        finally:
            self._metrics.requests.labels(name, status).inc()
            self._metrics.seconds.labels(name).observe(time.perf_counter() - started)

    @contextlib.contextmanager
    def _place(self):
        """Takes a place among the waiting requests before the body is read, so that bodies do not fill the memory."""
        if self._waiting >= self._max_waiting:
            message = f"The server is full: {self._waiting} requests wait. Ask again in a second."
            raise HTTPException(503, message, {"Retry-After": "1"})
        self._waiting += 1
        self._metrics.waiting.set(self._waiting)
        try:
            yield
        finally:
            self._waiting -= 1
            self._metrics.waiting.set(self._waiting)

    async def _answer(self, request, read):
        """The response; `read` gives of a body (signature, specs -> arrays, (version, answers) -> bytes)."""
        signature, to_arrays, to_bytes = read(await self._body(request))
        while True:
            version = self._version(request)
            specs = version.model.inputs.get(signature)
            if specs is None:
                raise protocol.Refused(
                    f"It has the signatures {list(version.model.inputs)}. Received: signature_name {signature!r}."
                )
            arrays = to_arrays(specs)
            try:
                future = version.batcher.submit(signature, arrays)
                break
            except Closed:  # the version was unloaded in the meantime: retry with another one, or answer 404
                continue
        self._metrics.asked(version.name, arrays)
        answers = await asyncio.wrap_future(future)
        self._metrics.answered(version.name, answers)
        return Response(to_bytes(version, answers), media_type="application/json")

    async def _body(self, request):
        length = request.headers.get("content-length", "")
        parts, size = [], int(length) if length.isdecimal() else 0
        if size <= self._max_bytes:
            size = 0
            async for part in request.stream():
                parts.append(part)
                size += len(part)
                if size > self._max_bytes:
                    break
        if size > self._max_bytes:
            rule = f"A request may have {self._max_bytes:,} bytes. Received: {size:,} or more."
            raise HTTPException(413, f"{rule} Send fewer or smaller examples, or start the server with a higher limit.")
        return b"".join(parts)

    def _named(self, request):
        """The model's name and the version's number that a request names; the number may be None."""
        name, label = request.path_params["name"], request.path_params.get("label")
        if label is None or name not in self._versions.names():
            return name, request.path_params.get("number")
        return name, labels.version_of(self._versions.folder, name, label)

    def _version(self, request):
        name, number = self._named(request)
        version = self._versions.get(name, number)
        if version is None:
            wanted = f"Latest({name})" if number is None else f"Specific({name}, {number})"
            raise HTTPException(404, f"Servable not found for request: {wanted}")  # same wording as TF Serving
        return version

    async def status(self, request: Request):
        if request.url.path.endswith(":predict"):
            raise HTTPException(405, f"Predictions need POST. Received: GET {request.url.path}. Send a body.")
        name, number = self._named(request)
        states = self._versions.states(name)
        if not states or (number is not None and number not in states):
            raise HTTPException(404, f"Could not find any versions of model {name}")
        numbers = sorted(states, reverse=True) if number is None else [number]
        return JSONResponse({"model_version_status": [_state(each, states[each]) for each in numbers]})

    async def metadata(self, request: Request):
        version = self._version(request)
        spec = {"name": version.name, "signature_name": "", "version": str(version.number)}
        signatures = {"signature_def": {"signature_def": version.model.metadata}}
        return JSONResponse({"model_spec": spec, "metadata": signatures})

    async def metrics(self, request: Request):
        return Response(self._metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _tf_serving(body):
    signature, values, rows = protocol.parsed(body)
    return (signature, lambda specs: protocol.arrays(values, rows, specs),
            lambda version, answers: protocol.answered(answers, rows))  # fmt: skip


def _open_inference(body):
    given = open_inference.parsed(body)
    return (protocol.SIGNATURE, lambda specs: open_inference.arrays(given, specs),
            lambda version, answers: open_inference.answered(given, version, answers))  # fmt: skip


def _state(number, why):
    code = "INVALID_ARGUMENT" if why else "OK"
    status = {"error_code": code, "error_message": why}
    return {"version": str(number), "state": "END" if why else "AVAILABLE", "status": status}


async def _http_error(request, error):
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


async def _refused(request, error):
    return JSONResponse({"error": str(error)}, 400)


async def _failed(request, error):
    return JSONResponse({"error": "The server failed; its log says how."}, 500)
