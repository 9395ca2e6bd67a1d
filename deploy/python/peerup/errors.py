"""What can go wrong, by what a caller would do about it."""

from __future__ import annotations


class PeerupError(Exception):
    """Everything that this package raises on purpose."""


class DaemonNotRunning(PeerupError):
    """Nobody answers on the socket, or there is none: start it with `peerup-vpn up`."""


class NotOurDaemon(PeerupError):
    """What answers on the socket does not speak like a peerup-vpn daemon."""


class ApiError(PeerupError):
    """The daemon said no; `status` is the code of HTTP, the text is the daemon's."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class BadRequest(ApiError):
    """400: an argument is missing, wrong, or names nobody."""


class Unauthorized(ApiError):
    """401: the cookie is not the daemon's, although it was read again."""


class NotFound(ApiError):
    """404: no such name, proxy, service or route."""


class Unreachable(ApiError):
    """502: the peer cannot be reached."""


BY_STATUS: dict[int, type[ApiError]] = {
    400: BadRequest,
    401: Unauthorized,
    404: NotFound,
    502: Unreachable,
}
