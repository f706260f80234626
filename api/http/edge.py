"""What is the same for every request, before any route is looked up.

Each request has an id, taken from `X-Request-ID` when that is a sane one, or else from
`traceparent`. HEAD is GET without the body (which the server leaves out). Each answer is hardened,
says how many calls its client has left and when the connection ends, and is counted and logged
(`api.http.access_log`). The rest of its request is read after it (`api.http.body_drain`); until
then its connection is in flight (`api.http.connection_limits`).
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

_SANE_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")

OPTIONS = "OPTIONS of any"
"""What OPTIONS is routed as. No route has this method, so the router tells which it does have;
Litestar's own answer forgets those that were registered after the first."""

_ROUTED_AS = {"HEAD": "GET", "OPTIONS": OPTIONS}

_WITH_ALLOW = {204, 405}
"""Statuses of answers that name the methods there are."""

_LAST_ANSWER: tuple[Header, ...] = ((b"connection", b"close"),)
"""To a request whose rest is not waited for, and to all once the process is about to end."""

_TOO_LARGE = 413

_PROCESS = token_hex(8).encode()
_count = count(1)


def edge(
    app: ASGIApp, clients: Clients, is_ending: Callable[[], bool], in_flight: set[Peer | None]
) -> ASGIApp:
    """The application, with the edge around it."""
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
    """The request's, and that of the span which it is part of elsewhere, if it says so."""
    caller = None
    for name, value in headers:
        if name == b"x-request-id" and _SANE_ID.fullmatch(value):
            return value, None
        if name == b"traceparent":
            caller = parse_traceparent(value)
    return caller or (b"%s-%x" % (_PROCESS, next(_count)), None)


def _allowing_head(headers: Iterable[Header]) -> list[Header]:
    """Where GET is allowed so is HEAD."""
    return [(name, _with_head(value) if name == b"allow" else value) for name, value in headers]


def _with_head(allowed: bytes) -> bytes:
    methods = {method.strip() for method in allowed.split(b",")}
    return b", ".join(sorted(methods | {b"HEAD"} if b"GET" in methods else methods))
