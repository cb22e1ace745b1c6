"""TF Serving's REST protocol: JSON -> arrays by input name, and answers -> JSON.

Source: TensorFlow Serving, "RESTful API": "Specifying input tensors in row format", "... in column format",
"Encoding binary values", "JSON conformance".
"""

import base64
import binascii
import json

import numpy as np

from mmkeras.checks import did_you_mean

SIGNATURE = "serving_default"
_ABSENT = 'For an optional input that is missing, send "" for a text or a file, and NaN for a number.'


class Refused(ValueError):
    """An input that cannot be used.

    Attributes:
        input: name of the input; None where it is the request as a whole.
    """

    def __init__(self, message, input=None):
        super().__init__(message)
        self.input = input


def json_of(body):
    """The JSON in a request's bytes."""
    try:
        return json.loads(body)
    except ValueError as error:  # includes UnicodeDecodeError
        raise Refused(f"The body must be JSON. Received: {body[:60]!r}, {error}. Encode it with json.") from None


def parsed(body):
    """(name of the signature, values, whether they are rows) from a request's bytes."""
    request = json_of(body)
    if not isinstance(request, dict) or ("instances" in request) == ("inputs" in request):
        keys = list(request)[:5] if isinstance(request, dict) else type(request).__name__
        raise Refused(
            'The body must be an object with either "instances", a list, or "inputs", an object of columns. '
            f'Received: {keys}. Send {{"instances": [{{"NAME": VALUE, ...}}, ...]}}.'
        )
    rows = "instances" in request
    return request.get("signature_name") or SIGNATURE, request["instances" if rows else "inputs"], rows


def arrays(values, rows, specs):
    """The arrays that a signature takes.

    Args:
        values: of "instances", where `rows`; of "inputs" otherwise.
        rows: which of the two.
        specs: dict by input name of `tf.TensorSpec`, whose first axis is that of the examples.

    Returns:
        Dict by input name of arrays (B, ...); strings are bytes in arrays of objects.

    Raises:
        Refused: what is wrong, with the input's name and, of rows, the number.
    """
    columns = _columns(values, specs) if rows else _named(values, specs)
    found = {}
    for name, spec in specs.items():
        if not isinstance(columns[name], list):
            raise Refused(f"{name}: must be a list, a value for each example. Received: {_kind(columns[name])}.", name)
        found[name] = _array(name, columns[name], spec, rows)
    return checked_counts(found)


def checked_counts(found):
    """The arrays by name, if they have the same number of examples, at least one."""
    counts = {name: len(array) for name, array in found.items()}
    if len(set(counts.values())) > 1:
        raise Refused(f"All inputs must have the same number of values. Received: {counts}. Send one per example.")
    if not next(iter(counts.values())):
        raise Refused("A request must hold at least one example. Received: none. Send one.")
    return found


def _columns(instances, specs):
    if not isinstance(instances, list):
        raise Refused(f'"instances" must be a list of examples. Received: {_kind(instances)}. Write [...] around one.')
    if len(specs) == 1 and not (instances and _is_example(instances[0], specs)):
        return {next(iter(specs)): instances}
    for number, instance in enumerate(instances):
        if not isinstance(instance, dict):
            raise Refused(f"instances[{number}] must be an object with {list(specs)}. Received: {_kind(instance)}.")
        check_names(instance, specs, f"instances[{number}]")
    return {name: [instance[name] for instance in instances] for name in specs}


def _is_example(value, specs):
    """Whether it is an object by input name; `{"b64": ...}` is a value."""
    return isinstance(value, dict) and (set(value) != {"b64"} or "b64" in specs)


def _named(inputs, specs):
    if len(specs) == 1 and isinstance(inputs, list):
        return {next(iter(specs)): inputs}
    if not isinstance(inputs, dict):
        raise Refused(f'"inputs" must be an object with {list(specs)}. Received: {_kind(inputs)}.')
    check_names(inputs, specs, "inputs")
    return inputs


