"""`/api/events`: organizers create, change and delete events; anyone lists the open ones."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from litestar import Controller, Response, delete, get, patch, post
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import UNSET, UnsetType
from psycopg import AsyncConnection

from api.http.access import Permission, Who
from api.http.bodies import judges
from api.http.dispatch import execute, expected_version
from api.http.examples import AREA_ID, EVENT_ID, example
from api.http.reads import (
    Limit,
    MinEventPosition,
    NameFragment,
    Offset,
    read,
    read_listing,
    unless_known,
)
from api.http.requests import Request
from api.http.responses import Answer, Listing, Pagination, created, gone, json_response
from domain.core.errors import InvalidFields, NotFound
from domain.core.times import end_of
from domain.core.values import StoredText
from domain.details import Status, check_details
from domain.events import ChangeEvent, CreateEvent, DeleteEvent, EventView
from projections import events
from projections.lists.cursor import BadCursor

example(
    name="PyCon",
    event_datetime="2099-05-17T09:00:00Z",
    registration_deadline="2099-05-16T09:00:00Z",
    status="open",
)(CreateEvent)


@example(
    id=EVENT_ID,
    name="PyCon",
    area="Great Hall",
    area_id=AREA_ID,
    status="open",
    event_datetime="2099-05-17T09:00:00Z",
    registration_deadline="2099-05-16T09:00:00Z",
)
class Event(msgspec.Struct, frozen=True, kw_only=True):
    """The public view of an event; `area` is the name of its area."""

    id: UUID
    name: str
    area: str | None
    area_id: UUID | None
    status: Status
    event_datetime: datetime
    registration_deadline: datetime


@example(status="closed")
class EventChanges(msgspec.Struct, frozen=True, kw_only=True):
    """Fields that are left out stay unchanged; an `area_id` of null takes the event out of its
    area."""

    name: StoredText | UnsetType = UNSET
    event_datetime: datetime | UnsetType = UNSET
    registration_deadline: datetime | date | UnsetType = UNSET
    area_id: UUID | None | UnsetType = UNSET
    status: Status | UnsetType = UNSET


@judges(CreateEvent)
def wrong_times(fields: Mapping[str, Any]) -> dict[str, str]:
    if {"event_datetime", "registration_deadline"} <= fields.keys():
        try:
            check_details(fields, datetime.now(UTC))
        except InvalidFields as error:
            return error.messages
    return {}


@judges(EventChanges)
def crossed_times(fields: Mapping[str, Any]) -> dict[str, str]:
    """Only compares the two times: a time that does not change may be in the past."""
    starts, deadline = fields.get("event_datetime"), fields.get("registration_deadline")
    if starts and deadline and end_of(deadline, starts) > starts:
        return {"registration_deadline": "must not be after the event"}
    return {}


class EventCalls(Controller):
    path = "/api/events"
    tags = ("events",)

    @post(
        "/", summary="Create an event", opt={"access": Permission.CHANGE_EVENTS, "versioned": True}
    )
    async def create_event(
        self, request: Request, data: JSONBody[CreateEvent]
    ) -> Response[Answer[Event]]:
        """Times are RFC 3339 or `MM.DD.YYYY`. A date as `event_datetime` means midnight UTC; a date
        as deadline means the end of that day, but never later than the event. Neither time may be
        in the past."""
        done = await execute(request, data)
        view: EventView = done.value
        return created(
            Answer(data=_shown(view)),
            f"{self.path}/{view.event.id}",
            position=done.position,
            version=view.event.version,
        )

    @get("/list", summary="List the open events", opt={"access": Who.ANYONE})
    async def list_events(
        self,
        request: Request,
        name: NameFragment = "",
        order_by: Annotated[
            Literal["asc", "desc"],
            QueryParameter(description="By `event_datetime`; `desc`: newest first."),
        ] = "desc",
        limit: Limit = 10,
        offset: Offset = 0,
        cursor: Annotated[
            str | None, QueryParameter(description="Continue after a page: its `next_cursor`.")
        ] = None,
        min_event_position: MinEventPosition = 0,
    ) -> Response[Listing[Event]]:
        """In pages, ordered by `event_datetime`. To read all events, pass each page's
        `next_cursor` as `cursor`: no event is repeated or skipped."""

        async def listing(connection: AsyncConnection[Any]) -> tuple[str, Listing[Event]]:
            page = await events.list_open(
                connection,
                request.connections.totals,
                name_fragment=name,
                descending=order_by == "desc",
                limit=limit,
                offset=offset,
                cursor=cursor,
            )
            pagination = Pagination(
                offset=offset, limit=limit, total=page.total, next_cursor=page.next_cursor
            )
            rows = [_event(row) for row in page.rows]
            return page.version, Listing(data=rows, pagination=pagination)

        try:
            return await read_listing(request, min_event_position, events.list_version, listing)
        except BadCursor:
            raise InvalidFields(cursor="must be the next_cursor of a page") from None

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
        return unless_known(request, json_response(Answer(data=_event(row)), version=row.version))

    @patch(
        "/{event_id:uuid}",
        summary="Change an event",
        opt={"access": Permission.CHANGE_EVENTS, "versioned": True},
    )
    async def change_event(
        self, request: Request, event_id: FromPath[UUID], data: JSONBody[EventChanges]
    ) -> Response[Answer[Event]]:
        """Fields that are left out stay unchanged. After the response to a change that closes the
        event, no registration is accepted."""
        command = ChangeEvent(
            event_id=event_id,
            expected_version=expected_version(request),
            **msgspec.structs.asdict(data),
        )
        done = await execute(request, command)
        return _changed(done.value, done.position)

    @delete(
        "/{event_id:uuid}",
        summary="Delete an event",
        opt={"access": Permission.CHANGE_EVENTS, "versioned": True},
    )
    async def delete_event(self, request: Request, event_id: FromPath[UUID]) -> Response[None]:
        """Its registrations remain in history."""
        command = DeleteEvent(event_id=event_id, expected_version=expected_version(request))
        return gone((await execute(request, command)).position)


def _changed(view: EventView, position: int) -> Response[Answer[Event]]:
    return json_response(Answer(data=_shown(view)), position=position, version=view.event.version)


def _shown(view: EventView) -> Event:
    details = view.event.details
    return Event(
        id=view.event.id,
        name=details.name,
        area=view.area,
        area_id=details.area_id,
        status=details.status,
        event_datetime=details.event_datetime,
        registration_deadline=details.registration_deadline,
    )


def _event(row: events.EventRow) -> Event:
    return Event(
        id=row.id,
        name=row.name,
        area=row.area,
        area_id=row.area_id,
        status=row.status,
        event_datetime=row.event_datetime,
        registration_deadline=row.registration_deadline,
    )
