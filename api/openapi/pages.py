"""`/api/schema`, `/api/swagger`, `/api/redoc`: the OpenAPI document, and two pages that show it.

The pages load nothing from other hosts: their files are in `assets/`, and in installed packages
(`api.http.bundles`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from hashlib import blake2b
from pathlib import Path

import msgspec
from litestar import Response, get
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from api.http.access import Who, WritePolicy
from api.http.bundles import DOCUMENTATION, installed
from api.http.reads import unless_known
from api.http.requests import Request
from api.http.responses import Ready, tagged
from api.openapi.document import document

ASSETS = Path(__file__).with_name("assets")

_MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
}


def documentation(
    routes: Sequence[ControllerRouterHandler], write_policy: WritePolicy
) -> list[HTTPRouteHandler]:
    """The routes of the documentation. The document is built at the first request for it."""

    @cache
    def built() -> bytes:
        return msgspec.json.encode(document(routes, write_policy))

    @get("/api/schema", include_in_schema=False, opt={"access": Who.ANYONE})
    async def schema(request: Request) -> Response[bytes]:
        return unless_known(request, _file(built(), "application/json"))

    return [schema, swagger, redoc, asset]


@get("/api/swagger", include_in_schema=False, opt={"access": Who.ANYONE})
async def swagger(request: Request) -> Response[bytes]:
    return unless_known(request, _asset("swagger.html"))


@get("/api/redoc", include_in_schema=False, opt={"access": Who.ANYONE})
async def redoc(request: Request) -> Response[bytes]:
    return unless_known(request, _asset("redoc.html"))


@get("/api/assets/{name:path}", include_in_schema=False, opt={"access": Who.ANYONE})
async def asset(request: Request, name: FromPath[str]) -> Response[bytes]:
    if name.removeprefix("/") not in _files():
        raise NotFoundException
    return unless_known(request, _asset(name.removeprefix("/")))


@cache
def _files() -> dict[str, Path]:
    """All files by name, so that no path is built from a name that a client sent."""
    ours = {path.name: path for path in ASSETS.iterdir() if path.suffix in _MEDIA_TYPES}
    return ours | {name: installed(file) for name, file in DOCUMENTATION.items()}


@cache
def _asset(name: str) -> Ready:
    path = _files()[name]
    return _file(path.read_bytes(), _MEDIA_TYPES[path.suffix])


def _file(content: bytes, media_type: str) -> Ready:
    tag = f'"{blake2b(content, digest_size=12).hexdigest()}"'
    return Ready(content, media_type=media_type, headers=tagged(tag))
