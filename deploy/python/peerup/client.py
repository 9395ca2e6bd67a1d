"""The client: one method per endpoint of the daemon's API."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
from typing import Any, Dict, Iterator, List, NamedTuple, Optional
from urllib.parse import quote

from .errors import BY_STATUS, ApiError, DaemonNotRunning, NotOurDaemon
from .places import runtime_dir

Json = Dict[str, Any]

ANSWER_MAX = 16 * 1024 * 1024
# What a question may take beyond the time that it needs by itself, such as that of pings.
DEFAULT_TIMEOUT = 120.0


class Event(NamedTuple):
    """Something that happened: `kind` such as "peer_connected", `data` what there is to say."""

    kind: str
    data: Json


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: Optional[float]) -> None:
        super().__init__("daemon", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        # Kept: an answer that ends with its connection takes the socket with it.
        self.unix = self.sock
        self.sock.connect(self._path)


class Client:
    """A running daemon. Nothing is asked before the first call, and every call has a connection
    of its own, so that the daemon may come and go meanwhile.

    Without arguments the daemon is found as the commands of peerup-vpn find it; `config` and
    `instance` are their --config and --instance; `socket_path` and `cookie_path` name the files
    themselves."""

    def __init__(
        self,
        socket_path: Optional[str] = None,
        cookie_path: Optional[str] = None,
        *,
        config: Optional[str] = None,
        instance: Optional[str] = None,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> None:
        folder = os.path.dirname(socket_path) if socket_path else runtime_dir(config, instance)
        self.socket_path = socket_path or os.path.join(folder, "peerup.sock")
        self.cookie_path = cookie_path or os.path.join(folder, ".daemon-cookie")
        self.timeout = timeout
        self._cookie: Optional[str] = None

    # -- what there is

    def status(self) -> Json:
        return self.call("GET", "/v1/status")

    def services(self) -> List[Json]:
        return self.call("GET", "/v1/services")

    def peers(self, all: bool = False) -> List[Json]:
        return self.call("GET", "/v1/peers" + ("?all=true" if all else ""))

    def peer_services(self, peer: str) -> List[Json]:
        return self.call("GET", f"/v1/peers/{quote(peer, safe='')}/services")

    def paths(self) -> List[Json]:
        return self.call("GET", "/v1/paths")

    def why(self, peer: str) -> Json:
        return self.call("GET", f"/v1/why/{quote(peer, safe='')}")

    def vpn(self) -> Json:
        return self.call("GET", "/v1/vpn")

    def metrics(self) -> Json:
        return self.call("GET", "/v1/metrics")

    def resolve(self, name: str) -> Json:
        return self.call("POST", "/v1/resolve", {"name": name})

    # -- who may connect

    def auth(self) -> List[Json]:
        return self.call("GET", "/v1/auth")

    def auth_add(
        self, peer_id: str, comment: str = "", access: str = "services", expires_at: str = ""
    ) -> Json:
        """access: "services" or "network"; expires_at: like "2030-01-31T12:00:00Z", or never."""
        body = {"peer_id": peer_id, "comment": comment, "access": access}
        return self.call("POST", "/v1/auth", body | ({"expires_at": expires_at} if expires_at else {}))

    def auth_remove(self, peer_id: str) -> Json:
        return self.call("DELETE", f"/v1/auth/{quote(peer_id, safe='')}")

    # -- asking peers

    def ping(self, peer: str, count: int = 4, interval_ms: int = 1000) -> Json:
        return self.call(
            "POST",
            "/v1/ping",
            {"peer": peer, "count": count, "interval_ms": interval_ms},
            timeout=self.timeout + count * interval_ms / 1000,
        )

    def traceroute(self, peer: str) -> Json:
        return self.call("POST", "/v1/traceroute", {"peer": peer})

    # -- services of peers, and ours

    def connect(self, peer: str, service: str, listen: str = "127.0.0.1:0") -> Json:
        """A local port that leads to a peer's service: {"id", "listen_address"}."""
        return self.call(
            "POST", "/v1/connect", {"peer": peer, "service": service, "listen": listen}
        )

    def connections(self) -> List[Json]:
        """The ports that connect() opened."""
        return self.call("GET", "/v1/connect")

    def disconnect(self, id: str) -> Json:
        return self.call("DELETE", f"/v1/connect/{quote(id, safe='')}")

    @contextlib.contextmanager
    def proxy(self, peer: str, service: str, listen: str = "127.0.0.1:0") -> Iterator[str]:
        """connect() for the time of a `with`; gives the address to talk to."""
        port = self.connect(peer, service, listen)
        try:
            yield port["listen_address"]
        finally:
            self.disconnect(port["id"])

    def expose(self, name: str, local_address: str) -> Json:
        """Offers a local TCP service to peers until unexpose() or the daemon's end."""
        return self.call("POST", "/v1/expose", {"name": name, "local_address": local_address})

    def unexpose(self, name: str) -> Json:
        return self.call("DELETE", f"/v1/expose/{quote(name, safe='')}")

    # -- the daemon itself

    def reload(self) -> Json:
        return self.call("POST", "/v1/reload")

    def shutdown(self) -> Json:
        return self.call("POST", "/v1/shutdown")

    def events(self, *kinds: str, timeout: Optional[float] = None) -> Iterator[Event]:
        """What happens, as it happens, until the daemon ends; of these kinds, or all. The
        daemon is asked at once, not with the first next(). After `timeout` seconds of
        silence TimeoutError is raised."""
        path = "/v1/events" + ("?kind=" + quote(",".join(kinds), safe=",") if kinds else "")
        connection, response = self._request("GET", path, None, self.timeout)
        connection.unix.settimeout(timeout)
        return self._events(connection, response)

    # -- what is behind all of them

    def call(
        self, method: str, path: str, body: Optional[Json] = None, timeout: Optional[float] = None
    ) -> Any:
        """Any question: the "data" of the answer."""
        raw = self._ask(method, path, body, timeout)
        try:
            return json.loads(raw)["data"]
        except (ValueError, KeyError, TypeError) as problem:
            raise NotOurDaemon(f"an answer without data: {raw[:80]!r}") from problem

    def text(self, method: str, path: str, body: Optional[Json] = None) -> str:
        """The answer's text form, where it has one."""
        path += ("&" if "?" in path else "?") + "format=text"
        return self._ask(method, path, body, None).decode("utf-8", "replace")

    def _ask(
        self, method: str, path: str, body: Optional[Json], timeout: Optional[float]
    ) -> bytes:
        connection, response = self._request(method, path, body, timeout or self.timeout)
        with contextlib.closing(connection), contextlib.closing(response):
            return _read(response)

    def _request(
        self, method: str, path: str, body: Optional[Json], timeout: float
    ) -> tuple[_Connection, http.client.HTTPResponse]:
        """An answer with status 200. The cookie is a new one each time that the daemon
        starts: after a 401 it is read again, once."""
        fresh = self._cookie is None
        while True:
            connection = _Connection(self.socket_path, timeout)
            try:
                response = self._exchange(connection, method, path, body)
                if response.status == 200:
                    return connection, response
                if response.status != 401 or fresh:
                    raise _refusal(response.status, _read(response))
            except BaseException:
                connection.close()
                raise
            connection.close()
            self._cookie = None
            fresh = True

    def _exchange(
        self, connection: _Connection, method: str, path: str, body: Optional[Json]
    ) -> http.client.HTTPResponse:
        try:
            connection.connect()
            if self._cookie is None:
                with open(self.cookie_path, encoding="ascii") as file:
                    self._cookie = file.read().strip()
            headers = {"Authorization": "Bearer " + self._cookie}
            data = None if body is None else json.dumps(body).encode()
            if data is not None:
                headers["Content-Type"] = "application/json"
            connection.request(method, path, data, headers)
            return connection.getresponse()
        except (FileNotFoundError, ConnectionError) as problem:
            raise DaemonNotRunning(f"daemon not running: {self.socket_path}") from problem
        except http.client.HTTPException as problem:
            raise NotOurDaemon(f"an answer that is not HTTP: {problem!r}") from problem

    @staticmethod
    def _events(
        connection: _Connection, response: http.client.HTTPResponse
    ) -> Iterator[Event]:
        kind, lines = "", []
        with contextlib.closing(connection), contextlib.closing(response):
            while True:
                try:
                    raw = response.readline(ANSWER_MAX)
                except (ConnectionError, http.client.HTTPException):
                    return
                if not raw:
                    return
                line = raw.decode("utf-8", "replace").rstrip("\r\n")
                name, _, value = line.partition(":")
                value = value[1:] if value.startswith(" ") else value
                if name == "event":
                    kind = value
                elif name == "data":
                    lines.append(value)
                elif not line:
                    if lines:
                        yield Event(kind, json.loads("\n".join(lines)))
                    kind, lines = "", []


def _read(response: http.client.HTTPResponse) -> bytes:
    try:
        raw = response.read(ANSWER_MAX + 1)
    except http.client.HTTPException as problem:
        raise NotOurDaemon(f"an answer that breaks off: {problem!r}") from problem
    if len(raw) > ANSWER_MAX:
        raise NotOurDaemon("an answer without end")
    return raw


def _refusal(status: int, raw: bytes) -> ApiError:
    try:
        text = json.loads(raw)["error"]
    except (ValueError, KeyError, TypeError):
        text = raw.decode("utf-8", "replace").strip() or f"HTTP {status}"
    return BY_STATUS.get(status, ApiError)(status, str(text))
