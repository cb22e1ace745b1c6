"""What answers say of an example that cannot be used; the same words in exports, on devices, of clients and tables."""

from collections.abc import Sequence

STATUS = "status"  # name of the answer, or column: "" where all is well
REFUSED, ABSENT = "refused", "absent"  # how a status begins: no answer; or answered as if the modality were missing
ON_ERROR = ("raise", "skip", "absent")


def status_of(kind: str, causes: Sequence[str]) -> str:
    """The status of an example with these faults; "" without any.

    >>> status_of(REFUSED, ["photo: the file is cut off."])
    'refused: photo: the file is cut off.'
    """
    return f"{kind}: {'; '.join(causes)}" if causes else ""


def why_refused(status: str | bytes | None) -> str | None:
    """The cause in the status of an example that was refused; None where it was answered.

    >>> why_refused(b"refused: photo: the file is cut off."), why_refused("absent: photo: the file is cut off.")
    ('photo: the file is cut off.', None)
    """
    if not isinstance(status, str | bytes):
        return None
    status = status.decode("utf-8", "replace") if isinstance(status, bytes) else status
    kind, _, cause = status.partition(": ")
    return cause if kind == REFUSED else None


def check_on_error(on_error: str) -> None:
    """Raises ValueError unless it is one of `ON_ERROR`."""
    if on_error not in ON_ERROR:
        raise ValueError(
            f"on_error is {', '.join(map(repr, ON_ERROR[:-1]))} or {ON_ERROR[-1]!r}. Received: {on_error!r}."
        )


def check_free(names: Sequence[str], on_error: str) -> None:
    """Raises ValueError if an answer of a model is called "status", where `on_error` adds one."""
    if on_error != "raise" and STATUS in names:
        raise ValueError(
            f"on_error={on_error!r} adds an answer '{STATUS}'. Received: an answer of that name. Rename the head, or "
            "use on_error='raise'."
        )
