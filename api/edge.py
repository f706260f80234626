"""What is the same for every request, before any route is looked up.

Each request has an id, taken from `X-Request-ID` when that is a sane one; HEAD is GET without the
body (which the server leaves out); each answer is hardened, and tells where its client stands with
the limits, and when the connection ends; and each that is our fault is logged.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from itertools import count
from secrets import token_hex
from typing import cast

import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Method, Receive, Scope, Send

from api.clients import Clients
from api.headers import Header, hardening

_SANE_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")

OPTIONS = "OPTIONS of any"
"""What OPTIONS is routed as. No route has this method, so the router tells which it does have;
Litestar's own answer forgets those that were registered after the first."""

_ROUTED_AS = {"HEAD": "GET", "OPTIONS": OPTIONS}

_WITH_ALLOW = {204, 405}
"""Statuses of answers that name the methods there are."""

_LAST_ANSWER: tuple[Header, ...] = ((b"connection", b"close"),)
"""For who keeps a connection to a process that is about to end."""

log = structlog.get_logger()

_PROCESS = token_hex(8).encode()
_count = count(1)


def edge(app: ASGIApp, clients: Clients, is_ending: Callable[[], bool]) -> ASGIApp:
    """The application, with the edge around it."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await app(scope, receive, send)
            return
        method = scope["method"]
        scope["method"] = cast("Method", _ROUTED_AS.get(method, method))
        id = _id_of(scope["headers"])
        state = scope.setdefault("state", {})
        state["request_id"] = id.decode()

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                status, headers = message["status"], list(message["headers"])
                if status in _WITH_ALLOW:
                    headers = _allowing_head(headers)
                message["headers"] = [
                    *headers,
                    (b"x-request-id", id),
                    *state.get("limit_headers", ()),
                    *hardening(status, headers, https=clients.came_by_https(scope)),
                    *(_LAST_ANSWER if is_ending() else ()),
                ]
                if status >= 500:
                    path, request_id = scope["path"], id.decode()
                    log.error("answered", status=status, path=path, request_id=request_id)
            await send(message)

        await app(scope, receive, send_with_id)

    return answer


def _id_of(headers: Iterable[Header]) -> bytes:
    for name, value in headers:
        if name == b"x-request-id" and _SANE_ID.fullmatch(value):
            return value
    return b"%s-%x" % (_PROCESS, next(_count))


def _allowing_head(headers: Iterable[Header]) -> list[Header]:
    """Where GET is allowed so is HEAD."""
    return [(name, _with_head(value) if name == b"allow" else value) for name, value in headers]


def _with_head(allowed: bytes) -> bytes:
    methods = {method.strip() for method in allowed.split(b",")}
    return b", ".join(sorted(methods | {b"HEAD"} if b"GET" in methods else methods))
