from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from os import PathLike
from typing import Any

from mmkeras.client.errors import RequestError, ServerError
from mmkeras.client.rest import Rest
from mmkeras.client.tls import check_ca_file
from mmkeras.client.values import Inputs
from mmkeras.formats.status import REFUSED, STATUS, status_of, why_refused

# How `mmkeras serve` names the example that it refuses.
_NUMBER = re.compile(r"(?:example |instances\[)(\d+)\]?[:, ]")
_OF_A_ROW = (400, 413, 422)


class Client:
    """Asks one model of a server: rows in, a list of answers out.

    Prefer `edge.Model` on a device that has the LiteRT file, and `Predictor` where the model itself is at hand. The
    answers have the form of `edge.Model`, and on_error="skip" that of `Predictor`. It may be called from several
    threads. Connections are kept; leave the `with` block, or call `close`, to end them.

    Args:
        url: of the server's REST port, such as "http://localhost:8501"; https and a path in it are allowed. Or of its
            gRPC port, "grpc://localhost:8500", or grpcs for TLS, which needs `pip install "mmkeras[grpc]"`: answers are
            the same, but that strings whose name ends in `_bytes` are bytes instead of `{"b64": ...}`.
        model: name of the served model.
        version: its number; None for the newest one.
        label: of a version, such as "stable", instead of its number.
        signature: of the SavedModel.
        timeout: seconds to wait for a connection, and for each answer.
        retries: how often a request is repeated, after longer and longer waits, where the server is full (503, whose
            Retry-After is kept to) or a connection breaks before its answer.
        headers: dict, sent with each request, such as an Authorization that a proxy asks for.
        ca_file: path of a PEM file with the certificates to trust, such as that of a certificate authority of your own,
            for https and grpcs. None trusts the authorities of the system, or for grpcs those that grpcio brings.

    Raises:
        ValueError: `url` is no URL, or another argument is out of range.
        ImportError: `url` is of gRPC, and the packages for it are missing.

    Source: TensorFlow Serving, "RESTful API" and `prediction_service.proto`.
    """

    def __init__(
        self,
        url: str,
        model: str,
        *,
        version: int | None = None,
        label: str | None = None,
        signature: str = "serving_default",
        timeout: float = 60.0,
        retries: int = 5,
        headers: Mapping[str, str] | None = None,
        ca_file: str | PathLike[str] | None = None,
    ) -> None:
        _check_number("timeout", timeout, timeout > 0, "above 0")
        _check_number("retries", retries, retries >= 0 and retries == int(retries), "a whole number from 0 on")
        if version is not None and label is not None:
            raise ValueError(
                f"Give a version or a label. Received: version={version!r} and label={label!r}. Leave one out."
            )
        check_ca_file(ca_file, url)
        self._server = _protocol(url)(url, model, version, label, timeout, retries, headers, ca_file)
        self._signature, self._inputs = signature, None

    def predict(
        self,
        rows: Mapping[str, Any] | Iterable[Mapping[str, Any]],
        *,
        batch_size: int = 32,
        on_error: str = "raise",
    ) -> list[dict[str, Any]]:
        """An answer for each row, in the same order.

        Args:
            rows: dicts by input name, or a single one. A value is a str, bytes, a `pathlib.Path` whose file is read, a
                number, or an array or nested list of them. None, NaN or no value at all is absent; the server refuses
                it where the input is required. Of a SavedModel that is not of mmkeras, every input is required.
            batch_size: rows of a request; fewer, where the server finds a request too large.
            on_error: "raise"; or "skip": a row that cannot be used keeps its place, with `{"status": "refused: CAUSE"}`
                as its answer; the "status" of the others is "".

        Returns:
            List of dicts: for a head of classes `{name: str, name_scores: [float], name_classes: [str]}` (of several
            classes at once without the first), for a regression `{name: float}`. Of another SavedModel, a value for
            each of its outputs. Of an export with `on_error="absent"`, a "status" that begins with "absent: " says
            which optional input was broken, and answered as if it were missing.

        Raises:
            RequestError: a row cannot be used, whose number is in `row`; or there is no such model. It is a ValueError.
            ServerError: the server cannot be reached, or failed. It is a ConnectionError.
            ValueError: an argument is out of range.
        """
        _check_number(
            "batch_size", batch_size, batch_size >= 1 and batch_size == int(batch_size), "a whole number above 0"
        )
        if on_error not in ("raise", "skip"):
            raise ValueError(f"on_error must be 'raise' or 'skip'. Received: {on_error!r}.")
        rows = [rows] if isinstance(rows, Mapping) else list(rows)
        inputs = self._known()
        try:
            answers = self._answers(rows, inputs, batch_size, on_error == "skip")
        except RequestError:
            self._inputs = None  # asked for again by the next call: another version may have come
            raise
        if any(answer.keys() == {STATUS} for answer in answers):
            self._inputs = None
        return answers

    def metadata(self) -> dict[str, Any]:
        """The signatures of the model, as TF Serving's `/metadata` has them."""
        return self._server.metadata()

    def status(self) -> dict[int, str]:
        """Dict, version -> its state: "AVAILABLE" where it answers, "LOADING", "END", ...

        Raises:
            RequestError: there is no such model.
            ServerError: the server cannot be reached.
        """
        return self._server.states()

    def close(self) -> None:
        """Closes the kept connections; the client may be used again."""
        self._server.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _known(self):
        inputs = self._inputs
        if inputs is None:
            signatures = self.metadata()["metadata"]["signature_def"]["signature_def"]
            inputs = self._inputs = Inputs(signatures, self._signature, self._server.of_bytes)
        return inputs

    def _answers(self, rows, inputs, batch_size, skip):
        if not skip:  # names first, before anything is asked
            for number, row in enumerate(rows):
                _of_row(number, inputs.check, row)
        parts = [(start, rows[start : start + batch_size]) for start in range(0, len(rows), batch_size)]
        return [answer for start, part in parts for answer in self._part(part, start, inputs, skip)]

    def _part(self, rows, start, inputs, skip):
        """Answers of the rows of one request."""
        good, encoded, answers = [], [], [None] * len(rows)
        for number, row in enumerate(rows):
            try:
                encoded.append(_of_row(start + number, _encoded, inputs, row))
                good.append(number)
            except RequestError as error:
                if not skip:
                    raise
                answers[number] = _refused(error.cause)
        found = self._settled(encoded, [start + number for number in good], inputs, skip)
        for number, answer in zip(good, found, strict=True):
            answers[number] = answer if not skip else {**answer, STATUS: answer.get(STATUS, "")}
        return answers

    def _settled(self, encoded, numbers, inputs, skip):
        """Answers in order; a request that is refused is cut into smaller ones, until the refused rows are alone."""
        try:
            answers = self._asked(encoded, inputs) if encoded else []
        except RequestError as error:
            if error.status not in _OF_A_ROW:
                raise
            if len(encoded) == 1:
                if not skip:
                    raise RequestError(error.cause, row=numbers[0], status=error.status) from None
                return [_refused(error.cause)]
            cuts = _cuts(error, len(encoded))
        else:
            return [_checked(*each, skip) for each in zip(answers, numbers, strict=True)]
        parts = [slice(*cut) for cut in zip([0, *cuts], [*cuts, len(encoded)], strict=True)]
        return [answer for part in parts for answer in self._settled(encoded[part], numbers[part], inputs, skip)]

    def _asked(self, encoded, inputs):
        answers = self._server.answers(self._signature, inputs, encoded)
        if not isinstance(answers, list) or len(answers) != len(encoded):
            count = len(answers) if isinstance(answers, list) else type(answers).__name__
            raise ServerError(f"The model must give an answer for each row. Received: {count} for {len(encoded)} rows.")
        return answers


def _protocol(url):
    """The class that asks by the protocol of a URL."""
    if not str(url).startswith(("grpc:", "grpcs:")):
        return Rest
    from mmkeras.client.rpc import Rpc  # needs an extra

    return Rpc


def _refused(cause):
    return {STATUS: status_of(REFUSED, [cause])}


def _checked(answer, number, skip):
    """The answer to one row, which the model itself may have refused."""
    status = answer.get(STATUS)
    cause = why_refused(status)
    if cause and not skip:
        raise RequestError(cause, row=number)
    return {STATUS: status} if cause else answer


def _cuts(error, count):
    """Where to cut a request that is refused: around the row that the server names, or in the middle."""
    named = _NUMBER.match(error.cause)
    number = int(named[1]) if named else count
    return [number, number + 1] if number < count else [count // 2]


def _encoded(inputs, row):
    inputs.check(row)
    return inputs.encoded(row)


def _of_row(number, function, *args):
    """What a function of a row returns; its errors name the row."""
    try:
        return function(*args)
    except (ValueError, OSError) as error:
        raise RequestError(str(error), row=number) from error


def _check_number(name, value, ok, rule):
    if not ok:
        raise ValueError(f"{name} must be {rule}. Received: {value!r}. Give such a number.")
