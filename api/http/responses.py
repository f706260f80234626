"""The body of successful responses, and their headers."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, Generic, TypeVar

import msgspec
from litestar import Response
from litestar.types import ASGIApp, Receive, Scope, Send

from domain.history.codec import to_json

T = TypeVar("T")


class Answer(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    data: T
    meta: dict[str, str] = {}
    errors: tuple[()] = ()


class Pagination(msgspec.Struct, frozen=True, kw_only=True):
    offset: int
    limit: int
    total: int
    next_cursor: str | None = None


class Listing(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    data: list[T]
    pagination: Pagination
    meta: dict[str, str] = {}
    errors: tuple[()] = ()


class Ready(Response[Any]):
    """A response whose body is bytes, sent without Litestar's processing."""

    def to_asgi_response(self, *_: Any, **__: Any) -> ASGIApp:  # type: ignore[override]  # its arguments are not needed
        return self._send

    async def _send(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [
            (b"content-type", str(self.media_type).encode()),
            (b"content-length", b"%d" % len(self.content)),
            *((name.lower().encode(), value.encode()) for name, value in self.headers.items()),
        ]
        await send(
            {"type": "http.response.start", "status": self.status_code or 200, "headers": headers}
        )
        await send({"type": "http.response.body", "body": self.content, "more_body": False})


def json_response(
    content: Any,
    *,
    status_code: int = 200,
    position: int | None = None,
    version: int | None = None,
) -> Response[Any]:
    """The content as JSON. `position` is the position of a command's last event; `version` is the
    version of the aggregate in the content, and the first part of its ETag."""
    body = to_json(content)
    headers = {}
    if position is not None:
        headers["Event-Position"] = str(position)
    if version is not None:
        headers |= tagged(f'"{version}-{blake2b(body, digest_size=6).hexdigest()}"')
    return Ready(body, status_code=status_code, headers=headers, media_type="application/json")


def created(
    content: Any, location: str, *, position: int, version: int | None = None
) -> Response[Any]:
    """201 for a new resource, which can be read at `location`."""
    response = json_response(content, status_code=201, position=position, version=version)
    response.headers["Location"] = location
    return response


def tagged(etag: str) -> dict[str, str]:
    """Headers that let a client store the response and revalidate it with its tag."""
    return {"ETag": etag, "Cache-Control": "no-cache"}


def gone(position: int) -> Response[None]:
    """204 for a deletion."""
    return Response(None, status_code=204, headers={"Event-Position": str(position)})
