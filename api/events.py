"""`/api/events`: organizers create, change, cancel and delete events; anyone reads them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
from litestar import Controller, Response, delete, get, patch, post
from litestar.params import FromPath, JSONBody
from psycopg import AsyncConnection

from api.event_fields import Event, EventCancellation, EventChanges, event_after, event_of
from api.http.access import Permission, Who
from api.http.dispatch import answered, expected_version
from api.http.examples import example
from api.http.reads import MinEventPosition, read, unless_known
from api.http.requests import Request
from api.http.responses import Answer, created, json_response, no_content
from domain.core.errors import NotFound
from domain.event_cancellation import CancelEvent, ReinstateEvent
from domain.event_editing import ChangeEvent, CreateEvent, DeleteEvent, EventView
from projections import events
from projections.seats import Seats, read_seats

NO_REASON = EventCancellation()

example(capacity=300, taken=300, free=0, waiting=12, over_by=0)(Seats)


class EventCalls(Controller):
    path = "/api/events"
    tags = ("events",)
    opt = {"access": Permission.CHANGE_EVENTS}  # noqa: RUF012  Litestar's own type for it

    @post("/", summary="Create an event", opt={"versioned": True})
    async def create_event(
        self, request: Request, data: JSONBody[CreateEvent]
    ) -> Response[Answer[Event]]:
        """Times are RFC 3339 or `MM.DD.YYYY`. A date as `event_datetime` means midnight UTC; a date
        as deadline means the end of that day, but never later than the event. Neither time may be
        in the past."""

        def respond(view: EventView) -> Response[Any]:
            location = f"{self.path}/{view.event.id}"
            return created(Answer(data=event_after(view)), location, version=view.event.version)

        return await answered(request, data, respond)

    @get("/{event_id:uuid}", summary="Read one event, open or closed", opt={"access": Who.ANYONE})
    async def get_event(
        self,
        request: Request,
        event_id: FromPath[UUID],
        min_event_position: MinEventPosition = 0,
    ) -> Response[Answer[Event]]:
        """With the current name of its area."""
        row = await read(
            request, min_event_position, lambda connection: events.get_event(connection, event_id)
        )
        if row is None:
            raise NotFound("event", event_id)
        answer = json_response(Answer(data=event_of(row)), version=row.version)
        return unless_known(request, answer)

    @patch("/{event_id:uuid}", summary="Change an event", opt={"versioned": True})
    async def change_event(
        self, request: Request, event_id: FromPath[UUID], data: JSONBody[EventChanges]
    ) -> Response[Answer[Event]]:
        """Fields that are left out stay unchanged. After the response to a change that closes the
        event, no registration is accepted. A capacity below the number of seats taken cancels no
        registration."""
        command = ChangeEvent(
            event_id=event_id,
            expected_version=expected_version(request),
            **msgspec.structs.asdict(data),
        )
        return await answered(request, command, _changed)

    @delete("/{event_id:uuid}", summary="Delete an event", opt={"versioned": True})
    async def delete_event(self, request: Request, event_id: FromPath[UUID]) -> Response[None]:
        """Its registrations remain in history."""
        command = DeleteEvent(event_id=event_id, expected_version=expected_version(request))
        return await answered(request, command, no_content)

    @post(
        "/{event_id:uuid}/cancel",
        status_code=200,
        summary="Cancel an event",
        opt={"versioned": True},
    )
    async def cancel_event(
        self,
        request: Request,
        event_id: FromPath[UUID],
        data: JSONBody[EventCancellation] = NO_REASON,
    ) -> Response[Answer[Event]]:
        """Registration ends, and all registered and waiting visitors get a message. The event can
        still be read. Nothing changes if the event is cancelled already."""
        command = CancelEvent(
            event_id=event_id, reason=data.reason, expected_version=expected_version(request)
        )
        return await answered(request, command, _changed)

    @post(
        "/{event_id:uuid}/reinstate",
        status_code=200,
        summary="Take the cancellation of an event back",
        opt={"versioned": True},
    )
    async def reinstate_event(
        self, request: Request, event_id: FromPath[UUID]
    ) -> Response[Answer[Event]]:
        """All registrations are valid again, and waiting visitors keep their places in line. An
        event that is not cancelled stays as it is."""
        command = ReinstateEvent(event_id=event_id, expected_version=expected_version(request))
        return await answered(request, command, _changed)

    @get(
        "/{event_id:uuid}/seats",
        summary="Count the seats of an event",
        opt={"access": Permission.READ_SEATS},
    )
    async def get_seats(
        self,
        request: Request,
        event_id: FromPath[UUID],
        min_event_position: MinEventPosition = 0,
    ) -> Response[Answer[Seats]]:
        """The exact numbers. `free` is null for an event without a capacity; `over_by` is by how
        many the registrations exceed a capacity that was lowered, or organizers went beyond."""

        async def query(connection: AsyncConnection[Any]) -> tuple[Seats, int] | None:
            row = await events.get_event(connection, event_id)
            return (await read_seats(connection, event_id), row.version) if row else None

        found = await read(request, min_event_position, query)
        if found is None:
            raise NotFound("event", event_id)
        seats, version = found
        return unless_known(request, json_response(Answer(data=seats), version=version))


def _changed(view: EventView) -> Response[Answer[Event]]:
    return json_response(Answer(data=event_after(view)), version=view.event.version)
