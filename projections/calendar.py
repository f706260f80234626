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
    from icalendar import Calendar

MEDIA_TYPE = "text/calendar; charset=utf-8"

REFRESH_INTERVAL = timedelta(hours=1)
"""How often programs should read a calendar that they follow."""

MAX_ENTRIES = 1_000
"""Events of a calendar, at most."""

MAX_CACHED = 2 * MAX_ENTRIES
"""Entries. Of a calendar that is read again, most events have not changed."""

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
    return _with_entries(published, (_published(event, host, pages) for event in events))


@lru_cache(MAX_CACHED)
def _published(event: CalendarEvent, host: str, pages: str | None) -> bytes:
    return _entry(event, host, pages, sequence=event.sequence, cancelled=event.cancelled)


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
    sender = {"CN": organizer_name} if organizer_name else {}
    accepted = {
        "CUTYPE": "INDIVIDUAL",
        "ROLE": "REQ-PARTICIPANT",
        "PARTSTAT": "ACCEPTED",
        "RSVP": "FALSE",
    }
    entry = _entry(
        event,
        host,
        pages,
        _person("ORGANIZER", organizer, sender),
        _person("ATTENDEE", attendee.address, accepted),
        sequence=_sequence(event, attendee, method),
        cancelled=method == "CANCEL",
    )
    return _with_entries(_calendar(method), [entry])


def _sequence(event: CalendarEvent, attendee: Attendee, method: Method) -> int:
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


def _with_entries(calendar: Calendar, entries: Iterable[bytes]) -> bytes:
    before, end, after = bytes(calendar.to_ical()).partition(b"END:VCALENDAR")
    return before + b"".join(entries) + end + after


def _entry(
    event: CalendarEvent,
    host: str,
    pages: str | None,
    *people: bytes,
    sequence: int,
    cancelled: bool,
) -> bytes:
    """Its lines, not a component of the library, which takes five times as long."""
    begins, changed_at = _utc(event.begins), _utc(event.changed_at)
    ends = event.ends and _utc(event.ends)
    lines = [
        b"BEGIN:VEVENT",
        _text("UID", f"{event.id}@{host}"),
        f"SEQUENCE:{sequence}".encode(),
        f"DTSTAMP:{changed_at}".encode(),
        f"LAST-MODIFIED:{changed_at}".encode(),
        f"DTSTART:{begins}".encode(),
        f"DTEND:{ends}".encode() if ends and ends > begins else b"",
        _text("SUMMARY", CONTROL.sub(" ", event.name)),
        _text("LOCATION", CONTROL.sub(" ", event.location)) if event.location else b"",
        _text("DESCRIPTION", _plain_text(event.description)) if event.description else b"",
        b"STATUS:CANCELLED" if cancelled else b"STATUS:CONFIRMED",
        *people,
        _folded(f"URL:{pages}/{event.id}") if pages else b"",
        b"END:VEVENT",
    ]
    return b"".join(line + b"\r\n" for line in lines if line)


def _text(name: str, value: str) -> bytes:
    from icalendar import vText

    return _folded(f"{name}:{vText(value).to_ical().decode()}")


def _person(name: str, address: str, parameters: dict[str, str]) -> bytes:
    from icalendar import Parameters, vCalAddress
    from icalendar.parser import Contentline

    uri = vCalAddress(f"mailto:{quote(address, safe='@!$*+=~/')}")
    return bytes(Contentline.from_parts(name, Parameters(parameters), uri).to_ical())


def _folded(line: str) -> bytes:
    from icalendar.parser import Contentline

    return bytes(Contentline(line).to_ical())  # type: ignore[no-untyped-call]


def _utc(moment: datetime) -> str:
    moment = moment.astimezone(UTC)
    return f"{moment.year:04}{moment:%m%dT%H%M%SZ}"


def _plain_text(text: str) -> str:
    return Description.refused.sub(" ", _LINE_ENDS.sub("\n", text))
