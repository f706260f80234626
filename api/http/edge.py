"""Work that is the same for every request, before routing.

Each request gets an id, from a valid `X-Request-ID` or from `traceparent`, else a new one. HEAD is
handled as GET; the server leaves out the body. Each response gets security headers, the client's
rate limits, and `Connection: close` if the connection ends; it is counted and logged
(`api.http.access_log`). After the response the rest of the request is read (`api.http.body_drain`);
until then its connection is in flight (`api.http.connection_limits`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from itertools import count
from secrets import token_hex
from time import perf_counter
from typing import cast

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Method, Receive, Scope, Send

from api.http.access_log import answered
from api.http.body_drain import Incoming
from api.http.body_limits import BodyLimits
from api.http.clients import Clients
from api.http.connection_limits import Peer
from api.http.headers import Header, hardening
from runtime.logging import correlation_id
from runtime.tracing import parse_traceparent

_VALID_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")

OPTIONS = "OPTIONS of any"
"""The method that OPTIONS is routed as. No route has it, so the router's error names the methods of
the route. Litestar's own response to OPTIONS lacks those that were registered later."""

_ROUTED_AS = {"HEAD": "GET", "OPTIONS": OPTIONS}

_WITH_ALLOW = {204, 405}
"""Statuses of responses that name the allowed methods."""

_LAST_ANSWER: tuple[Header, ...] = ((b"connection", b"close"),)
"""For a request whose rest is not read, and for all requests once the process has to end."""

_TOO_LARGE = 413

_PROCESS = token_hex(8).encode()
_count = count(1)


def edge(
    app: ASGIApp, clients: Clients, is_ending: Callable[[], bool], in_flight: set[Peer | None]
) -> ASGIApp:
    """The application with this work around it."""
    limits = BodyLimits(clients, is_ending)

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await app(scope, receive, send)
            return
        arrived = perf_counter()
        method = scope["method"]
        scope["method"] = cast("Method", _ROUTED_AS.get(method, method))
        id, caller_id = _ids_of(scope["headers"])
        state = scope.setdefault("state", {})
        state["request_id"] = request_id = id.decode()
        correlation_id.set(request_id)
        incoming = Incoming(receive, scope, limits)
        peer = cast("Peer | None", scope["client"])
        status = 0

        def is_last(status: int) -> bool:
            return status == _TOO_LARGE or incoming.is_given_up or is_ending()

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status, headers = message["status"], list(message["headers"])
                if status in _WITH_ALLOW:
                    headers = _allowing_head(headers)
                message["headers"] = [
                    *headers,
                    (b"x-request-id", id),
                    *state.get("limit_headers", ()),
                    *hardening(status, headers, https=clients.came_by_https(scope)),
                    *(_LAST_ANSWER if is_last(status) else ()),
                ]
            await send(message)

        in_flight.add(peer)
        try:
            await app(scope, incoming, send_with_id)
            answered(scope, method, status, arrived, request_id, caller_id)
            await incoming.discard_rest()
        finally:
            in_flight.discard(peer)
            incoming.close()

    return answer


def _ids_of(headers: Iterable[Header]) -> tuple[bytes, int | None]:
    """The request's id, and the id of the caller's span if `traceparent` has one."""
    caller = None
    for name, value in headers:
        if name == b"x-request-id" and _VALID_ID.fullmatch(value):
            return value, None
        if name == b"traceparent":
            caller = parse_traceparent(value)
    return caller or (b"%s-%x" % (_PROCESS, next(_count)), None)


def _allowing_head(headers: Iterable[Header]) -> list[Header]:
    """The headers, with HEAD allowed where GET is."""
    return [(name, _with_head(value) if name == b"allow" else value) for name, value in headers]


def _with_head(allowed: bytes) -> bytes:
    methods = {method.strip() for method in allowed.split(b",")}
    return b", ".join(sorted(methods | {b"HEAD"} if b"GET" in methods else methods))
