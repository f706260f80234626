"""`CORS_ORIGINS`: the origins whose pages may call this API and read its responses.

Without credentials: a page sends a bearer token, never cookies.
"""

from __future__ import annotations

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from api.http.edge import OPTIONS
from api.http.headers import Header

_SENDABLE = (
    b"Authorization",
    b"Content-Type",
    b"Idempotency-Key",
    b"If-Match",
    b"If-None-Match",
    b"Min-Event-Position",
    b"X-Request-ID",
)

_PREFLIGHT: tuple[Header, ...] = (
    (b"access-control-allow-methods", b"GET, HEAD, POST, PUT, PATCH, DELETE"),
    (b"access-control-allow-headers", b", ".join(_SENDABLE)),
    (b"access-control-max-age", b"600"),
)

_REQUEST_METHOD = b"access-control-request-method"

_READABLE = (
    b"Event-Position",
    b"ETag",
    b"Idempotent-Replayed",
    b"Location",
    b"Retry-After",
    b"X-Request-ID",
    b"X-RateLimit-Limit",
    b"X-RateLimit-Remaining",
    b"X-RateLimit-Reset",
    b"RateLimit",
    b"RateLimit-Policy",
)

_EXPOSED: Header = (b"access-control-expose-headers", b", ".join(_READABLE))


def for_origins(app: ASGIApp, origins: tuple[str, ...]) -> ASGIApp:
    """The application with CORS for these origins, `*` for any; unchanged without an origin."""
    if not origins:
        return app
    allowed = {origin.lower().encode() for origin in origins}

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await app(scope, receive, send)
            return
        sent = dict(scope["headers"])
        granted = _granted(sent.get(b"origin"), allowed)

        async def send_granted(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *granted, _EXPOSED]
            await send(message)

        if scope["method"] == OPTIONS and _REQUEST_METHOD in sent:
            headers = [*granted, *_PREFLIGHT]
            await send({"type": "http.response.start", "status": 204, "headers": headers})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        else:
            await app(scope, receive, send_granted)

    return answer


def _granted(origin: bytes | None, allowed: set[bytes]) -> tuple[Header, ...]:
    """With `Vary: Origin`, so that caches keep responses to different origins apart."""
    if b"*" in allowed:
        return ((b"access-control-allow-origin", b"*"),)
    if origin is not None and origin.lower() in allowed:
        return ((b"vary", b"Origin"), (b"access-control-allow-origin", origin))
    return ((b"vary", b"Origin"),)
