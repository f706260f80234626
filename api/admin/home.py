"""`/`: what this service is, with links to its pages; as JSON for clients that accept it."""

from __future__ import annotations

from functools import cache
from hashlib import blake2b

import msgspec
from litestar import Response, get

from api.admin.kit.pages import fragment
from api.http.access import Who
from api.http.reads import unless_known
from api.http.requests import Request
from api.http.responses import Answer, Ready, tagged
from domain.history.codec import to_json
from runtime.release import release


class Home(msgspec.Struct, frozen=True):
    name: str
    release: str
    openapi: str = "/api/schema/"
    swagger: str = "/api/swagger/"
    redoc: str = "/api/redoc/"
    events: str = "/api/events/list"
    admin: str = "/admin/"
    health: str = "/health/ready"


@get("/", include_in_schema=False, opt={"access": Who.ANYONE})
async def home(request: Request) -> Response[bytes]:
    return unless_known(request, _data() if wants_json(request) else _page())


def wants_json(request: Request) -> bool:
    """Whether it comes from a program, and not from a browser."""
    accepted = request.headers.get("Accept", "")
    return "json" in accepted and "html" not in accepted


@cache
def _page() -> Ready:
    return ready(fragment("home.html", home=_home()).encode(), "text/html; charset=utf-8")


@cache
def _data() -> Ready:
    return ready(to_json(Answer(data=_home())), "application/json")


def _home() -> Home:
    return Home("Events-Face", release())


def ready(content: bytes, media_type: str) -> Ready:
    """A page that differs by what its reader accepts."""
    tag = f'"{blake2b(content, digest_size=12).hexdigest()}"'
    return Ready(content, media_type=media_type, headers=tagged(tag) | {"Vary": "Accept"})
