"""What a request can fail with."""


class RequestError(ValueError):
    """The server refused a request, or a row cannot be sent.

    Attributes:
        cause: the server's message, or what is wrong with the row.
        row: number of the row, from 0; None where it is not about one.
        status: HTTP status; None where nothing was sent.
    """

    def __init__(self, cause: str, *, row: int | None = None, status: int | None = None) -> None:
        super().__init__(cause if row is None else f"row {row}: {cause}")
        self.cause, self.row, self.status = cause, row, status


class ServerError(ConnectionError):
    """The server could not be reached, did not answer in time, or failed.

    Attributes:
        status: HTTP status; None where there was no answer.
    """

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status
