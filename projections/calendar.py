"""Events for calendar programs, as iCalendar (RFC 5545): calendars that anyone may read, and the
invitation in a visitor's mail (RFC 5546).

All times are in UTC, so that no time zone has to be described. What an entry says follows from the
event alone, so the same event gives the same bytes. docs/decisions/0078-calendar.md
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote
from uuid import UUID

import msgspec

from domain.core.characters import CONTROL
from domain.core.values import Description

if TYPE_CHECKING:  # the library takes 0.1 s and 10 MB: only processes that make calendars load it
    from icalendar import Calendar, Component

MEDIA_TYPE = "text/calendar; charset=utf-8"

REFRESH_INTERVAL = timedelta(hours=1)
"""How often programs should read a calendar that they follow."""

MAX_ENTRIES = 1_000
"""Events of a calendar, at most."""

_LINE_ENDS = re.compile("\r\n?|[\u2028\u2029]")
"""Other than that of plain text; some programs would end a line of the file there."""


Method = Literal["REQUEST", "CANCEL"]
"""Of an invitation: it puts the event into the visitor's calendar, or changes it there; it takes it
out, because the event or the registration is cancelled."""


class CalendarEvent(msgspec.Struct, frozen=True, kw_only=True):
    """What calendars say of an event."""

    id: UUID
    name: str
    begins: datetime
    ends: datetime | None = None
    sequence: int
    """Number of its revisions, `domain.events.Event.sequence`."""
    changed_at: datetime
    """Of an invitation: when the message was made."""
    cancelled: bool = False
    location: str | None = None
    description: str = ""


class Attendee(msgspec.Struct, frozen=True):
    """A visitor who has, or had, a seat. No name: anybody can register somebody else's address."""

    address: str
    episode: int


def calendar(
    events: Iterable[CalendarEvent], *, host: str, pages: str | None, name: str | None = None
) -> bytes:
    """A calendar with these events. `host` ends their ids (`projections.calendar_host`); `pages` is
    the address under which each event has a page. A calendar to be followed has a `name`."""
    from icalendar import vDuration

    published = _calendar("PUBLISH")
    if name is not None:
        published.add("NAME", name)
        published.add("X-WR-CALNAME", name)
        published.add("REFRESH-INTERVAL", REFRESH_INTERVAL, parameters={"VALUE": "DURATION"})
        published.add("X-PUBLISHED-TTL", vDuration(REFRESH_INTERVAL))
    before, end, after = _bytes(published).partition(b"END:VCALENDAR")
    return before + b"".join(_published(event, host, pages) for event in events) + end + after


@lru_cache(MAX_ENTRIES)
def _published(event: CalendarEvent, host: str, pages: str | None) -> bytes:
    """Takes 0.5 ms; of a calendar that is read again, most events have not changed."""
    return _bytes(_entry(event, host, pages))


def invitation(
    event: CalendarEvent,
    attendee: Attendee,
    *,
    method: Method,
    host: str,
    organizer: str,
    organizer_name: str = "",
    pages: str | None = None,
) -> bytes:
    """The calendar part of a mail to a visitor; the content type of the part has the same `method`
    as a parameter."""
    from icalendar import vCalAddress

    entry = _entry(event, host, pages)
    entry["SEQUENCE"] = _sequence(event, attendee, method)
    if method == "CANCEL":
        entry["STATUS"] = "CANCELLED"
    sender = {"CN": organizer_name} if organizer_name else {}
    entry.add("ORGANIZER", vCalAddress(_mailto(organizer)), parameters=sender)
    accepted = {
        "CUTYPE": "INDIVIDUAL",
        "ROLE": "REQ-PARTICIPANT",
        "PARTSTAT": "ACCEPTED",
        "RSVP": "FALSE",
    }
    entry.add("ATTENDEE", vCalAddress(_mailto(attendee.address)), parameters=accepted)
    made = _calendar(method)
    made.add_component(entry)
    return _bytes(made)


def _sequence(event: CalendarEvent, attendee: Attendee, method: str) -> int:
    """Increases with each message that a program must take over, also when a visitor cancels and
    registers again: those add two for each episode before this one, and one for its end. That of a
    first registration is the sequence of the published event."""
    ended = method == "CANCEL" and not event.cancelled
    return event.sequence + 2 * (attendee.episode - 1) + ended


def _calendar(method: str) -> Calendar:
    from icalendar import Calendar

    made = Calendar()
    made.add("PRODID", "-//Events-Face//Events-Face//EN")
    made.add("VERSION", "2.0")
    made.add("CALSCALE", "GREGORIAN")
    made.add("METHOD", method)
    return made


def _entry(event: CalendarEvent, host: str, pages: str | None) -> Component:
    from icalendar import Event, vDatetime, vInt, vText, vUri

    begins, ends = _whole_second(event.begins), event.ends and _whole_second(event.ends)
    entry = Event()
    entry["UID"] = vText(f"{event.id}@{host}")
    entry["SEQUENCE"] = vInt(event.sequence)
    entry["DTSTAMP"] = entry["LAST-MODIFIED"] = vDatetime(_whole_second(event.changed_at))
    entry["DTSTART"] = vDatetime(begins)
    if ends and ends > begins:
        entry["DTEND"] = vDatetime(ends)
    entry["SUMMARY"] = vText(_line(event.name))
    if event.location:
        entry["LOCATION"] = vText(_line(event.location))
    if event.description:
        entry["DESCRIPTION"] = vText(_plain_text(event.description))
    entry["STATUS"] = vText("CANCELLED" if event.cancelled else "CONFIRMED")
    if pages:
        entry["URL"] = vUri(f"{pages}/{event.id}")
    return entry


def _bytes(component: Component) -> bytes:
    return bytes(component.to_ical())


def _whole_second(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)


def _line(text: str) -> str:
    return CONTROL.sub(" ", text)


def _plain_text(text: str) -> str:
    return Description.refused.sub(" ", _LINE_ENDS.sub("\n", text))


def _mailto(address: str) -> str:
    return f"mailto:{quote(address, safe='@!$*+=~/')}"
