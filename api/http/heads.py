"""Bounds on the head of a request, below those of the HTTP server, which answers without a body."""

from __future__ import annotations

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from api.http.problems import answer_problem
from api.http.requests import HeadersTooLarge, Request, UriTooLong

LONGEST_URI = 32 * 1024
"""Bytes of path and query."""

LARGEST_HEADERS = 32 * 1024
"""Bytes of the names and values of all header fields."""


def bounded(app: ASGIApp) -> ASGIApp:
    """The application, for requests with a head of a usual size."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP and (error := _too_large(scope)):
            request = Request(scope, receive, send)
            response = answer_problem(request, error).to_asgi_response(None, request)
            await response(scope, receive, send)
        else:
            await app(scope, receive, send)

    return answer


def _too_large(scope: Scope) -> Exception | None:
    if len(scope["raw_path"]) + len(scope["query_string"]) > LONGEST_URI:
        return UriTooLong()
    if sum(len(name) + len(value) for name, value in scope["headers"]) > LARGEST_HEADERS:
        return HeadersTooLarge()
    return None
