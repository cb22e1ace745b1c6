"""Lets the workers of a cluster find each other before TensorFlow starts, which would wait forever for missing ones."""

import json
import socket
import threading
import time

PATIENCE = 50.0  # seconds


def meet(addresses, worker, versions, patience=PATIENCE):
    """Waits until every worker has seen every other one, on the addresses that TensorFlow will use afterwards.

    Args:
        addresses: HOST:PORT of each worker.
        worker: which of them this process is.
        versions: dict, name -> version; must be equal on all workers.
        patience: seconds to wait for the others.

    Raises:
        OSError: the port of this worker is taken.
        TimeoutError: a worker did not come; the message names all that did not.
        RuntimeError: a worker has other versions.
    """
    hello = json.dumps({"addresses": list(addresses), "worker": worker, "versions": versions}).encode()
    others = [i for i in range(len(addresses)) if i != worker]
    end = time.monotonic() + patience
    with _listening(addresses[worker], worker) as server:
        seen, told, over = set(), {}, threading.Event()
        answering = threading.Thread(target=_answer, args=(server, hello, seen, over), daemon=True)
        answering.start()
        while time.monotonic() < end and (len(told) < len(others) or len(seen) < len(others)):
            for i in others:
                if i not in told:
                    told |= _asked(addresses[i], i, worker)
            time.sleep(0.05)
        over.set()
        answering.join()  # release the port before TensorFlow binds it
    missing = [f"{i} ({addresses[i]})" for i in others if i not in told or i not in seen]
    _check(told, worker, list(addresses), versions)
    if missing:
        raise TimeoutError(
            f"All workers of TF_CONFIG must start within {patience:g} seconds of each other, and reach each other. "
            f"Missing: {', '.join(missing)}. Received: worker {worker} ({addresses[worker]}) waits alone for them. "
            "Start them, or look whether their addresses and a firewall let them be reached."
        )


def _listening(address, worker):
    port = address.rpartition(":")[2]
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        server.bind(("", int(port)))
        server.listen(128)
    except OSError as error:
        server.close()
        raise OSError(
            f"The port of a worker must be free. Received: worker {worker} at {address}, and {error.strerror}. Does "
            "another program, or an earlier run, use it? End that one, or give another port in TF_CONFIG."
        ) from error
    server.settimeout(0.1)
    return server


def _answer(server, hello, seen, over):
    """Sends `hello` to every worker that connects, until `over` is set."""
    while not over.is_set():
        try:
            connection, _ = server.accept()
        except OSError:  # usually a timeout because no worker connected
            continue
        with connection:
            connection.settimeout(2.0)
            try:
                asker = int(_received(connection))
                connection.sendall(hello + b"\n")
                seen.add(asker)
            except (OSError, ValueError):
                continue


def _asked(address, number, worker):
    """{number: that worker's hello}, or {} if it does not answer yet."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=2.0) as connection:
            connection.sendall(f"{worker}\n".encode())
            return {number: json.loads(_received(connection))}
    except (OSError, ValueError):
        return {}


def _received(connection):
    data = b""
    while not data.endswith(b"\n"):
        more = connection.recv(65536)
        if not more:
            raise ConnectionError
        data += more
    return data


def _check(told, worker, addresses, versions):
    for number, other in sorted(told.items()):
        if other["addresses"] != addresses or other["worker"] != number:
            raise RuntimeError(
                f"All workers need the same cluster in TF_CONFIG. Received: worker {worker} has {addresses}, the one "
                f"at {addresses[number]} is worker {other['worker']} of {other['addresses']}."
            )
        different = {name: version for name, version in other["versions"].items() if version != versions.get(name)}
        if different:
            here = {name: versions.get(name) for name in different}
            raise RuntimeError(
                f"All workers need the same versions. Received: worker {worker} has {here}, worker {number} "
                f"({addresses[number]}) has {different}. Install the same ones everywhere, and run the same script."
            )
