"""`/`: what this service is, upcoming events, and links to its pages; as JSON for clients that
accept it."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

import msgspec
from litestar import Response, get
from psycopg import AsyncConnection
from psycopg_pool import PoolTimeout

from api.http.access import Who
from api.http.reads import read_cached, unless_known
from api.http.requests import Request
from api.http.responses import Answer, Ready
from api.pages.event_list import as_of, entries, this_hour
from api.pages.formats import HTML, by_format, wants_json
from api.pages.languages import Reader, reader_of
from api.pages.rendering import rendered
from domain.core.availability import TABLES_MISSING, UNAVAILABLE
from domain.history.codec import to_json
from projections.event_list import EventFilter, list_events, list_version
from projections.events import EventRow
from projections.lists.cursor import Page
from runtime.release import release

NEXT = 5
"""Events on the page."""

NO_TABLES: tuple[type[Exception], ...] = (*UNAVAILABLE, *TABLES_MISSING, PoolTimeout)


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
async def home(request: Request) -> Response[Any]:
    if wants_json(request):
        return unless_known(request, _data())
    reader = reader_of(request)
    if not request.settings.public_pages:
        return unless_known(request, _page(reader))
    try:
        return await _with_events(request, reader)
    except NO_TABLES:
        return unless_known(request, _page(reader))


async def _with_events(request: Request, reader: Reader) -> Response[Any]:
    hour = this_hour()

    async def listing(connection: AsyncConnection[Any]) -> tuple[Page[Any], datetime]:
        now = datetime.now(UTC)
        wanted = EventFilter(begins_from=hour)
        totals = request.connections.totals
        page = await list_events(connection, totals, wanted, now=now, descending=False, limit=NEXT)
        return as_of(page, now), now

    async def respond(page: Page[EventRow], now: datetime) -> Ready:
        return _page(reader, entries=entries(page, now, reader.locale), total=page.total)

    key = f"home {hour.isoformat()} {reader.language} {reader.chosen}"
    return await read_cached(request, key, 0, list_version, listing, respond)


def _page(reader: Reader, **events: Any) -> Ready:
    """Without events where none are to be shown, or the database cannot be reached."""
    content = rendered(reader, "home.html", home=_home(), **{"entries": None, **events})
    return by_format(content, HTML, reader)


@cache
def _data() -> Ready:
    return by_format(to_json(Answer(data=_home())), "application/json")


def _home() -> Home:
    return Home("Events-Face", release())
