"""`/api/calendar.ics` and `/api/events/{id}/calendar.ics`: events for calendar programs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import msgspec
from litestar import Controller, Response, get
from litestar.params import FromPath
from psycopg import AsyncConnection

from api.event_list import (
    BeginsFrom,
    OfArea,
    Registrable,
    Until,
    WithStatus,
    wanted_events,
)
from api.http.access import Who
from api.http.attachments import attachment
from api.http.examples import EVENT_ID
from api.http.reads import MinEventPosition, NameFragment, read, read_listing, unless_known
from api.http.requests import Request
from api.http.responses import Ready, digest, tagged
from domain.core.errors import NotFound
from projections.calendar import MAX_ENTRIES, MEDIA_TYPE, CalendarEvent, calendar
from projections.calendar_host import calendar_host
from projections.event_list import first_events, list_version
from projections.events import EventRow, get_event
from projections.lists.cursor import Page, Period
from runtime.settings import Settings

PAST = timedelta(days=31)
"""Events that began longer ago are not in a calendar, unless it is asked for them."""

MAX_DESCRIPTION = 1_000
"""Characters of each description in a calendar of many events."""

_EXAMPLE = f"""\
BEGIN:VCALENDAR\r
VERSION:2.0\r
PRODID:-//Events-Face//Events-Face//EN\r
CALSCALE:GREGORIAN\r
METHOD:PUBLISH\r
BEGIN:VEVENT\r
UID:{EVENT_ID}@events.example.com\r
SEQUENCE:0\r
DTSTAMP:20300101T120000Z\r
LAST-MODIFIED:20300101T120000Z\r
DTSTART:20990517T090000Z\r
DTEND:20990519T160000Z\r
SUMMARY:PyCon\r
LOCATION:Great Hall\r
STATUS:CONFIRMED\r
END:VEVENT\r
END:VCALENDAR\r
"""


class CalendarCalls(Controller):
    path = "/api"
    tags = ("events",)
    opt = {"access": Who.ANYONE, "example": _EXAMPLE}  # noqa: RUF012  Litestar's own type for it

    @get(
        "/events/{event_id:uuid}/calendar.ics",
        media_type="text/calendar",
        summary="Read one event as a calendar",
    )
    async def get_event_calendar(
        self, request: Request, event_id: FromPath[UUID], min_event_position: MinEventPosition = 0
    ) -> Response[str]:
        """For calendar programs, as iCalendar. `SEQUENCE` increases when the time or the place
        changes, and when the event is cancelled or reinstated; `UID` never changes."""

        async def query(connection: AsyncConnection[Any]) -> tuple[EventRow, str] | None:
            row = await get_event(connection, event_id)
            return (row, await calendar_host(connection)) if row else None

        found = await read(request, min_event_position, query)
        if found is None:
            raise NotFound("event", event_id)
        row, host = found
        response = await _response(request.settings, [row], host)
        response.headers |= attachment(row.name, "ics", otherwise=str(event_id))
        return unless_known(request, response)

    @get(
        "/calendar.ics",
        media_type="text/calendar",
        summary="Read events as a calendar",
    )
    async def get_calendar(
        self,
        request: Request,
        name: NameFragment = "",
        begins_from: BeginsFrom = "",
        until: Until = "",
        area_id: OfArea = "",
        status: WithStatus = "any",
        registrable: Registrable = False,
        min_event_position: MinEventPosition = 0,
    ) -> Response[str]:
        """For calendar programs that follow it, as iCalendar: up to 1,000 events, those that begin
        first; without `from`, those that began in the last 31 days and all later ones. Long
        descriptions are cut. Cancelled events are in it, as cancelled. A deleted event is not:
        programs take it out when they read the calendar again."""
        now = datetime.now(UTC)
        wanted = wanted_events(request, name, begins_from, until, area_id, status, registrable)
        if wanted.begins_from is None:
            wanted = msgspec.structs.replace(wanted, begins_from=_midnight(now) - PAST)

        async def query(connection: AsyncConnection[Any]) -> tuple[Page[EventRow], str]:
            page = await first_events(connection, wanted, now=now, limit=MAX_ENTRIES)
            if not begins_from:
                page = _until_midnight(page, now)
            return page, await calendar_host(connection)

        async def respond(page: Page[EventRow], host: str, _viewer: str) -> Ready:
            rows = [_shortened(row) for row in page.rows]
            response = await _response(request.settings, rows, host, _name(request.settings))
            response.headers |= attachment("events", "ics", otherwise="events")
            return response

        return await read_listing(request, min_event_position, list_version, query, respond)


async def _response(
    settings: Settings, rows: Sequence[EventRow], host: str, name: str | None = None
) -> Ready:
    """Tagged by its content: what calendars do not show does not make programs read it again."""
    events = [_calendar_event(row) for row in rows]
    # In a thread: the first time, 1,000 events take half a second, and other requests go on.
    body = await asyncio.to_thread(
        calendar, events, host=host, pages=settings.event_pages, name=name
    )
    return Ready(body, headers=tagged(f'"{digest(body)}"'), media_type=MEDIA_TYPE)


def _calendar_event(row: EventRow) -> CalendarEvent:
    return CalendarEvent(
        id=row.id,
        name=row.name,
        begins=row.event_datetime,
        ends=row.ends_at,
        sequence=row.sequence,
        changed_at=row.changed_at,
        cancelled=row.cancelled is not None,
        location=row.area,
        description=row.description,
    )


def _shortened(row: EventRow) -> EventRow:
    text = row.description
    if len(text) > MAX_DESCRIPTION:
        row = msgspec.structs.replace(row, description=f"{text[:MAX_DESCRIPTION].rstrip()} …")
    return row


def _name(settings: Settings) -> str:
    host = settings.public_url and urlsplit(settings.public_url).hostname
    return f"Events at {host}" if host else "Events"


def _midnight(moment: datetime) -> datetime:
    return datetime.combine(moment.date(), time(), UTC)


def _until_midnight(page: Page[EventRow], now: datetime) -> Page[EventRow]:
    """Then the past events in it are others."""
    midnight = _midnight(now) + timedelta(days=1)
    end = page.valid.end if page.valid and page.valid.end else midnight
    return msgspec.structs.replace(page, valid=Period(now, min(end, midnight)))
