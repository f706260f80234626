"""Pages to cancel and reinstate an event. They first say how many people get a message."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from litestar import Controller, Response, get, post
from litestar.params import FromPath
from psycopg import AsyncConnection

from api.admin.kit.cookies import seen
from api.admin.kit.pages import page, see
from api.event_fields import EventCancellation
from api.html.forms import Form, parsed, refused, sent_form
from api.http.access import Permission
from api.http.dispatch import execute
from api.http.reads import read
from api.http.requests import Request
from domain.core.errors import InvalidFields, NotFound
from domain.event_cancellation import CancelEvent, ReinstateEvent
from projections.events import EventRow, get_event
from projections.seats import Seats, read_seats

EVENTS = "/admin/events/"


class EventCancellationPages(Controller):
    path = "/events/{event_id:uuid}"
    opt = {"access": Permission.CHANGE_EVENTS}  # noqa: RUF012  Litestar's own type for it

    @get("/cancel")
    async def confirm_cancellation(
        self, request: Request, event_id: FromPath[UUID]
    ) -> Response[str]:
        return await _page(request, event_id, "events/cancel.html", form=Form())

    @post("/cancel")
    async def cancel(self, request: Request, event_id: FromPath[UUID]) -> Response[Any]:
        sent = await sent_form(request)
        try:
            reason = parsed(EventCancellation, sent).reason
        except InvalidFields as error:
            form = refused(sent, error)
            return await _page(request, event_id, "events/cancel.html", form=form, status_code=422)
        done = await execute(request, CancelEvent(event_id=event_id, reason=reason))
        notice = "The event was cancelled."
        return see(request, f"{EVENTS}{event_id}", position=done.position, notice=notice)

    @get("/reinstate")
    async def confirm_reinstatement(
        self, request: Request, event_id: FromPath[UUID]
    ) -> Response[str]:
        return await _page(request, event_id, "events/reinstate.html")

    @post("/reinstate")
    async def reinstate(self, request: Request, event_id: FromPath[UUID]) -> Response[Any]:
        done = await execute(request, ReinstateEvent(event_id=event_id))
        notice = "The event was reinstated."
        return see(request, f"{EVENTS}{event_id}", position=done.position, notice=notice)


async def event_and_seats(request: Request, id: UUID) -> tuple[EventRow, Seats]:
    """Raises NotFound."""

    async def query(connection: AsyncConnection[Any]) -> tuple[EventRow, Seats] | None:
        row = await get_event(connection, id)
        return (row, await read_seats(connection, id)) if row else None

    found = await read(request, seen(request), query)
    if found is None:
        raise NotFound("event", id)
    return found


def people(seats: Seats) -> str:
    """How many are registered or wait."""
    number = seats.taken + seats.waiting
    return "1 person" if number == 1 else f"{number:,} people"


def messages(seats: Seats, news: str) -> str:
    """A sentence: how many people will get a message with this news."""
    if seats.taken + seats.waiting == 0:
        return "There are no registrations, so no message is sent."
    return f"{people(seats)} will get a message {news}."


async def _page(request: Request, id: UUID, template: str, **content: Any) -> Response[str]:
    row, seats = await event_and_seats(request, id)
    return page(request, template, event=row, seats=seats, messages=messages, **content)
