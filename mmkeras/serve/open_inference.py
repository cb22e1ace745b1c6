"""The Open Inference Protocol (V2): JSON <-> arrays by input name, and its routes.

A tensor of strings has the datatype BYTES and UTF-8 strings as its data. Files are Base64 strings, with the tensor's
`"parameters": {"content_type": "base64"}`.

Source: github.com/kserve/open-inference-protocol, `inference_rest.md`; the content type is that of MLServer.
"""

import base64
import json
import math

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

import mmkeras
from mmkeras.serve import protocol
from mmkeras.serve.protocol import Refused

_WHOLE = [f"{kind}{bits}" for kind in ("INT", "UINT") for bits in (8, 16, 32, 64)]
_OF_TENSORFLOW = {"DT_STRING": "BYTES", "DT_BOOL": "BOOL", "DT_HALF": "FP16", "DT_FLOAT": "FP32", "DT_DOUBLE": "FP64"}
_OF_TENSORFLOW |= {f"DT_{kind}": kind for kind in _WHOLE}
_OF_NUMPY = {"object": "BYTES", "bool": "BOOL", "float16": "FP16", "float32": "FP32", "float64": "FP64"}
_OF_NUMPY |= {kind.lower(): kind for kind in _WHOLE}
_KEYS = ("name", "shape", "datatype", "data")


def routes(version_of, infer):
    """The routes of the protocol.

    Args:
        version_of: function, `Request` -> `Version`; raises where it is not there.
        infer: coroutine function, `Request` -> `Response`.
    """

    async def server(request: Request):
        return JSONResponse({"name": "mmkeras", "version": mmkeras.__version__, "extensions": []})

    async def live(request: Request):
        return JSONResponse({"live": True})

    async def ready(request: Request):  # nothing listens before the models are loaded
        return JSONResponse({"ready": True})

    async def model_ready(request: Request):
        return JSONResponse({"name": version_of(request).name, "ready": True})

    async def model(request: Request):
        return JSONResponse(_described(version_of(request)))

    paths = ("/v2/models/{name}/versions/{number:int}", "/v2/models/{name}")
    return [
        Route("/v2", server),
        Route("/v2/health/live", live),
        Route("/v2/health/ready", ready),
        *(Route(f"{path}/infer", infer, methods=["POST"]) for path in paths),
        *(Route(f"{path}/ready", model_ready) for path in paths),
        *(Route(path, model) for path in paths),
    ]


def _described(version):
    signature = version.model.metadata.get(protocol.SIGNATURE, {"inputs": {}, "outputs": {}})
    tensors = {side: [_tensor(name, info) for name, info in signature[side].items()] for side in ("inputs", "outputs")}
    return {"name": version.name, "platform": "tensorflow_savedmodel", **tensors}


def _tensor(name, info):
    shape = [int(size["size"]) for size in info["tensor_shape"].get("dim", [])]
    return {"name": name, "datatype": _OF_TENSORFLOW.get(info["dtype"], info["dtype"]), "shape": shape}


def parsed(body):
    """The object of a request's bytes."""
    given = protocol.json_of(body)
    if not isinstance(given, dict) or not isinstance(given.get("inputs"), list):
        raise Refused(
            'The body must be an object with a list of "inputs". Received: '
            f"{list(given)[:5] if isinstance(given, dict) else type(given).__name__}. "
            'Send {"inputs": [{"name": ..., "shape": [...], "datatype": ..., "data": [...]}, ...]}.'
        )
    return given


def arrays(given, specs):
    """The arrays that a signature takes.

    Args:
        given: what `parsed` returned.
        specs: dict by input name of `tf.TensorSpec`.

    Returns:
        Dict by input name of arrays (B, ...).

    Raises:
        Refused: what is wrong, with the input's name.
    """
    tensors = {}
    for number, tensor in enumerate(given["inputs"]):
        whole = isinstance(tensor, dict) and set(_KEYS) <= set(tensor) and isinstance(tensor["name"], str)
        if not whole or tensor["name"] in tensors:
            received = list(tensor) if isinstance(tensor, dict) else type(tensor).__name__
            raise Refused(f"inputs[{number}] must be an object with {list(_KEYS)}, of a name of its own. "
                          f"Received: {received}.")  # fmt: skip
        tensors[tensor["name"]] = tensor
    protocol.check_names(tensors, specs, "inputs")
    return protocol.checked_counts({name: _array(name, tensors[name], spec) for name, spec in specs.items()})


def _array(name, tensor, spec):
    dtype, shape, wanted = spec.dtype.as_numpy_dtype, tensor["shape"], list(spec.shape)
    datatype = _OF_NUMPY.get("object" if spec.dtype == "string" else spec.dtype.name)
    if tensor["datatype"] != datatype:
        raise Refused(f"{name}: must have the datatype {datatype}. Received: {tensor['datatype']!r:.30}.", name)
    whole = isinstance(shape, list) and all(type(size) is int and size >= 0 for size in shape)
    if not whole or len(shape) != len(wanted) or any(
        want not in (None, got) for want, got in zip(wanted, shape, strict=True)
    ):  # fmt: skip
        expected = [-1 if size is None else size for size in wanted]
        raise Refused(f"{name}: must have the shape {expected}, -1 being any. Received: {shape!r:.60}.", name)
    values = list(_flat(tensor["data"]))
    if len(values) != math.prod(shape):
        raise Refused(f"{name}: must have {math.prod(shape)} values for the shape {shape}. "
                      f"Received: {len(values)}.", name)  # fmt: skip
    parameters = tensor.get("parameters")
    if datatype == "BYTES" and isinstance(parameters, dict) and parameters.get("content_type") == "base64":
        values = [{"b64": value} for value in values]
    read = protocol.strings if datatype == "BYTES" else protocol.numbers
    return read(name, name, values, dtype).reshape(shape)


def _flat(data):
    """The values of nested lists in order, since both forms are allowed."""
    if not isinstance(data, list):
        yield data
        return
    for each in data:
        yield from _flat(each) if isinstance(each, list) else [each]


def answered(given, version, answers):
    """The bytes of a response.

    Args:
        given: what `parsed` returned.
        version: the `Version` that answers.
        answers: dict of arrays.

    Raises:
        Refused: there is no such output.
    """
    wanted = given.get("outputs") or [{"name": name} for name in answers]
    known = isinstance(wanted, list) and all(
        isinstance(each, dict) and each.get("name") in list(answers) for each in wanted
    )
    if not known:
        raise Refused(f'The model has the outputs {list(answers)}. Received: {wanted!r:.100}. Send [{{"name": ...}}].')
    content = {"model_name": version.name, "model_version": str(version.number)}
    content |= {"id": given["id"]} if "id" in given else {}
    content["outputs"] = [_output(each["name"], answers[each["name"]]) for each in wanted]
    return json.dumps(content, ensure_ascii=False).encode("utf-8", "replace")


def _output(name, array):
    output = {"name": name, "shape": list(array.shape), "datatype": _OF_NUMPY[array.dtype.name]}
    values = array.ravel().tolist()
    if array.dtype == object and name.endswith("_bytes"):
        return output | {"parameters": {"content_type": "base64"},
                         "data": [base64.b64encode(value).decode() for value in values]}  # fmt: skip
    return output | {"data": [value.decode("utf-8", "replace") if isinstance(value, bytes) else value
                              for value in values]}  # fmt: skip
