"""Checks the head of a request, before routing and before its body is read.

The limits are lower than those of the HTTP server, which would respond without a body.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Any

from litestar import Litestar, Response
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from api.http.bodies import EncodedBody
from api.http.failures import BadRequest, PayloadTooLarge
from api.http.headers import Header
from api.http.requests import BODY_LIMIT, HeadersTooLarge, Request, UriTooLong

MAX_URI = 32 * 1024
"""Bytes of path and query."""

MAX_HEADERS = 32 * 1024
"""Bytes of the names and values of all header fields."""

_ONE_LINE = frozenset({b"authorization", b"content-type", b"host", b"min-event-position"})
"""Fields that may have one line only: of two lines, a proxy might use the other one."""

_HOST = re.compile(rb"(?:[\w.~%!$&'()*+,;=-]+|\[[\da-fA-F:.]+\])(?::\d*)?", re.ASCII)

AnswerFailure = Callable[[Request, Exception], Response[Any]]


def with_checked_heads(app: Litestar, answering: ASGIApp, answer_failure: AnswerFailure) -> ASGIApp:
    """The application, `answering` requests with a valid head; others get a problem."""

    larger = dict(_larger_bodies(app))

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.WEBSOCKET and (error := _what_is_wrong(scope, larger)):
            scope["app"] = scope["litestar_app"] = app
            request = Request(scope, receive, send)
            response = answer_failure(request, error).to_asgi_response(None, request)
            await response(scope, receive, send)
        else:
            await answering(scope, receive, send)

    return answer


def _larger_bodies(app: Litestar) -> Iterator[tuple[re.Pattern[str], int]]:
    """The paths of the routes that declare another limit than `BODY_LIMIT`, and the limits."""
    for route in app.routes:
        for handler in getattr(route, "route_handlers", []):
            if limit := handler.opt.get("body_limit"):
                yield re.compile(re.sub(r"\{\w+\}", "[^/]+", route.path_format) + "/?"), limit


def _what_is_wrong(scope: HTTPScope, larger: Mapping[re.Pattern[str], int]) -> Exception | None:
    if len(scope["raw_path"]) + len(scope["query_string"]) > MAX_URI:
        return UriTooLong()
    lines = list(scope["headers"])
    if sum(map(len, chain.from_iterable(lines))) > MAX_HEADERS:
        return HeadersTooLarge()
    headers = dict(lines)
    if len(headers) < len(lines) and (name := _repeated(lines)):
        return BadRequest(f"The header {name.decode().title()} is there more than once")
    if not (host := headers.get(b"host")):  # the server adds an empty one if there is none
        if scope["http_version"] == "1.1":
            return BadRequest("The header Host is missing")
    elif not _HOST.fullmatch(host):
        return BadRequest("The header Host must be a name or an address, perhaps with a port")
    length = int(headers.get(b"content-length", 0))  # the server refuses other values
    if length > BODY_LIMIT and length > _limit_of(scope["path"], larger):
        return PayloadTooLarge()
    coding = headers.get(b"content-encoding", b"")
    if coding and coding.lower() != b"identity" and scope["method"] != "GET":
        return EncodedBody()
    return None


def _limit_of(path: str, larger: Mapping[re.Pattern[str], int]) -> int:
    return next((limit for paths, limit in larger.items() if paths.fullmatch(path)), BODY_LIMIT)


def _repeated(lines: list[Header]) -> bytes | None:
    names = Counter(name for name, _ in lines)
    return next((name for name in _ONE_LINE if names[name] > 1), None)
