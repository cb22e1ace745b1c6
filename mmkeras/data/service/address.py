"""Addresses of servers, and whether they answer."""

import math
from urllib.parse import urlsplit

_ASKED = "/tensorflow.data.DispatcherService/GetVersion"
START = 40.0  # seconds in which a server may start: it imports TensorFlow meanwhile
ANSWER = 20.0  # seconds that one which has answered before may take
_START_ONE = "Start one there with: python -m mmkeras.data.service --host HOST --port PORT"


class Unanswered(ConnectionError):
    """The error of a server that does not answer.

    Attributes:
        address: grpc://HOST:PORT.
    """

    def __init__(self, address, cause):
        super().__init__(
            f"service= needs servers that answer. Received: '{address}', which does not: {cause}. {_START_ONE}, and "
            "see that this machine reaches its ports."
        )
        self.address = address


def check_addresses(service):
    """`service` of `train_batches` as a tuple of addresses; () for None.

    Raises:
        ValueError: one is not grpc://HOST:PORT, or occurs twice.
    """
    found = (service,) if isinstance(service, str) else tuple(service or ())
    if not all(map(_is_address, found)) or len(set(found)) < len(found):
        raise ValueError(
            f"service must be 'grpc://HOST:PORT', or a list of different ones. Received: {service!r}. {_START_ONE}."
        )
    return found


def _is_address(address):
    try:
        parts = urlsplit(address)
        return parts.scheme == "grpc" and bool(parts.hostname and parts.port) and not parts.path
    except (TypeError, ValueError, AttributeError):  # not a text; or the port is no number
        return False


def check_answers(address, seconds, *, wait=False):
    """Raises `Unanswered` unless a tf.data service answers.

    Args:
        address: grpc://HOST:PORT.
        seconds: how long that may take.
        wait: whether to wait as long for it to start, too.
    """
    import grpc  # which TensorFlow requires

    with grpc.insecure_channel(urlsplit(address).netloc) as channel:
        try:
            channel.unary_unary(_ASKED)(b"", timeout=seconds, wait_for_ready=wait)
        except grpc.RpcError as error:
            within = f" within {math.ceil(seconds)} s" if error.code() == grpc.StatusCode.DEADLINE_EXCEEDED else ""
            raise Unanswered(address, f"{error.details()}{within}") from error
