"""Serves metrics over HTTP on a separate port, for roles that serve nothing else.

Any client that reaches the port may connect. So requests have a timeout, the number of connections
is limited, and the metrics are collected at most once a second.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterable
from hmac import compare_digest
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer
from wsgiref.types import StartResponse, WSGIEnvironment

from prometheus_client import CONTENT_TYPE_LATEST

REQUEST_TIMEOUT = 5.0
"""Seconds for the next bytes of a request."""

MAX_CONNECTIONS = 16
"""A further connection closes the oldest one."""

CACHE_TIME = 1.0
"""Seconds for which collected metrics are served again."""


def serve(text: Callable[[], bytes], address: str, port: int, token: str | None) -> None:
    """Serve `text` until the process ends. Requests must have the token, if it is given. Raises
    OSError."""
    server = _server_at(address, port)
    server.set_app(_application(text, token))
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()


def _application(
    text: Callable[[], bytes], token: str | None
) -> Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]:
    collecting = threading.Lock()
    cached, valid_until = b"", 0.0

    def application(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        nonlocal cached, valid_until
        given = environ.get("HTTP_AUTHORIZATION", "")
        if token is not None and not compare_digest(given.encode(), f"Bearer {token}".encode()):
            start("401 Unauthorized", [("WWW-Authenticate", "Bearer"), ("Content-Length", "0")])
            return []
        with collecting:
            if time.monotonic() >= valid_until:
                cached, valid_until = text(), time.monotonic() + CACHE_TIME
        start("200 OK", [("Content-Type", CONTENT_TYPE_LATEST)])
        return [cached]

    return application


class _Handler(WSGIRequestHandler):
    timeout = REQUEST_TIMEOUT

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the library's name
        """Scrapes are not logged."""


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def server_activate(self) -> None:
        self._open: list[Any] = []
        super().server_activate()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.append(request)
        for oldest in self._open[:-MAX_CONNECTIONS]:
            _end(oldest)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.remove(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignored: the client has disconnected, or was too slow."""


def _end(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # closed already


def _server_at(address: str, port: int) -> _Server:
    family, _, _, _, found = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
    server_class = type("_Server", (_Server,), {"address_family": family})
    server: _Server = server_class((found[0], port), _Handler)
    return server