def check_names(given, specs, where):
    missing = [name for name in specs if name not in given]
    extra = [name for name in given if name not in specs]
    if missing or extra:
        problems = [f"{word} {names}" for word, names in (("missing", missing), ("unknown", extra)) if names]
        hints = [did_you_mean(name, missing) for name in extra] if extra else [_ABSENT]
        raise Refused(
            f"{where} must have the inputs {list(specs)}. Received: {', '.join(problems)}. "
            f"{' '.join(filter(None, hints)) or 'Remove what is unknown.'}",
            missing[0] if missing else None,
        )


def _array(name, values, spec, rows):
    read = strings if spec.dtype == "string" else numbers
    where = [f"instances[{number}], {name}" if rows else f"inputs, {name}[{number}]" for number in range(len(values))]
    shape, read_values = tuple(spec.shape[1:]), []
    for place, value in zip(where, values, strict=True):
        array = read(place, name, value, spec.dtype.as_numpy_dtype)
        if len(array.shape) != len(shape) or any(
            want not in (None, got) for want, got in zip(shape, array.shape, strict=True)
        ):
            raise Refused(f"{place}: must have the shape {list(shape)}. Received: {list(array.shape)}.", name)
        read_values.append(array)
    if len({array.shape for array in read_values}) > 1:
        raise Refused(f"{name}: all examples must have one shape. Received: {_shapes(read_values)}.", name)
    if not read_values:
        return np.zeros((0, *(size or 0 for size in shape)), spec.dtype.as_numpy_dtype)
    return np.stack(read_values)


def _shapes(found):
    return sorted({array.shape for array in found})[:5]


def strings(place, name, value, dtype):
    if isinstance(value, list):
        return np.stack([strings(place, name, each, dtype) for each in value]) if value else np.zeros(0, object)
    array = np.empty((), object)
    array[()] = _bytes(place, name, value)
    return array


def _bytes(place, name, value):
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    encoded = value.get("b64") if isinstance(value, dict) and set(value) == {"b64"} else None
    if not isinstance(encoded, str):
        raise Refused(
            f'{place}: must be a string, or {{"b64": ...}} for bytes. Received: {_kind(value)}. {_ABSENT}', name
        )
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refused(f"{place}: the value of b64 must be Base64. Received: {encoded[:30]!r}, {error}.", name) from None


def numbers(place, name, value, dtype):
    try:
        array = np.asarray(value)
    except ValueError:
        array = np.asarray(None)
    wanted, kind = np.dtype(dtype), array.dtype.kind
    whole = wanted.kind in "iu" and (kind in "iu" or (kind == "f" and np.all(array == np.floor(array))))
    if array.size and not (whole or (wanted.kind == "f" and kind in "fiu") or wanted.kind == kind == "b"):
        raise Refused(
            f"{place}: must be {wanted.name}, a number or nested lists of them. Received: {_kind(value)}. {_ABSENT}",
            name,
        )
    if wanted.kind in "iu" and array.size and not np.array_equal(array.astype(wanted), array):
        raise Refused(f"{place}: must fit into {wanted.name}. Received: {_kind(value)}.", name)
    with np.errstate(over="ignore"):  # numbers beyond float32 become infinite, which the graph refuses
        return array.astype(wanted)


def _kind(value):
    return "null" if value is None else f"{type(value).__name__} {value!r:.60}"


def answered(answers, rows):
    """The bytes of a response; strings whose name ends in `_bytes` are encoded as Base64, as in TF Serving."""
    columns = {name: _plain(name, value) for name, value in answers.items()}
    if len(columns) == 1:
        (content,) = columns.values()
    elif rows:
        content = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    else:
        content = columns
    return json.dumps({"predictions" if rows else "outputs": content}, ensure_ascii=False).encode("utf-8", "replace")


def _plain(name, array):
    if array.dtype != object:
        return array.tolist()
    return _each(array.tolist(), _encoded if name.endswith("_bytes") else _decoded)


def _each(value, function):
    return [_each(part, function) for part in value] if isinstance(value, list) else function(value)


def _encoded(value):
    return {"b64": base64.b64encode(value).decode()}


def _decoded(value):
    return value.decode("utf-8", "replace")
