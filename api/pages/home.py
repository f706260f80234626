"""`/`: what this service is, with links to its pages; as JSON for clients that accept it."""

from __future__ import annotations

from functools import cache

import msgspec
from litestar import Response, get

from api.http.access import Who
from api.http.reads import unless_known
from api.http.requests import Request
from api.http.responses import Answer, Ready
from api.pages.formats import ready, wants_json
from api.pages.rendering import rendered
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


@cache
def _page() -> Ready:
    return ready(rendered("home.html", home=_home()).encode(), "text/html; charset=utf-8")


@cache
def _data() -> Ready:
    return ready(to_json(Answer(data=_home())), "application/json")


def _home() -> Home:
    return Home("Events-Face", release())
