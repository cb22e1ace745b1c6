"""Runs the application."""

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Iterator
from os import PathLike
from typing import Any

import uvicorn

from mmkeras.serve.app import application

log = logging.getLogger("mmkeras.serve")


def serve(folder: str | PathLike[str], *, port: int = 8501, host: str = "127.0.0.1", **limits: Any) -> None:
    """Serves every NAME/VERSION below a folder by TF Serving's REST protocol, until Ctrl-C or SIGTERM.

    Nothing listens before every version has answered its own example request. Versions that are added are picked up,
    and removing the highest one is a rollback. It is meant for tests, demos and small services: one process, with
    requests that arrive together answered together. For fleets use TF Serving itself, which loads the same folders.

    Args:
        folder: that holds NAME/VERSION/saved_model.pb, such as `saved_models`.
        port: 8501 is TF Serving's; 0 for any free one, which the log names.
        host: address to listen on; "0.0.0.0" lets others in. There is no password and no TLS: put a proxy before it.
        **limits: as of `application`: `newest`, `max_batch`, `max_waiting`, `max_request_bytes`, `poll_seconds`.

    Raises:
        ValueError: as of `application`; or the port or the host is none.
        OSError: the port is taken.
    """
    server, listener = _server(folder, port, host, limits)
    with listener:
        log.info("listening at %s", _url(listener))
        server.run(sockets=[listener])


@contextlib.contextmanager
def running(folder: str | PathLike[str], *, port: int = 0, host: str = "127.0.0.1", **limits: Any) -> Iterator[str]:
    """A context with a server in a thread of this process, for notebooks and tests.

    Args:
        folder, port, host, **limits: as of `serve`.

    Yields:
        The URL, such as "http://127.0.0.1:40123".

    Raises:
        As `serve`.
    """
    server, listener = _server(folder, port, host, limits)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="mmkeras-serve", daemon=True)
    with listener:
        thread.start()
        while not server.started and thread.is_alive():
            time.sleep(0.005)
        try:
            yield _url(listener)
        finally:
            server.should_exit = True
            thread.join()


def _server(folder, port, host, limits):
    listener = _listener(port, host)  # before the models are loaded: a taken port is told at once
    try:
        app = application(folder, **limits)
    except BaseException:
        listener.close()
        raise
    config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="on", timeout_graceful_shutdown=10)
    return uvicorn.Server(config), listener


def _listener(port, host):
    if not 0 <= port <= 65535:
        raise ValueError(
            f"The port must be between 0 and 65535. Received: {port}. Give another one, or 0 for any free."
        )
    # Without the protocol, asyncio does not see that it is TCP and leaves Nagle's algorithm on: 44 ms for each answer.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except socket.gaierror as error:
        listener.close()
        raise ValueError(
            f"The host must be an address of this machine. Received: {host!r}, {error.strerror}. Give '127.0.0.1', or "
            "'0.0.0.0' for the network."
        ) from error
    except OSError as error:
        listener.close()
        raise OSError(
            error.errno, f"The port must be free. Received: {host}:{port}, {error.strerror}. Give another port, or 0."
        ) from error
    return listener


def _url(listener):
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
