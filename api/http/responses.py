"""The body of successful responses, and their headers."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, Generic, TypeVar

import msgspec
from litestar import Response
from litestar.types import ASGIApp, Receive, Scope, Send

from api.http.compression import ENCODED, MIN_SIZE, accepts_gzip, gzipped
from api.http.etags import of_gzip
from domain.history.codec import to_json

T = TypeVar("T")
R = TypeVar("R", bound=Response[Any])


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
    """A response whose body is bytes, sent without Litestar's processing. A long body is compressed
    for clients that accept it, once for all requests that get this response."""

    _gzipped: bytes | None = None

    def to_asgi_response(self, *_: Any, **__: Any) -> ASGIApp:  # type: ignore[override]  # its arguments are not needed
        return self._send

    async def _send(self, scope: Scope, receive: Receive, send: Send) -> None:
        body: bytes = self.content
        encoded = self._is_long and accepts_gzip(scope["headers"])
        if encoded:
            body = self._gzipped = self._gzipped or await gzipped(body)
        fields = self.headers_for(scope).items()
        headers = [
            (b"content-type", str(self.media_type).encode()),
            (b"content-length", b"%d" % len(body)),
            *((name.lower().encode(), value.encode()) for name, value in fields),
            *([ENCODED] if encoded else ()),
        ]
        await send(
            {"type": "http.response.start", "status": self.status_code or 200, "headers": headers}
        )
        await send({"type": "http.response.body", "body": body, "more_body": False})

    def headers_for(self, scope: Scope) -> dict[str, str]:
        """The headers for this client: a compressed body has another ETag than a plain one."""
        if not self._is_long:
            return self.headers
        headers = {**self.headers, "Vary": ", ".join([*self._varies_by, "Accept-Encoding"])}
        if "ETag" in headers and accepts_gzip(scope["headers"]):
            headers["ETag"] = of_gzip(headers["ETag"])
        return headers

    @property
    def _is_long(self) -> bool:
        return len(self.content) >= MIN_SIZE and self.headers.get("Cache-Control") != "no-store"

    @property
    def _varies_by(self) -> list[str]:
        return [self.headers["Vary"]] if "Vary" in self.headers else []


def json_response(content: Any, *, status_code: int = 200, version: int | None = None) -> Ready:
    """The content as JSON. `version` is the version of the aggregate in the content, and the first
    part of its ETag."""
    body = to_json(content)
    headers = {}
    if version is not None:
        headers = tagged(f'"{version}-{digest(body)}"')
    return Ready(body, status_code=status_code, headers=headers, media_type="application/json")


def created(content: Any, location: str, *, version: int | None = None) -> Ready:
    """201 for a new resource, which can be read at `location`."""
    response = json_response(content, status_code=201, version=version)
    response.headers["Location"] = location
    return response


def not_stored(response: R) -> R:
    """The response, which no cache may store: it has a secret, or shows an account."""
    response.headers["Cache-Control"] = "no-store"
    return response


def digest(body: bytes) -> str:
    """For an ETag."""
    return blake2b(body, digest_size=6).hexdigest()


def tagged(etag: str) -> dict[str, str]:
    """Headers that let a client store the response and revalidate it with its tag."""
    return {"ETag": etag, "Cache-Control": "no-cache"}


def no_content(_: object = None) -> Response[None]:
    """204, whatever the command's value is."""
    return Response(None, status_code=204)
