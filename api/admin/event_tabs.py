"""`/admin/events/{id}/waiting-list` and `messages`: who waits for a seat of an event, the first in
line first, and the messages to its visitors, the newest first."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from litestar import Controller, Response, get, post
from litestar.params import FromPath
from psycopg import AsyncConnection

from api.admin import names
from api.admin.kit.cookies import seen
from api.admin.kit.pages import page
from api.admin.kit.paging import Pages, beyond, page_number
from api.admin.notifications import all_sent_again, asked_state
from api.http.access import Permission
from api.http.reads import read
from api.http.requests import Request
from domain.core.errors import NotFound
from projections.event_visitors import list_waiting
from projections.events import EventRow, get_event
from projections.notification_search import (
    COUNT_LIMIT,
    count_that_may_be_sent_again,
    pause,
    search,
)

PAGE_SIZE = 50


class EventTabs(Controller):
    path = "/events/{event_id:uuid}"
    opt = {"access": Permission.READ_VISITORS}  # noqa: RUF012  Litestar's own type for it

    @get("/waiting-list")
    async def waiting_list(self, request: Request, event_id: FromPath[UUID]) -> Response[str]:
        number = page_number(request)

        async def query(connection: AsyncConnection[Any]) -> dict[str, Any]:
            line = await list_waiting(
                connection,
                request.connections.keys,
                event_id,
                limit=PAGE_SIZE,
                offset=(number - 1) * PAGE_SIZE,
            )
            return {
                "event": await _event(connection, event_id),
                "line": line,
                "pages": Pages(number, PAGE_SIZE, line.total),
            }

        content = await read(request, seen(request), query, ["events", "visitors"])
        shown = await names.for_reader(request, content["line"].rows, event_id=event_id)
        return page(request, "events/waiting_list.html", shown=shown, **content)

    @get("/messages")
    async def messages(self, request: Request, event_id: FromPath[UUID]) -> Response[str]:
        state = asked_state(request)

        async def query(connection: AsyncConnection[Any]) -> dict[str, Any]:
            return {
                "event": await _event(connection, event_id),
                "found": await search(
                    connection,
                    request.connections.keys,
                    state=state,
                    event_id=event_id,
                    start=beyond(request),
                    limit=PAGE_SIZE,
                ),
                "failed": await count_that_may_be_sent_again(connection, event_id),
                "pause": await pause(connection),
            }

        content = await read(request, seen(request), query, ["events", "outbox"])
        shown = await names.for_reader(request, content["found"].rows, event_id=event_id)
        return page(request, "events/messages.html", shown=shown, state=state, **content)

    @get("/messages/again", opt={"access": Permission.SEND_AGAIN})
    async def confirm_again(self, request: Request, event_id: FromPath[UUID]) -> Response[str]:
        async def query(connection: AsyncConnection[Any]) -> dict[str, Any]:
            return {
                "event": await _event(connection, event_id),
                "count": await count_that_may_be_sent_again(connection, event_id),
            }

        content = await read(request, seen(request), query, ["events", "outbox"])
        return page(request, "notifications/again.html", most=COUNT_LIMIT, **content)

    @post("/messages/again", opt={"access": Permission.SEND_AGAIN})
    async def send_again(self, request: Request, event_id: FromPath[UUID]) -> Response[Any]:
        return await all_sent_again(request, f"/admin/events/{event_id}/messages", event_id)


async def _event(connection: AsyncConnection[Any], id: UUID) -> EventRow:
    """Raises NotFound."""
    event = await get_event(connection, id)
    if event is None:
        raise NotFound("event", id)
    return event
