"""`/admin/visitors/`: who registered, for what, and whether their message reached them."""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from uuid import UUID

from litestar import Controller, Response, get, post
from litestar.params import FromPath
from psycopg import AsyncConnection

from api.access import Who
from api.admin.cookies import seen
from api.admin.notifications import what_became
from api.admin.pages import page, see
from api.admin.paging import beyond
from api.commands import execute
from api.reading import read
from api.requests import Request
from domain.errors import NotFound
from domain.notifications import QueueAgain
from projections import registrations, visitors
from projections.events import get_event
from projections.notification_search import notification_of, pause
from projections.visitor_search import search

VISITORS = "/admin/visitors/"
PAGE_SIZE = 50
TABLES = ["visitors", "events", "outbox", "registrations"]


class VisitorPages(Controller):
    path = "/visitors"
    opt = {"access": Who.STAFF}  # noqa: RUF012  Litestar's own type for it

    @get("/")
    async def list_visitors(self, request: Request) -> Response[str]:
        text = request.query_params.get("q", "")[:255].replace("\0", "")
        event_id = _event_id(request)

        async def query(connection: AsyncConnection[Any]) -> dict[str, Any]:
            return {
                "found": await search(
                    connection,
                    text=text,
                    event_id=event_id,
                    beyond=beyond(request),
                    limit=PAGE_SIZE,
                ),
                "event": await get_event(connection, event_id) if event_id else None,
                "total": await registrations.total(
                    connection, event_id or registrations.ALL_EVENTS
                ),
            }

        content = await read(request, seen(request), query, TABLES)
        return page(request, "visitors/list.html", text=text, event_id=event_id, **content)

    @get("/{visitor_id:uuid}")
    async def visitor(self, request: Request, visitor_id: FromPath[UUID]) -> Response[str]:
        content = await read(
            request, seen(request), lambda connection: _visitor(connection, visitor_id), TABLES
        )
        return page(request, "visitors/visitor.html", **content)

    @post("/{visitor_id:uuid}/send-again", opt={"access": Who.ORGANIZER})
    async def send_again(self, request: Request, visitor_id: FromPath[UUID]) -> Response[Any]:
        content = await read(
            request, seen(request), lambda connection: _visitor(connection, visitor_id), TABLES
        )
        if content["notification"] is None:
            raise NotFound("notification of a visitor", visitor_id)
        done = await execute(request, QueueAgain(notification_id=content["notification"].id))
        where = f"{VISITORS}{visitor_id}"
        return see(request, where, position=done.position, notice=what_became(done))


def _event_id(request: Request) -> UUID | None:
    """What is no id asks for the visitors of all events."""
    with suppress(ValueError):
        return UUID(request.query_params.get("event", ""))
    return None


async def _visitor(connection: AsyncConnection[Any], id: UUID) -> dict[str, Any]:
    """What the page shows. Raises NotFound."""
    row = await visitors.get_visitor(connection, id)
    if row is None:
        raise NotFound("visitor", id)
    return {
        "visitor": row,
        "event": await get_event(connection, row.event_id),
        "notification": await notification_of(connection, row),
        "pause": await pause(connection),
    }
