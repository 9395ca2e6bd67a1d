"""Ask a running peerup-vpn daemon: standard library only.

    import peerup

    for peer in peerup.Client().peers():
        print(peer["id"], peer.get("name", ""))
"""

from .client import Client, Event
from .errors import (
    ApiError,
    BadRequest,
    DaemonNotRunning,
    NotFound,
    NotOurDaemon,
    PeerupError,
    Unauthorized,
    Unreachable,
)

__all__ = [
    "ApiError",
    "BadRequest",
    "Client",
    "DaemonNotRunning",
    "Event",
    "NotFound",
    "NotOurDaemon",
    "PeerupError",
    "Unauthorized",
    "Unreachable",
]
