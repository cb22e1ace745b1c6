"""JSON over HTTP, with connections that are kept and requests that are repeated."""

import email.utils
import functools
import http.client
import json
import random
import socket
import ssl
import time
from urllib.parse import urlsplit

from mmkeras.client.errors import RequestError, ServerError
from mmkeras.client.tls import REMEDY, context_of

_BUSY = (429, 502, 503, 504)  # a full server, or a proxy before one that starts
FIRST_WAIT, LONGEST_WAIT = 0.1, 5.0  # seconds


class Connection:
    """Asks one server. May be used by several threads: each request has a connection to itself.

    Args:
        url: such as "http://localhost:8501"; a path in it is put before that of each request.
        timeout: seconds to wait for a connection, and for an answer.
        retries: how often a request is repeated where the server is full, or a connection breaks before the answer.
        headers: dict, sent with each request.
        ca_file: of the certificates to trust; None for those of the system.

    Raises:
        ValueError: it is no URL, or `ca_file` no PEM file.
    """

    def __init__(self, url, timeout, retries, headers, ca_file):
        parts = urlsplit(url if isinstance(url, str) else "")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"url must be that of a server. Received: {url!r}. Write 'http://localhost:8501'.")
        self.url, self._host, self._path = url.rstrip("/"), parts.netloc.rpartition("@")[2], parts.path.rstrip("/")
        self._open = http.client.HTTPConnection
        if parts.scheme == "https":
            self._open = functools.partial(http.client.HTTPSConnection, context=context_of(ca_file))
        self._timeout, self._retries, self._headers = timeout, retries, dict(headers or {})
        self._idle = []

    def ask(self, path, content=None):
        """The JSON of an answer.

        Args:
            path: below the URL.
            content: what is sent as JSON by POST; None for GET.

        Raises:
            RequestError: the server refuses it.
            ServerError: there is no answer, or the server failed.
        """
        body = None if content is None else json.dumps(content).encode()
        for attempt in range(self._retries + 1):
            try:
                status, headers, text = self._exchange(path, body)
            except TimeoutError as error:
                raise ServerError(f"{self.url} did not answer within {self._timeout:g} seconds. Received: {error}. "
                                  "Give a longer timeout, or fewer rows at once.") from error  # fmt: skip
            except ssl.SSLCertVerificationError as error:
                rule = f"{self.url} has a certificate that is not trusted"
                raise ServerError(f"{rule}. Received: {error}. {REMEDY}") from error
            except socket.gaierror as error:
                raise ServerError(f"{self.url} cannot be reached. Received: {error}. Correct the URL.") from error
            except (OSError, http.client.HTTPException) as error:
                failure = ServerError(f"{self.url} cannot be reached. Received: {type(error).__name__}, {error}. "
                                      "Is the server running?")  # fmt: skip
                failure.__cause__, wait = error, 0
            else:
                if status not in _BUSY:
                    return _read(status, text)
                failure, wait = ServerError(_message(text), status=status), _seconds(headers.get("Retry-After"))
            if attempt < self._retries:
                backoff = min(FIRST_WAIT * 2**attempt, LONGEST_WAIT) * random.uniform(0.75, 1.25)  # not all at once
                time.sleep(min(max(wait, backoff), self._timeout))
        raise failure

    def close(self):
        while self._idle:
            self._idle.pop().close()

    def _exchange(self, path, body):
        """(status, headers, text) of one request; a kept connection that was closed meanwhile is replaced."""
        while True:
            try:
                connection, kept = self._idle.pop(), True
            except IndexError:
                connection, kept = self._open(self._host, timeout=self._timeout), False
            try:
                response = self._sent(connection, path, body)
                found = response.status, response.headers, response.read()
            except BaseException as error:
                connection.close()
                if kept and isinstance(error, ConnectionError | ssl.SSLError | http.client.BadStatusLine):
                    continue
                raise
            if response.will_close:
                connection.close()
            else:
                self._idle.append(connection)
            return found

    def _sent(self, connection, path, body):
        kind = {} if body is None else {"Content-Type": "application/json"}
        try:
            connection.request("GET" if body is None else "POST", self._path + path, body, kind | self._headers)
        except (BrokenPipeError, ConnectionResetError):
            # A server that is full, or finds a body too large, answers and closes before it has read everything.
            if connection.sock is None:
                raise
        return connection.getresponse()


def _read(status, text):
    """The JSON of an answer; what is no success is raised."""
    if status >= 500:
        raise ServerError(_message(text), status=status)
    if status >= 300:
        raise RequestError(_message(text), status=status)
    try:
        return json.loads(text)
    except ValueError:
        raise ServerError(f"The answer must be JSON. Received: {text[:60]!r}. Is it TF Serving's REST port?") from None


def _message(text):
    """The error that a body tells."""
    try:
        return str(json.loads(text)["error"])
    except (ValueError, TypeError, KeyError):  # a page of a proxy
        return text[:300].decode("utf-8", "replace") or "The server gave no reason."


def _seconds(retry_after):
    """Seconds of a Retry-After: a number or a date; 0 where there is none."""
    try:
        return float(retry_after)
    except (TypeError, ValueError):
        pass
    try:
        return email.utils.parsedate_to_datetime(retry_after).timestamp() - time.time()
    except (TypeError, ValueError, OverflowError):
        return 0
