"""Metrics over HTTP at a port of their own, for roles that serve nothing else.

Anybody who reaches the port may connect: a connection has some seconds, only a few are open at
once, and what they are told is drawn up once a second at most.
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

PATIENCE = 5.0
"""Seconds for the next bytes of a request."""

AT_ONCE = 16
"""Connections; one more ends the oldest."""

KEPT = 1.0
"""Seconds for which a text is told again."""


def serve(text: Callable[[], bytes], address: str, port: int, token: str | None) -> None:
    """Until the process ends, to who sends the token if there is one. Raises OSError."""
    server = _server_at(address, port)
    server.set_app(_application(text, token))
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()


def _application(
    text: Callable[[], bytes], token: str | None
) -> Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]:
    drawing_up = threading.Lock()
    kept, good_until = b"", 0.0

    def application(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        nonlocal kept, good_until
        given = environ.get("HTTP_AUTHORIZATION", "")
        if token is not None and not compare_digest(given.encode(), f"Bearer {token}".encode()):
            start("401 Unauthorized", [("WWW-Authenticate", "Bearer"), ("Content-Length", "0")])
            return []
        with drawing_up:
            if time.monotonic() >= good_until:
                kept, good_until = text(), time.monotonic() + KEPT
        start("200 OK", [("Content-Type", CONTENT_TYPE_LATEST)])
        return [kept]

    return application


class _Handler(WSGIRequestHandler):
    timeout = PATIENCE

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the library's name
        """A scrape is not worth a line."""


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def server_activate(self) -> None:
        self._open: list[Any] = []
        super().server_activate()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.append(request)
        for oldest in self._open[:-AT_ONCE]:
            _end(oldest)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.remove(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """It is the client's: it has gone, or was too slow."""


def _end(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it has ended by itself


def _server_at(address: str, port: int) -> _Server:
    family, _, _, _, place = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
    server_class = type("_Server", (_Server,), {"address_family": family})
    server: _Server = server_class((place[0], port), _Handler)
    return server
